//! A learning rate schedule that goes wrong on request.

use nnunet_plugin_api::{
    Component, Config, EpochResults, Info, Kind, Registration, Result, Schedule, SchedulePoint, inventory,
};

use crate::{fault, for_ever, until_cancelled};

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Schedule, "OddSchedule", "The same rate in all epochs.");
    Component::schedule(info, |_| {
        assert_ne!(fault(), "schedule_create", "as requested");
        Ok(Box::new(OddSchedule))
    })
}));

struct OddSchedule;

impl Schedule for OddSchedule {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        match fault().as_str() {
            "schedule_panic" => panic!("the schedule panics as requested"),
            "schedule_nan" => Ok(f64::NAN),
            "schedule_negative" => Ok(-at.initial_lr),
            // The first one is asked for before the epoch begins.
            "schedule_endless" if at.step > 0 => Err(until_cancelled()),
            "schedule_deaf" if at.step > 0 => for_ever(),
            _ => Ok(at.initial_lr),
        }
    }

    fn changes_every_step(&self) -> bool {
        assert_ne!(fault(), "schedule_every_step", "as requested");
        true
    }

    fn epoch_ends(&mut self, _at: &SchedulePoint, _results: &EpochResults) -> Result<()> {
        assert_ne!(fault(), "schedule_epoch_ends", "as requested");
        Ok(())
    }

    fn save_state(&self) -> Result<Config> {
        assert_ne!(fault(), "schedule_save", "as requested");
        Ok(Config::from_iter([("odd".to_owned(), 1.into())]))
    }

    fn load_state(&mut self, _state: Config) -> Result<()> {
        assert_ne!(fault(), "schedule_load", "as requested");
        Ok(())
    }
}
