//! The engine's own optimizers as components, so that they are listed, and can be chosen and extended by name as all others.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::{Blueprint, Optimizer as Choice};
use nnunet_plugin_api::{
    Component, Config, Error, Info, Kind, Optimized, Optimizer, Registration, Result, inventory, serde_json,
};
use serde_json::{Value, json};

use super::{Optimize, State, StateValue, Trained, built_in};

/// Makes an optimizer of so many parameters.
struct AsComponent {
    choice: Choice,
    weight_decay: f64,
}

/// Parameters of one of them: those in the blueprint, and the weight decay.
fn component(name: &'static str, summary: &'static str) -> Component {
    let mut info = Info::new(Kind::Optimizer, name, summary);
    if let Ok(Value::Object(mut defaults)) = choice(name, &Config::new()).map(|choice| json!(choice)) {
        defaults.remove("name");
        defaults.insert("weight_decay".to_owned(), json!(0.0));
        info = info.with_defaults(&Value::Object(defaults));
    }
    Component::optimizer(info, move |config| {
        let mut config = config.clone();
        let decay = config.remove("weight_decay").map_or(Some(0.0), |value| value.as_f64());
        let weight_decay = decay.ok_or_else(|| Error::parameter("weight_decay", "must be a number"))?;
        Ok(Box::new(AsComponent { choice: choice(name, &config)?, weight_decay }))
    })
}

fn choice(name: &str, parameters: &Config) -> Result<Choice> {
    let mut table = parameters.clone();
    table.insert("name".to_owned(), name.into());
    match serde_json::from_value(Value::Object(table)) {
        Ok(Choice::Other(choice)) => {
            let keys: Vec<&String> = choice.parameters.keys().collect();
            Err(Error::message(format!(
                "optimizer `{name}`: unknown parameter, or a wrong value, among {keys:?}"
            )))
        }
        Ok(choice) => Ok(choice),
        Err(error) => Err(Error::message(format!("optimizer `{name}`: {error}"))),
    }
}

macro_rules! optimizers {
    ($($name:literal $summary:literal;)*) => {
        $(inventory::submit!(Registration(|| component($name, $summary)));)*
    };
}

optimizers! {
    "SGD" "Stochastic gradient descent with momentum.";
    "Adam" "Adam; weight decay is an L2 penalty.";
    "AdamW" "Adam; weight decay is decoupled.";
    "Ranger" "Rectified Adam with lookahead; weight decay is decoupled.";
}

impl AsComponent {
    /// The optimizer with the state of these parameters.
    fn with(&self, states: Vec<State>) -> Result<Box<dyn Optimize>> {
        let blueprint = Blueprint {
            optimizer: self.choice.clone(),
            weight_decay: self.weight_decay,
            ..Blueprint::default()
        };
        let mut optimizer = built_in(&blueprint, states.len().max(1))
            .ok_or_else(|| Error::message("an optimizer of the engine"))?;
        for (number, state) in states.into_iter().enumerate() {
            optimizer.restore(number, state)?;
        }
        Ok(optimizer)
    }

    fn state_of(&self, parameter: &Tensor) -> Result<State> {
        let mut optimizer = self.with(Vec::new())?;
        optimizer.begin(&Trained::new(vec![parameter.shallow_clone()], Vec::new()))?;
        Ok(optimizer.state(0))
    }
}

impl Optimizer for AsComponent {
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
        let tensors = self.state_of(parameter)?.into_iter().map(|(name, value)| match value {
            StateValue::Tensor(tensor) => Ok((name, tensor.f_to_device(parameter.device())?)),
            StateValue::Count(count) => {
                let tensor = Tensor::f_full(&[] as &[i64], count, (Element::Float, parameter.device()))?;
                Ok((name, tensor))
            }
        });
        tensors.collect()
    }

    fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
        let mut states = Vec::new();
        for Optimized { tensor, state, .. } in parameters.iter() {
            let names = self.state_of(tensor)?.into_iter().map(|(name, _)| name);
            let values = state.iter().map(|tensor| StateValue::Tensor(tensor.shallow_clone()));
            states.push(names.zip(values).collect());
        }
        let mut optimizer = self.with(states)?;
        let (tensors, gradients) =
            parameters.iter().map(|p| (p.tensor.shallow_clone(), p.gradient.shallow_clone())).unzip();
        optimizer.step_of(&Trained::new(tensors, gradients), learning_rate, None)?;
        for (number, parameter) in parameters.iter_mut().enumerate() {
            for ((_, value), tensor) in optimizer.state(number).into_iter().zip(&mut parameter.state) {
                match value {
                    StateValue::Tensor(new) => tensor.f_copy_(&new)?,
                    StateValue::Count(count) => drop(tensor.f_fill_(count as f64)?),
                }
            }
        }
        Ok(())
    }

    fn settings(&self) -> Config {
        let mut settings = match serde_json::to_value(&self.choice) {
            Ok(Value::Object(settings)) => settings,
            _ => Config::new(),
        };
        settings.remove("name");
        settings.insert("weight_decay".to_owned(), json!(self.weight_decay));
        settings
    }
}
