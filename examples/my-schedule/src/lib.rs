//! A schedule that follows results: the learning rate halves whenever the validation loss has not fallen, and a trainer that
//! uses it.

use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, LearningRateSchedule};
use nnunet_plugin_api::{
    Component, Config, EpochResults, Error, Info, Kind, Registration, Result, Schedule, SchedulePoint,
    Trainer, TrainerContext, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Schedule, "Halving", "Halves the rate if the validation loss has not fallen.");
    Component::schedule(info, |_config| Ok(Box::new(Halving { rate: None, lowest: None })))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "WithHalving", "nnUNetTrainerV2 with the schedule Halving.");
    Component::trainer(info, |_config| Ok(Box::new(WithHalving)))
}));

struct WithHalving;

impl Trainer for WithHalving {
    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        blueprint.lr_schedule = LearningRateSchedule::Other(ComponentChoice::named("Halving"));
        Ok(())
    }
}

struct Halving {
    rate: Option<f64>,
    lowest: Option<f64>,
}

impl Schedule for Halving {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        Ok(self.rate.unwrap_or(at.initial_lr))
    }

    fn epoch_ends(&mut self, at: &SchedulePoint, results: &EpochResults) -> Result<()> {
        let loss = results.report.validation_loss;
        let has_fallen = self.lowest.is_none_or(|lowest| loss < lowest);
        let rate = self.learning_rate(at)?;
        self.rate = Some(if has_fallen { rate } else { rate / 2.0 });
        self.lowest = if has_fallen { Some(loss) } else { self.lowest };
        Ok(())
    }

    fn save_state(&self) -> Result<Config> {
        let values = [("rate", self.rate), ("lowest", self.lowest)];
        Ok(values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }

    fn load_state(&mut self, state: Config) -> Result<()> {
        let value = |name: &str| state.get(name).ok_or_else(|| Error::message(format!("no {name}")));
        (self.rate, self.lowest) = (value("rate")?.as_f64(), value("lowest")?.as_f64());
        Ok(())
    }
}
