//! A case of the final validation across the boundary.

use core::ffi::c_void;

use abi_stable::std_types::RStr;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{Lent, Message, TrainingAbi, contain, from_abi};
use tch::Tensor;

use super::message::{Given, Taken, message};
use crate::{Error, Result, ValidationCase};

/// Names of the requests.
mod ask {
    pub(super) const FORWARD: &str = "forward";
    pub(super) const PREDICT: &str = "predict";
}

/// The plugin's view of the host's case.
pub(super) struct AskingCase {
    pub(super) host: TrainingAbi,
    pub(super) name: String,
    pub(super) image: Tensor,
}

impl AskingCase {
    fn ask(&self, what: &str, tensors: &[&Tensor]) -> Result<Tensor> {
        let request = |lent: Lent<'_>| (self.host.request)(self.host.context, what.into(), lent);
        let answer = Given::default().lend(tensors.iter().copied(), request);
        Taken::owned(from_abi(answer)?).tensor()
    }
}

impl ValidationCase for AskingCase {
    fn name(&self) -> &str {
        &self.name
    }

    fn image(&self) -> &Tensor {
        &self.image
    }

    fn forward(&mut self, patches: &Tensor) -> Result<Tensor> {
        self.ask(ask::FORWARD, &[patches])
    }

    fn predict(&mut self) -> Result<Tensor> {
        self.ask(ask::PREDICT, &[])
    }
}

/// Lends the host's case to the plugin during `body`.
pub(super) fn lend<R>(case: &mut dyn ValidationCase, body: impl FnOnce(TrainingAbi) -> R) -> R {
    // As for a training: a fat pointer does not fit `*mut c_void`; a pointer to it does.
    let mut case: &mut dyn ValidationCase = case;
    body(TrainingAbi { context: (&raw mut case).cast(), request: answer })
}

/// Called by the plugin, runs in the host: the host's case behind `context`.
extern "C" fn answer(context: *mut c_void, what: RStr<'_>, given: Lent<'_>) -> AbiResult<Message> {
    contain(|| {
        // SAFETY: `context` is the `&mut &mut dyn ValidationCase` of the hook that is running on this thread.
        let case = unsafe { &mut *context.cast::<&mut dyn ValidationCase>() };
        let mut given = Taken::lent(&given);
        let tensor = match what.as_str() {
            ask::FORWARD => case.forward(&given.tensor()?)?,
            ask::PREDICT => case.predict()?,
            _ => {
                let why = format!("this nnunet does not know the request `{what}`; update it");
                return Err(Error::message(why));
            }
        };
        message(vec![tensor], &())
    })
}
