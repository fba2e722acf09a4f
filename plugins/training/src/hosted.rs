//! The engine as hooks of trainers see it.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Batch, Config, Error, MAIN_NETWORK, NamedParameter, Progress, Result, Training};
use nnunet_torch_ops::ReadLater;
use nnunet_trainers::Chain;

use crate::gradients::{clip_on_device, forget_gradients, unscale_gradients, unscale_on_device};
use crate::scaler::DeviceLossScaler;
use crate::started_step::StartedStep;
use crate::state::Engine;
use crate::with_ranks;

/// Where in an epoch a hook is called.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    pub(crate) step: usize,
    pub(crate) learning_rate: f64,
    pub(crate) scaler: Option<&'a DeviceLossScaler>,
}

/// A training that is lent to hooks.
pub(crate) struct Hosted<'a> {
    engine: &'a mut Engine,
    place: Place<'a>,
    /// Losses since the gradients were reset.
    losses: Vec<Tensor>,
    /// Norms of the gradients since then.
    norms: Vec<Tensor>,
    /// The gradients are divided by the scale of the loss again.
    unscaled: bool,
    /// Of each optimizer step: a number that is finite if losses and gradients are.
    checks: Vec<Tensor>,
}

impl Engine {
    /// Runs hooks. The engine has no trainers meanwhile.
    pub(crate) fn with_trainers<R>(
        &mut self,
        place: Place<'_>,
        hooks: impl FnOnce(&mut Chain, &mut Hosted<'_>) -> Result<R>,
    ) -> Result<R> {
        let mut chain = self.trainer.take_trainers();
        let (losses, norms, checks) = (Vec::new(), Vec::new(), Vec::new());
        let mut hosted = Hosted { engine: self, place, losses, norms, unscaled: false, checks };
        let result = hooks(&mut chain, &mut hosted);
        self.trainer.return_trainers(chain);
        result
    }

    /// A step of a trainer that has one of its own.
    pub(crate) fn own_step(&mut self, batch: &Batch, place: Place<'_>) -> Result<Option<StartedStep>> {
        self.with_trainers(place, |trainers, training| {
            training.engine.await_sample_losses();
            let loss = trainers.train_step(training, batch)?;
            match &loss {
                Some(loss) => training.engine.keep_loss_of_batch(loss, batch),
                None => training.engine.forget_awaited_losses(),
            }
            loss.map(|loss| training.started(&loss)).transpose()
        })
    }
}

impl Hosted<'_> {
    /// What is read of a step later, or is known already.
    fn started(&mut self, loss: &Tensor) -> Result<StartedStep> {
        let loss = with_ranks::mean_loss(loss)?.f_to_kind(Kind::Float)?;
        if self.engine.reads_late() {
            let values = [&[loss][..], &self.checks].concat_tensors()?;
            return Ok(StartedStep::UnderWay(ReadLater::new(&values)?));
        }
        let value = f64::try_from(&loss)?;
        if !value.is_finite() {
            return Err(Error::NotFinite(format!("training loss {value}")));
        }
        Ok(StartedStep::Done(value))
    }

    fn store(&self, network: &str) -> Result<&ParameterStore> {
        Ok(match network {
            MAIN_NETWORK => &self.engine.store,
            name => &self.engine.networks.get(name)?.store,
        })
    }

    /// Divides the gradients by the scale of the loss, once.
    fn unscale(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.unscaled, true) {
            return Ok(());
        }
        match (self.place.scaler, &self.engine.scaler) {
            (Some(scaler), _) => unscale_on_device(&self.engine.store, &scaler.scale),
            (None, Some(scaler)) => unscale_gradients(&self.engine.store, scaler.scale),
            (None, None) => Ok(()),
        }
    }

    /// A step on a GPU: the device decides whether all is finite.
    fn step_on_device(&mut self) -> Result<()> {
        let check = [&self.losses[..], &self.norms].concat_tensors()?.f_sum(Kind::Float)?;
        let skip = check.f_isfinite()?.f_logical_not()?.f_to_kind(Kind::Float)?;
        self.engine.optimizer.step_unless(&self.engine.store, self.place.learning_rate, Some(&skip))?;
        self.checks.push(check);
        self.place.scaler.map_or(Ok(()), |scaler| scaler.update(&skip))
    }

    fn step_on_cpu(&mut self) -> Result<()> {
        let norms = self.norms.iter().map(|norm| Ok(f64::try_from(norm.f_to_kind(Kind::Double)?)?));
        let norms: Vec<f64> = norms.collect::<Result<_>>()?;
        let bad = norms.iter().find(|norm| !norm.is_finite());
        if let Some(scaler) = &mut self.engine.scaler {
            scaler.update(bad.is_some());
            if bad.is_some() {
                return Ok(());
            }
        }
        match bad {
            Some(norm) => Err(Error::NotFinite(format!("gradient norm {norm}"))),
            None => self.engine.optimizer.step(&self.engine.store, self.place.learning_rate),
        }
    }
}

impl Training for Hosted<'_> {
    fn progress(&self) -> Result<Progress> {
        let blueprint = &self.engine.trainer.blueprint;
        Ok(Progress {
            epoch: self.engine.epoch,
            step: self.place.step,
            steps: blueprint.num_batches_per_epoch,
            learning_rate: self.place.learning_rate,
            gradient_clipping: blueprint.gradient_clipping,
            num_classes: self.engine.num_classes,
        })
    }

    fn forward_of(&mut self, network: &str, data: &Tensor) -> Result<Vec<Tensor>> {
        let engine = &self.engine;
        match network {
            MAIN_NETWORK => engine.forward_with(&*engine.network, data, true),
            name => engine.forward_with(&*engine.networks.get(name)?.network, data, true),
        }
    }

    fn loss(&mut self, outputs: &[Tensor], batch: &Batch) -> Result<Tensor> {
        self.engine.keep_awaited_losses(outputs, batch)?;
        self.engine.loss_of(outputs, batch)
    }

    fn backward(&mut self, loss: &Tensor) -> Result<()> {
        if self.unscaled && self.engine.scaler.is_some() {
            let why = "backward after clip_gradients: in half precision zero_grad comes first";
            return Err(Error::message(why));
        }
        match self.place.scaler {
            Some(scaler) => with_ranks::backward(&loss.f_mul(&scaler.scale)?)?,
            None if self.engine.reads_late() => with_ranks::backward(loss)?,
            None => {
                self.engine.read_finite(loss)?;
                self.engine.backward(loss)?;
            }
        }
        self.losses.push(with_ranks::mean_loss(loss)?.f_to_kind(Kind::Float)?.f_reshape(&[] as &[i64])?);
        Ok(())
    }

    fn zero_grad(&mut self) -> Result<()> {
        self.losses.clear();
        self.norms.clear();
        self.unscaled = false;
        forget_gradients(&self.engine.store)
    }

    fn clip_gradients(&mut self, largest: Option<f64>) -> Result<Tensor> {
        self.unscale()?;
        let norm = clip_on_device(&self.engine.store, largest)?;
        self.norms.push(norm.shallow_clone());
        Ok(norm)
    }

    fn optimizer_step(&mut self) -> Result<()> {
        if self.norms.is_empty() {
            let _norm = self.clip_gradients(None)?;
        }
        if self.engine.reads_late() { self.step_on_device() } else { self.step_on_cpu() }
    }

    fn parameters_of(&self, network: &str) -> Result<Vec<NamedParameter>> {
        let all = self.store(network)?.parameters().iter();
        Ok(all
            .map(|parameter| NamedParameter {
                name: parameter.name.clone(),
                tensor: parameter.tensor.shallow_clone(),
                trainable: parameter.trainable,
            })
            .collect())
    }

    fn add_network(&mut self, name: &str) -> Result<()> {
        self.engine.networks.add(name, &self.engine.store)
    }

    fn case_properties(&self, case: &str) -> Result<Config> {
        self.engine.cases.properties(case)
    }
}

/// Numbers on a device as one tensor.
trait ConcatTensors {
    fn concat_tensors(&self) -> Result<Tensor>;
}

impl ConcatTensors for [&[Tensor]; 2] {
    fn concat_tensors(&self) -> Result<Tensor> {
        let all: Vec<&Tensor> = self.iter().flat_map(|part| part.iter()).collect();
        Ok(Tensor::f_stack(&all, 0)?)
    }
}
