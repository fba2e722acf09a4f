//! Checks of schedules.

use nnunet_plugin_core::vocabulary::EpochReport;
use nnunet_plugin_core::{Config, EpochResults, Error, Make, Result, Schedule, SchedulePoint};

use crate::findings::{Report, same, text};

const EPOCHS: usize = 12;
const STEPS: usize = 3;

pub(crate) fn schedule(make: &Make<dyn Schedule>, report: &mut Report<'_>) {
    let Some(mut first) = report.made("is created from its defaults", make(&Config::new())) else { return };
    let Some(rates) = report.made("has learning rates that are not negative", train(&mut *first, 0)) else {
        return;
    };
    let again = make(&Config::new()).and_then(|mut second| train(&mut *second, 0));
    report.note("has the same learning rates twice", again.map_err(text).and_then(|b| same(&rates, &b)));
    let continued = make(&Config::new()).and_then(|mut before| {
        interrupt(&mut *before)?;
        let mut after = make(&Config::new())?;
        after.load_state(before.save_state()?)?;
        train(&mut *after, EPOCHS / 2)
    });
    let rest = rates[EPOCHS / 2 * STEPS..].to_vec();
    let kept = continued.map_err(text).and_then(|found| same(&rest, &found));
    report.note("continues from its state with the same learning rates", kept);
}

fn point(epoch: usize, step: usize) -> SchedulePoint {
    SchedulePoint { epoch, step, epochs: EPOCHS, steps: STEPS, initial_lr: 0.01, ..SchedulePoint::default() }
}

/// Losses that fall, and then do not.
fn end(schedule: &mut dyn Schedule, epoch: usize) -> Result<()> {
    let train_loss = 1.0 - epoch.min(3) as f64 / 10.0;
    let report =
        EpochReport { epoch, train_loss, validation_loss: train_loss, metric: 0.5, ..EpochReport::default() };
    schedule.epoch_ends(&point(epoch, 0), &EpochResults { report, train_loss_average: train_loss })
}

/// The learning rates of all steps from an epoch on.
fn train(schedule: &mut dyn Schedule, from: usize) -> Result<Vec<f64>> {
    let mut rates = Vec::new();
    for epoch in from..EPOCHS {
        for step in 0..STEPS {
            let asked = if schedule.changes_every_step() { step } else { 0 };
            let rate = schedule.learning_rate(&point(epoch, asked))?;
            if !(rate.is_finite() && rate >= 0.0) {
                return Err(Error::message(format!("{rate} in epoch {epoch}, step {step}")));
            }
            rates.push(rate);
        }
        end(schedule, epoch)?;
    }
    Ok(rates)
}

/// The first half of the epochs.
fn interrupt(schedule: &mut dyn Schedule) -> Result<()> {
    (0..EPOCHS / 2).try_for_each(|epoch| end(schedule, epoch))
}
