//! Learning rates over the epochs, which count from 0.

use nnunet_plugin_api::vocabulary::{Blueprint, LearningRateSchedule};

fn poly(epoch: f64, epochs: f64, initial: f64, exponent: f64) -> f64 {
    initial * (1.0 - epoch / epochs).max(0.0).powf(exponent)
}

/// The rate of an epoch. A plateau schedule starts here and goes on by the losses.
pub(crate) fn rate(epoch: usize, blueprint: &Blueprint) -> f64 {
    let (initial, all) = (blueprint.initial_lr, blueprint.max_num_epochs as f64);
    match &blueprint.lr_schedule {
        LearningRateSchedule::Poly { exponent } => poly(epoch as f64, all, initial, *exponent),
        LearningRateSchedule::Constant | LearningRateSchedule::Plateau { .. } => initial,
        LearningRateSchedule::Steps { epochs } => {
            let passed = epochs.iter().filter(|step| epoch >= **step).count();
            initial * 0.1_f64.powi(passed as i32)
        }
        LearningRateSchedule::StepThenPoly { epochs: [first, _], .. } if epoch < *first => initial,
        LearningRateSchedule::StepThenPoly { epochs: [_, second], exponent } => {
            let left = (all - *second as f64).max(1.0);
            poly(epoch.saturating_sub(*second) as f64, left, 0.1 * initial, *exponent)
        }
        LearningRateSchedule::PolyThenCycle { epochs, exponent, .. } if epoch < *epochs => {
            poly(epoch as f64, *epochs as f64, initial, *exponent)
        }
        LearningRateSchedule::PolyThenCycle { length, lowest, highest, .. } => {
            triangle(epoch % (*length).max(1), *length, *lowest, *highest)
        }
        LearningRateSchedule::WarmUpPoly { epochs, exponent } => {
            // v1 looks at the epoch that has just ended.
            let ended = epoch.saturating_sub(1);
            if ended < *epochs {
                return (ended + 1) as f64 / *epochs as f64 * initial;
            }
            poly((ended - epochs + 1) as f64, all, initial, *exponent)
        }
        LearningRateSchedule::LinearWarmUpPoly { epochs, .. } if epoch < *epochs => {
            (epoch + 1) as f64 / *epochs as f64 * initial
        }
        LearningRateSchedule::LinearWarmUpPoly { epochs, exponent } => {
            poly((epoch - epochs) as f64, (all - *epochs as f64).max(1.0), initial, *exponent)
        }
        LearningRateSchedule::Cosine => {
            initial * 0.5 * (1.0 + (std::f64::consts::PI * epoch as f64 / all).cos())
        }
    }
}

fn triangle(at: usize, length: usize, lowest: f64, highest: f64) -> f64 {
    let rising = (length / 2).max(1);
    let slope = (highest - lowest) / rising as f64;
    if at < rising { lowest + slope * at as f64 } else { highest - slope * (at - rising) as f64 }
}
