//! Parameter groups: parameters with a learning rate or weight decay of their own, or that are not trained.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::vocabulary::{Blueprint, ParameterGroup};
use nnunet_plugin_api::{Config, Error, Result};

use super::{Optimize, Setting, State, Trained};

/// Makes the optimizer of a blueprint.
type MakeOptimizer<'a> = &'a dyn Fn(&Blueprint) -> Result<Box<dyn Optimize>>;

/// A group and its optimizer, which numbers all parameters.
#[derive(Debug)]
struct Group {
    numbers: Vec<usize>,
    /// Factor of the learning rate of a step.
    factor: f64,
    /// The learning rate; none: that of the step times the factor.
    rate: Option<f64>,
    optimizer: Box<dyn Optimize>,
}

/// One optimizer for each group.
#[derive(Debug)]
struct Grouped(Vec<Group>);

/// The optimizer of a blueprint with its parameter groups; `make` makes that of a blueprint without. Frozen parameters
/// get no gradients from here on.
///
/// # Errors
/// Returns the error of `make`, or one if a group has no parameters.
pub fn grouped(
    blueprint: &Blueprint,
    store: &ParameterStore,
    make: MakeOptimizer<'_>,
) -> Result<Box<dyn Optimize>> {
    let groups = &blueprint.parameter_groups;
    if groups.is_empty() {
        return make(blueprint);
    }
    let mut all = Vec::new();
    let of = |name: &str| groups.iter().position(|group| matches(&group.parameters, name));
    let names: Vec<&str> = store.trainable().map(|parameter| parameter.name.as_str()).collect();
    let mut numbered: Vec<Vec<usize>> = vec![Vec::new(); groups.len() + 1];
    for (number, name) in names.iter().enumerate() {
        numbered[of(name).unwrap_or(groups.len())].push(number);
    }
    let rest = ParameterGroup::default();
    for (i, (group, numbers)) in groups.iter().chain([&rest]).zip(numbered).enumerate() {
        if numbers.is_empty() && i < groups.len() {
            let why = format!(
                "no parameter is left for `{}`; names are such as {:?}",
                group.parameters,
                names.first()
            );
            return Err(Error::parameter("parameter_groups", why));
        }
        if group.frozen {
            for parameter in store.trainable().enumerate().filter(|(n, _)| numbers.contains(n)) {
                let _ = parameter.1.tensor.f_set_requires_grad(false)?;
            }
        }
        let weight_decay = group.weight_decay.unwrap_or(blueprint.weight_decay);
        let optimizer = make(&Blueprint { weight_decay, ..blueprint.clone() })?;
        all.push(Group { numbers, factor: group.learning_rate, rate: None, optimizer });
    }
    Ok(Box::new(Grouped(all)))
}

/// Whether a name fits a pattern, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(first) else { return false };
    (0..=name.len()).filter_map(|at| name.get(at..)).any(|tail| matches(rest, tail))
}

impl Grouped {
    fn first(&self) -> Option<&dyn Optimize> {
        self.0.first().map(|group| &*group.optimizer)
    }
}

impl Optimize for Grouped {
    fn step_unless(
        &mut self,
        store: &ParameterStore,
        learning_rate: f64,
        skip: Option<&Tensor>,
    ) -> Result<()> {
        self.0.iter_mut().for_each(|group| group.optimizer.name_parameters(store));
        self.step_of(&Trained::of(store), learning_rate, skip)
    }

    fn step_of(&mut self, trained: &Trained, learning_rate: f64, skip: Option<&Tensor>) -> Result<()> {
        for group in &mut self.0 {
            let own = trained.only(|number| group.numbers.contains(&number));
            if !own.numbers.is_empty() {
                let rate = group.rate.unwrap_or(learning_rate * group.factor);
                group.optimizer.step_of(&own, rate, skip)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, trained: &Trained) -> Result<()> {
        for group in &mut self.0 {
            group.optimizer.begin(&trained.only(|number| group.numbers.contains(&number)))?;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.0.iter_mut().for_each(|group| group.optimizer.forget());
    }

    fn is_recordable(&self) -> bool {
        self.0.iter().all(|group| group.optimizer.is_recordable())
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        self.first().map(Optimize::settings).unwrap_or_default()
    }

    fn own_settings(&self) -> Config {
        self.first().map(Optimize::own_settings).unwrap_or_default()
    }

    fn state(&self, parameter: usize) -> State {
        let owner = self.0.iter().find(|group| group.numbers.contains(&parameter));
        owner.map(|group| group.optimizer.state(parameter)).unwrap_or_default()
    }

    fn restore(&mut self, parameter: usize, state: State) -> Result<()> {
        let owner = self.0.iter_mut().find(|group| group.numbers.contains(&parameter));
        owner.map_or(Ok(()), |group| group.optimizer.restore(parameter, state))
    }

    fn set_group_rates(&mut self, rates: &[f64]) {
        self.0.iter_mut().zip(rates).for_each(|(group, rate)| group.rate = Some(*rate));
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.0.iter_mut().for_each(|group| group.optimizer.set_momentum(momentum));
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::tch::{Device, Kind};
    use nnunet_plugin_api::{Init, VarFactory};

    use super::super::optimizer;
    use super::*;

    #[test]
    fn patterns_fit_names() {
        for (pattern, name, fits) in [
            ("*", "a.b", true),
            ("seg_outputs.*", "seg_outputs.0.weight", true),
            ("seg_outputs.*", "conv.weight", false),
            ("*.bias", "conv.0.bias", true),
            ("*.bias", "conv.bias.weight", false),
            ("conv.weight", "conv.weight", true),
            ("c*v.*t", "conv.weight", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    /// One parameter is frozen, one learns twice as fast, and the third is as without groups.
    #[test]
    fn groups_have_their_own_rates_and_frozen_ones_stay() {
        let ended = |groups: &[ParameterGroup]| -> Vec<f64> {
            let mut store = ParameterStore::new(Device::Cpu);
            for name in ["frozen.weight", "fast.weight", "other.weight"] {
                drop(store.parameter(name, &[1], Init::Constant { value: 1.0 }).unwrap());
            }
            let blueprint =
                Blueprint { parameter_groups: groups.to_vec(), weight_decay: 0.0, ..Blueprint::default() };
            let mut optimizer = optimizer(&blueprint, &store).unwrap();
            let sum = |store: &ParameterStore| {
                let all: Vec<Tensor> = store.trainable().map(|p| p.tensor.shallow_clone()).collect();
                Tensor::stack(&all, 0).sum(Kind::Float)
            };
            sum(&store).backward();
            optimizer.step(&store, 0.1).unwrap();
            store.trainable().map(|parameter| parameter.tensor.double_value(&[0])).collect()
        };
        let plain = ended(&[]);
        let group = |parameters: &str, learning_rate: f64, frozen: bool| ParameterGroup {
            parameters: parameters.to_owned(),
            learning_rate,
            frozen,
            ..ParameterGroup::default()
        };
        let groups = ended(&[group("frozen.*", 1.0, true), group("fast.*", 2.0, false)]);
        assert_eq!((groups[0], groups[2]), (1.0, plain[2]));
        assert!(((1.0 - groups[1]) - 2.0 * (1.0 - plain[1])).abs() < 1e-6, "{groups:?} {plain:?}");
        let store = ParameterStore::new(Device::Cpu);
        let blueprint =
            Blueprint { parameter_groups: vec![group("nobody", 1.0, false)], ..Blueprint::default() };
        assert!(optimizer(&blueprint, &store).unwrap_err().to_string().contains("no parameter is left"));
    }
}
