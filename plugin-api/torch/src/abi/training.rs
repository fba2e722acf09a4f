//! A training across the boundary: what a hook in a plugin asks of the host.

use core::ffi::c_void;

use abi_stable::std_types::RStr;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{Lent, Message, TrainingAbi, contain, from_abi};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::message::{Given, Taken, message, tensors_of};
use crate::{Batch, Config, Error, NamedParameter, Progress, Result, Training};

/// Names of the requests.
mod ask {
    pub(super) const PROGRESS: &str = "progress";
    pub(super) const FORWARD: &str = "forward";
    pub(super) const LOSS: &str = "loss";
    pub(super) const BACKWARD: &str = "backward";
    pub(super) const ZERO_GRAD: &str = "zero_grad";
    pub(super) const CLIP: &str = "clip_gradients";
    pub(super) const STEP: &str = "optimizer_step";
    pub(super) const PARAMETERS: &str = "parameters";
    pub(super) const ADD_NETWORK: &str = "add_network";
    pub(super) const CASE: &str = "case_properties";
}

/// Outputs of a network before a batch.
#[derive(Serialize, Deserialize)]
pub(super) struct OutputsAndBatch {
    pub(super) outputs: usize,
    pub(super) cases: Vec<String>,
}

/// A named tensor without it.
#[derive(Serialize, Deserialize)]
struct Described {
    name: String,
    trainable: bool,
}

/// The plugin's view of the host's training.
pub(super) struct Asking(pub(super) TrainingAbi);

impl Asking {
    fn ask<'a>(
        &self,
        what: &str,
        mut given: Given,
        tensors: impl IntoIterator<Item = &'a Tensor>,
    ) -> Result<Taken> {
        let answer = given.lend(tensors, |lent| (self.0.request)(self.0.context, what.into(), lent));
        from_abi(answer).map(Taken::owned)
    }
}

impl Training for Asking {
    fn progress(&self) -> Result<Progress> {
        self.ask(ask::PROGRESS, Given::default(), [])?.value()
    }

    fn forward_of(&mut self, network: &str, data: &Tensor) -> Result<Vec<Tensor>> {
        Ok(self.ask(ask::FORWARD, Given::new(&network)?, [data])?.rest())
    }

    fn loss(&mut self, outputs: &[Tensor], batch: &Batch) -> Result<Tensor> {
        let given = Given::new(&OutputsAndBatch { outputs: outputs.len(), cases: batch.cases.clone() })?;
        self.ask(ask::LOSS, given, outputs.iter().chain(tensors_of(batch)))?.tensor()
    }

    fn backward(&mut self, loss: &Tensor) -> Result<()> {
        self.ask(ask::BACKWARD, Given::default(), [loss]).map(drop)
    }

    fn zero_grad(&mut self) -> Result<()> {
        self.ask(ask::ZERO_GRAD, Given::default(), []).map(drop)
    }

    fn clip_gradients(&mut self, largest: Option<f64>) -> Result<Tensor> {
        self.ask(ask::CLIP, Given::new(&largest)?, [])?.tensor()
    }

    fn optimizer_step(&mut self) -> Result<()> {
        self.ask(ask::STEP, Given::default(), []).map(drop)
    }

    fn parameters_of(&self, network: &str) -> Result<Vec<NamedParameter>> {
        let mut answer = self.ask(ask::PARAMETERS, Given::new(&network)?, [])?;
        let described: Vec<Described> = answer.value()?;
        let named = described.into_iter().map(|Described { name, trainable }| {
            Ok(NamedParameter { name, trainable, tensor: answer.tensor()? })
        });
        named.collect()
    }

    fn add_network(&mut self, name: &str) -> Result<()> {
        self.ask(ask::ADD_NETWORK, Given::new(&name)?, []).map(drop)
    }

    fn case_properties(&self, case: &str) -> Result<Config> {
        self.ask(ask::CASE, Given::new(&case)?, [])?.value()
    }
}

/// Lends the host's training to the plugin during `body`.
pub(super) fn lend<R>(training: &mut dyn Training, body: impl FnOnce(TrainingAbi) -> R) -> R {
    // A fat pointer does not fit `*mut c_void`; a pointer to it does. Both live until `body` returns.
    let mut training: &mut dyn Training = training;
    body(TrainingAbi { context: (&raw mut training).cast(), request: answer })
}

/// For hooks that ask nothing of the training.
pub(super) fn nothing() -> TrainingAbi {
    extern "C" fn no_answer(_: *mut c_void, what: RStr<'_>, _: Lent<'_>) -> AbiResult<Message> {
        contain(|| Err(Error::message(format!("`{what}` is not there for this hook"))))
    }
    TrainingAbi { context: std::ptr::null_mut(), request: no_answer }
}

/// Called by the plugin, runs in the host: the host's training behind `context`.
extern "C" fn answer(context: *mut c_void, what: RStr<'_>, given: Lent<'_>) -> AbiResult<Message> {
    contain(|| {
        // SAFETY: `context` is the `&mut &mut dyn Training` of the hook that is running on this thread.
        let training = unsafe { &mut *context.cast::<&mut dyn Training>() };
        requested(&mut **training, what.as_str(), Taken::lent(&given))
    })
}

fn requested(training: &mut dyn Training, what: &str, mut given: Taken) -> Result<Message> {
    let none = || Ok(Message::default());
    match what {
        ask::PROGRESS => message(Vec::new(), &training.progress()?),
        ask::FORWARD => {
            let network: String = given.value()?;
            message(training.forward_of(&network, &given.tensor()?)?, &())
        }
        ask::LOSS => {
            let OutputsAndBatch { outputs, cases } = given.value()?;
            let outputs = given.some(outputs)?;
            message(vec![training.loss(&outputs, &given.batch(cases)?)?], &())
        }
        ask::BACKWARD => training.backward(&given.tensor()?).and_then(|()| none()),
        ask::ZERO_GRAD => training.zero_grad().and_then(|()| none()),
        ask::CLIP => message(vec![training.clip_gradients(given.value()?)?], &()),
        ask::STEP => training.optimizer_step().and_then(|()| none()),
        ask::PARAMETERS => {
            let all = training.parameters_of(&given.value::<String>()?)?;
            let (described, tensors): (Vec<_>, Vec<_>) = all
                .into_iter()
                .map(|NamedParameter { name, trainable, tensor }| (Described { name, trainable }, tensor))
                .unzip();
            message(tensors, &described)
        }
        ask::ADD_NETWORK => training.add_network(&given.value::<String>()?).and_then(|()| none()),
        ask::CASE => message(Vec::new(), &training.case_properties(&given.value::<String>()?)?),
        _ => Err(Error::message(format!("this nnunet does not know the request `{what}`; update it"))),
    }
}
