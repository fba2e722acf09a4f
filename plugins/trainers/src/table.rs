//! v1's trainers as components: each is a row of [`TABLES`].

use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{Component, Info, Kind, Registration, Result, Trainer, TrainerContext, inventory};

use crate::tables::TABLES;

/// A trainer that changes values, and perhaps the learning rate over the epochs.
pub(crate) struct Table {
    /// v1's class.
    pub name: &'static str,
    /// The trainer whose values it starts from.
    pub extends: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// What it changes.
    pub change: fn(&mut Blueprint, &TrainerContext),
    /// Learning rate of an epoch, when it is not the blueprint's schedule.
    pub learning_rate: Option<fn(usize, &Blueprint) -> f64>,
}

struct FromTable(&'static Table);

impl Trainer for FromTable {
    fn extends(&self) -> String {
        self.0.extends.to_owned()
    }

    fn configure(&self, blueprint: &mut Blueprint, context: &TrainerContext) -> Result<()> {
        (self.0.change)(blueprint, context);
        Ok(())
    }

    fn learning_rate(&self, epoch: usize, blueprint: &Blueprint) -> Result<Option<f64>> {
        Ok(self.0.learning_rate.map(|rate| rate(epoch, blueprint)))
    }
}

fn component<const I: usize>() -> Component {
    let table = &TABLES[I];
    Component::trainer(Info::new(Kind::Trainer, table.name, table.summary), |_| {
        Ok(Box::new(FromTable(table)))
    })
}

macro_rules! submit {
    ($($i:literal)*) => {
        $(inventory::submit!(Registration(component::<$i>));)*

        #[cfg(test)]
        const SUBMITTED: &[usize] = &[$($i),*];
    };
}

submit!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60);

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::vocabulary::{Optimizer, Plans};
    use nnunet_plugin_api::{Error, Factory};

    use super::*;
    use crate::{Resolved, resolve};

    fn resolved(name: &str, configuration: &str) -> Resolved {
        let lookup = |name: &str| {
            let found = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name);
            match found.map(|component| component.factory) {
                Some(Factory::Trainer(make)) => make(&Default::default()),
                _ => Err(Error::message(format!("no {name}"))),
            }
        };
        let context =
            TrainerContext { configuration: configuration.to_owned(), plans: Plans::default(), stage: 0 };
        resolve(name, &context, &lookup).unwrap()
    }

    #[test]
    fn every_table_resolves_under_its_own_name() {
        assert_eq!(SUBMITTED.len(), TABLES.len());
        for table in &TABLES {
            let trainer = resolved(table.name, "3d_fullres");
            assert_eq!(trainer.names.first().map(String::as_str), Some("nnUNetTrainerV2"));
            assert_eq!(trainer.names.last().map(String::as_str), Some(table.name));
        }
    }

    #[test]
    fn values_are_inherited_and_changed() {
        let dice = resolved("nnUNetTrainerV2_Loss_DicewithBG_LR1en3", "3d_fullres").blueprint;
        assert_eq!((dice.loss.name.as_str(), dice.initial_lr), ("SoftDiceLoss", 1e-3));
        assert_eq!(dice.loss.parameters["do_bg"], true);
        let momentum = |configuration: &str| {
            let Optimizer::Sgd { momentum, .. } =
                resolved("nnUNetTrainerV2_momentum09in2D", configuration).blueprint.optimizer
            else {
                return f64::NAN;
            };
            momentum
        };
        assert_eq!((momentum("2d"), momentum("3d_fullres")), (0.9, 0.99));
    }

    #[test]
    fn learning_rates_are_those_of_v1() {
        let rate = |name: &str, epoch: usize| {
            resolved(&format!("nnUNetTrainerV2_{name}"), "3d_fullres").learning_rate(epoch).unwrap()
        };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} instead of {b}");
        close(rate("warmup", 0), 2e-4);
        close(rate("warmup", 1), 2e-4);
        close(rate("warmup", 50), 1e-2);
        close(rate("warmup", 1049), 0.01 * (1.0_f64 - 999.0 / 1050.0).powf(0.9));
        close(rate("SGD_fixedSchedule", 600), 1e-3);
        close(rate("SGD_fixedSchedule", 900), 1e-5);
        close(rate("SGD_fixedSchedule2", 675), 1e-3);
        close(rate("cycleAtEnd", 1000), 1e-6);
        close(rate("cycleAtEnd", 1050), 1e-3);
        close(rate("cycleAtEnd2", 1100), 1e-2);
        close(rate("Loss_CE", 500), 0.01 * 0.5_f64.powf(0.9));
    }
}
