//! A copy of everything training changes, taken before every epoch. An epoch that is not finished leaves no trace.

use std::collections::BTreeMap;

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{Device, Tensor};
use nnunet_plugin_api::{Config, Result, TrainerState};

use crate::history::History;
use crate::networks::copy_into;
use crate::optimizer::{Setting, State, StateValue};
use crate::scaler::LossScaler;
use crate::state::Engine;

/// State after a whole number of epochs, in the computer's memory.
pub(crate) struct Snapshot {
    parameters: Vec<Tensor>,
    optimizer: Vec<State>,
    momentum: Option<f64>,
    scaler: Option<LossScaler>,
    epoch: usize,
    history: History,
    networks: Vec<Vec<Tensor>>,
    trainers: BTreeMap<String, TrainerState>,
    sampler: Config,
    schedules: Vec<Config>,
}

impl Snapshot {
    pub(crate) fn take(engine: &Engine) -> Result<Self> {
        let parameters = |store: &ParameterStore| -> Result<Vec<Tensor>> {
            store.all_parameters().iter().map(|parameter| copy(&parameter.tensor)).collect()
        };
        let mut trainers = engine.trainer.save_state()?;
        for tensor in trainers.values_mut().flat_map(|state| state.tensors.values_mut()) {
            *tensor = copy(tensor)?;
        }
        let states = (0..engine.store.trainable().count()).map(|i| copy_state(engine.optimizer.state(i)));
        let momentum = engine.optimizer.settings().into_iter().find_map(|(name, value)| match value {
            Setting::Float(momentum) if name == "momentum" => Some(momentum),
            _ => None,
        });
        Ok(Self {
            parameters: parameters(&engine.store)?,
            optimizer: states.collect::<Result<_>>()?,
            momentum,
            scaler: engine.scaler.clone(),
            epoch: engine.epoch,
            history: engine.history.clone(),
            networks: engine
                .networks
                .all()
                .iter()
                .map(|second| parameters(&second.store))
                .collect::<Result<_>>()?,
            trainers,
            sampler: engine.sampler.save_state()?,
            schedules: engine.schedules.save_state()?,
        })
    }

    /// Brings the engine back to this state.
    pub(crate) fn restore(self, engine: &mut Engine) -> Result<()> {
        copy_into(&engine.store, &self.parameters)?;
        for (second, kept) in engine.networks.all().iter().zip(&self.networks) {
            copy_into(&second.store, kept)?;
        }
        let mut trainers = self.trainers;
        for tensor in trainers.values_mut().flat_map(|state| state.tensors.values_mut()) {
            *tensor = tensor.f_to_device(engine.store.device())?;
        }
        engine.trainer.load_state(trainers)?;
        engine.sampler.load_state(self.sampler)?;
        engine.schedules.load_state(self.schedules)?;
        engine.optimizer.forget();
        self.momentum.into_iter().for_each(|momentum| engine.optimizer.set_momentum(momentum));
        for (i, state) in self.optimizer.into_iter().enumerate().filter(|(_, state)| !state.is_empty()) {
            engine.optimizer.restore(i, on_device(state, engine.store.device())?)?;
        }
        (engine.scaler, engine.epoch, engine.history) = (self.scaler, self.epoch, self.history);
        Ok(())
    }
}

fn copy(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.detach().f_to_device_(Device::Cpu, tensor.kind(), false, true)?)
}

fn copy_state(state: State) -> Result<State> {
    each_tensor(state, copy)
}

/// Counts that torch keeps in tensors without axes stay on the CPU, as torch has it.
fn on_device(state: State, device: Device) -> Result<State> {
    each_tensor(state, |tensor| {
        Ok(if tensor.dim() == 0 { tensor.shallow_clone() } else { tensor.f_to_device(device)? })
    })
}

fn each_tensor(state: State, change: impl Fn(&Tensor) -> Result<Tensor>) -> Result<State> {
    let entries = state.into_iter().map(|(name, value)| {
        Ok((
            name,
            match value {
                StateValue::Tensor(tensor) => StateValue::Tensor(change(&tensor)?),
                count => count,
            },
        ))
    });
    entries.collect()
}
