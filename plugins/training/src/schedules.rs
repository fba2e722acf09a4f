//! Learning rates: the schedules of a training, one for each parameter group and one for all other parameters.

use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice};
use nnunet_plugin_api::{Config, EpochReport, EpochResults, Error, Result, Schedule, SchedulePoint};
use nnunet_trainers::Resolved;

/// Makes a schedule.
type MakeSchedule<'a> = &'a dyn Fn(&ComponentChoice) -> Result<Box<dyn Schedule>>;

/// The schedules of a training.
#[derive(Debug)]
pub struct Schedules {
    /// In the order of the blueprint's parameter groups; the last is for parameters of no group.
    groups: Vec<Group>,
}

struct Group {
    pattern: String,
    /// Factor of the learning rate.
    factor: f64,
    schedule: Box<dyn Schedule>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("pattern", &self.pattern).finish_non_exhaustive()
    }
}

/// Learning rates of a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rates {
    /// Of each parameter group, then of the parameters of no group.
    pub(crate) groups: Vec<f64>,
    /// Whether those of the next step may be others.
    pub(crate) may_change: bool,
}

impl Rates {
    /// The rate of the parameters of no group.
    pub(crate) fn main(&self) -> f64 {
        self.groups.last().copied().unwrap_or_default()
    }

    /// All rates times a factor.
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        self.groups.iter_mut().for_each(|rate| *rate *= factor);
        self
    }
}

impl Schedules {
    /// The schedules of a blueprint; `make` makes each.
    ///
    /// # Errors
    /// Returns the error of `make`.
    pub fn new(blueprint: &Blueprint, make: MakeSchedule<'_>) -> Result<Self> {
        let main = &blueprint.lr_schedule;
        let groups = blueprint.parameter_groups.iter().map(|group| {
            let schedule = group.lr_schedule.as_ref().unwrap_or(main);
            (group.parameters.clone(), group.learning_rate, schedule)
        });
        let groups = groups.chain([(String::new(), 1.0, main)]).map(|(pattern, factor, schedule)| {
            Ok(Group { pattern, factor, schedule: make(&schedule.choice()?)? })
        });
        Ok(Self { groups: groups.collect::<Result<_>>()? })
    }

    /// The schedules of a blueprint, if all are built in.
    ///
    /// # Errors
    /// Returns an error for another schedule, or one that refuses its parameters.
    pub fn built_in(blueprint: &Blueprint) -> Result<Self> {
        Self::new(blueprint, &nnunet_schedules::built_in)
    }

    /// The learning rates of a step.
    pub(crate) fn rates(&self, trainer: &Resolved, epoch: usize, step: usize) -> Result<Rates> {
        let of_epoch = trainer.learning_rate(epoch)?;
        let mut rates = Rates { groups: Vec::new(), may_change: false };
        for group in &self.groups {
            let at = group.point(&trainer.blueprint, epoch, step);
            let scheduled = match of_epoch {
                Some(rate) => rate * group.factor,
                None => group.schedule.learning_rate(&at)?,
            };
            rates.may_change |= of_epoch.is_none() && group.schedule.changes_every_step();
            let changed = trainer.learning_rate_at(&at, scheduled)?;
            rates.may_change |= changed.is_some();
            let rate = changed.unwrap_or(scheduled);
            if !(rate.is_finite() && rate >= 0.0) {
                return Err(Error::message(format!("learning rate {rate} of epoch {epoch}, step {step}")));
            }
            rates.groups.push(rate);
        }
        Ok(rates)
    }

    /// Tells the schedules how an epoch ended.
    pub(crate) fn epoch_ends(
        &mut self,
        blueprint: &Blueprint,
        report: EpochReport,
        train_loss_average: f64,
    ) -> Result<()> {
        let results = EpochResults { report, train_loss_average };
        for group in &mut self.groups {
            let at = group.point(blueprint, report.epoch, 0);
            group.schedule.epoch_ends(&at, &results)?;
        }
        Ok(())
    }

    /// What each schedule keeps, in the order of the groups.
    ///
    /// # Errors
    /// Returns the error of a schedule.
    pub fn save_state(&self) -> Result<Vec<Config>> {
        self.groups.iter().map(|group| group.schedule.save_state()).collect()
    }

    /// Gives the schedules their states. States of other parameter groups than these are an error.
    ///
    /// # Errors
    /// Returns the error of a schedule.
    pub fn load_state(&mut self, states: Vec<Config>) -> Result<()> {
        let (found, wanted) = (states.len(), self.groups.len());
        if found != wanted {
            let why = format!("states of {found} learning rate schedules, and the trainer has {wanted}");
            return Err(Error::message(why));
        }
        self.groups.iter_mut().zip(states).try_for_each(|(group, state)| group.schedule.load_state(state))
    }
}

impl Group {
    fn point(&self, blueprint: &Blueprint, epoch: usize, step: usize) -> SchedulePoint {
        SchedulePoint {
            epoch,
            step,
            epochs: blueprint.max_num_epochs,
            steps: blueprint.num_batches_per_epoch,
            initial_lr: blueprint.initial_lr * self.factor,
            group: self.pattern.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::vocabulary::{LearningRateSchedule, ParameterGroup};
    use nnunet_plugin_api::{Trainer, TrainerContext};

    use super::*;

    /// Poly, with a constant rate for `a`, and half the rate in the second half of every epoch if `halved`.
    struct Grouped {
        halved: bool,
    }

    impl Trainer for Grouped {
        fn extends(&self) -> String {
            String::new()
        }

        fn configure(&self, blueprint: &mut Blueprint, _: &TrainerContext) -> Result<()> {
            blueprint.max_num_epochs = 2;
            blueprint.num_batches_per_epoch = 4;
            blueprint.initial_lr = 1.0;
            blueprint.lr_schedule = LearningRateSchedule::Poly { exponent: 1.0 };
            let group = |parameters: &str, learning_rate, lr_schedule| ParameterGroup {
                parameters: parameters.to_owned(),
                learning_rate,
                lr_schedule,
                ..ParameterGroup::default()
            };
            blueprint.parameter_groups =
                vec![group("a", 1.0, Some(LearningRateSchedule::Constant)), group("b", 3.0, None)];
            Ok(())
        }

        fn learning_rate_at(&self, at: &SchedulePoint, rate: f64) -> Result<Option<f64>> {
            Ok(self.halved.then_some(if at.step < 2 { rate } else { rate / 2.0 }))
        }
    }

    fn rates(halved: bool, epoch: usize, step: usize) -> Rates {
        let lookup = |_: &str| -> Result<Box<dyn Trainer>> { Ok(Box::new(Grouped { halved })) };
        let trainer = nnunet_trainers::resolve("grouped", &TrainerContext::default(), &lookup).unwrap();
        Schedules::built_in(&trainer.blueprint).unwrap().rates(&trainer, epoch, step).unwrap()
    }

    #[test]
    fn every_group_has_its_rate_and_trainers_may_change_it() {
        assert_eq!(rates(false, 1, 3), Rates { groups: vec![1.0, 1.5, 0.5], may_change: false });
        assert_eq!(rates(true, 1, 1).groups, [1.0, 1.5, 0.5]);
        assert_eq!(rates(true, 1, 2), Rates { groups: vec![0.5, 0.75, 0.25], may_change: true });
        assert_eq!(rates(true, 1, 2).scaled(2.0).main(), 0.5);
    }

    #[test]
    fn states_belong_to_the_groups() {
        let blueprint = Blueprint {
            lr_schedule: LearningRateSchedule::Plateau { factor: 0.5, patience: 0, threshold: 0.0 },
            parameter_groups: vec![ParameterGroup::default()],
            ..Blueprint::default()
        };
        let mut schedules = Schedules::built_in(&blueprint).unwrap();
        schedules.epoch_ends(&blueprint, EpochReport::default(), 1.0).unwrap();
        let states = schedules.save_state().unwrap();
        assert_eq!((states.len(), &states[1]["best"]), (2, &1.0.into()));
        let mut other = Schedules::built_in(&blueprint).unwrap();
        other.load_state(states.clone()).unwrap();
        assert_eq!(other.save_state().unwrap(), states);
        assert!(other.load_state(Vec::new()).is_err());
    }
}
