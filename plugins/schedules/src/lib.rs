//! Schedules of the learning rate. Epochs count from 0.

mod cosine;
mod cyclic;
mod plateau;
mod poly;
mod steps;
mod warm_up;

use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{Error, Factory, Kind, Registration, Result, Schedule, SchedulePoint, inventory};

pub use plateau::Plateau;

/// A built-in schedule by name. A program that knows plugins asks its registry instead.
///
/// # Errors
/// Returns an error if there is no such schedule, or if it refuses its parameters.
pub fn built_in(choice: &ComponentChoice) -> Result<Box<dyn Schedule>> {
    let mut all = inventory::iter::<Registration>().map(|registration| (registration.0)());
    let found = all.find(|c| c.info.kind == Kind::Schedule && c.info.name == choice.name);
    match found.map(|component| component.factory) {
        Some(Factory::Schedule(make)) => make(&choice.parameters),
        _ => Err(Error::message(format!("there is no schedule `{}`", choice.name))),
    }
}

/// `initial` at 0, and 0 at `end`.
fn poly(position: f64, end: f64, initial: f64, exponent: f64) -> f64 {
    initial * (1.0 - position / end).max(0.0).powf(exponent)
}

/// Epochs done; with the part of the present one for schedules that change every step.
fn position(at: &SchedulePoint, per_step: bool) -> f64 {
    if per_step { at.position() } else { at.epoch as f64 }
}

/// A rate that rises linearly over some epochs, and has risen by one part before the first; none after them.
fn rising(at: &SchedulePoint, epochs: usize, per_step: bool) -> Option<f64> {
    if at.epoch >= epochs {
        return None;
    }
    let done = if per_step { at.position() + 1.0 / at.steps.max(1) as f64 } else { (at.epoch + 1) as f64 };
    Some(done / epochs as f64 * at.initial_lr)
}

/// Registers a schedule: its parameters are its fields.
macro_rules! schedule {
    ($type:ident, $name:literal, $summary:literal, $description:literal) => {
        nnunet_plugin_core::inventory::submit!(nnunet_plugin_core::Registration(|| {
            let info = nnunet_plugin_core::Info::new(nnunet_plugin_core::Kind::Schedule, $name, $summary)
                .describe($description)
                .with_config::<$type>();
            nnunet_plugin_core::Component::schedule(info, |config| {
                Ok(Box::new(nnunet_plugin_core::parse_config::<$type>(config)?))
            })
        }));
    };
}
use schedule;

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates of a schedule at the beginning of some epochs, with an initial rate of 1.
    pub(crate) fn rates(schedule: &dyn Schedule, epochs: usize, of: &[usize]) -> Vec<f64> {
        let at = |epoch: &usize| SchedulePoint {
            epoch: *epoch,
            epochs,
            steps: 4,
            initial_lr: 1.0,
            ..SchedulePoint::default()
        };
        of.iter().map(|epoch| schedule.learning_rate(&at(epoch)).unwrap()).collect()
    }

    /// Rates that differ by less than rounding.
    pub(crate) fn close(found: &[f64], wanted: &[f64]) {
        let near = found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near && found.len() == wanted.len(), "{found:?} instead of {wanted:?}");
    }

    #[test]
    fn schedules_are_found_by_name_and_say_what_they_refuse() {
        let steps = built_in(&ComponentChoice::named("steps")).unwrap();
        assert_eq!(rates(&*steps, 10, &[0, 9]), [1.0, 1.0]);
        let mut choice = ComponentChoice::named("poly");
        choice.parameters.insert("exponent".to_owned(), "high".into());
        let error = built_in(&choice).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("exponent"), "{error}");
        assert!(built_in(&ComponentChoice::named("polly")).is_err());
    }
}
