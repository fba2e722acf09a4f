//! Learning rates over the epochs that no value of the blueprint says. Epochs count from 0.

use nnunet_plugin_api::vocabulary::Blueprint;

/// Exponent of v1's polynomial decay.
const EXPONENT: f64 = 0.9;
/// Epochs before the cycle of the trainers that end with one.
const BEFORE_CYCLE: usize = 1000;
/// Where a cycle starts and ends.
const LOWEST: f64 = 1e-6;
/// Epochs of warm-up.
const WARM_UP: usize = 50;
/// The epochs at which the fixed schedules divide by ten.
const STEPS: [usize; 3] = [500, 675, 850];

fn poly(epoch: f64, epochs: f64, initial: f64) -> f64 {
    initial * (1.0 - epoch / epochs).max(0.0).powf(EXPONENT)
}

/// A tenth after 500, 675 and 850 epochs.
pub(crate) fn steps(epoch: usize, blueprint: &Blueprint) -> f64 {
    let passed = STEPS.iter().filter(|step| epoch >= **step).count();
    blueprint.initial_lr * 0.1_f64.powi(passed as i32)
}

/// A tenth after 500 epochs, then polynomial decay from there after 675.
pub(crate) fn steps_then_poly(epoch: usize, blueprint: &Blueprint) -> f64 {
    let [first, second, _] = STEPS;
    match epoch {
        _ if epoch < first => blueprint.initial_lr,
        _ if epoch < second => 0.1 * blueprint.initial_lr,
        _ => {
            let left = blueprint.max_num_epochs.saturating_sub(second) as f64;
            poly((epoch - second) as f64, left, 0.1 * blueprint.initial_lr)
        }
    }
}

/// 1000 epochs, then up to 1e-3 and down again within 100.
pub(crate) fn cycle_at_end(epoch: usize, blueprint: &Blueprint) -> f64 {
    with_cycle(epoch, blueprint, 100, 1e-3)
}

/// 1000 epochs, then up to 1e-2 and down again within 200.
pub(crate) fn cycle_at_end_2(epoch: usize, blueprint: &Blueprint) -> f64 {
    with_cycle(epoch, blueprint, 200, 1e-2)
}

fn with_cycle(epoch: usize, blueprint: &Blueprint, length: usize, highest: f64) -> f64 {
    if epoch < BEFORE_CYCLE {
        return poly(epoch as f64, BEFORE_CYCLE as f64, blueprint.initial_lr);
    }
    let (rising, at) = (length / 2, epoch % length);
    let slope = (highest - LOWEST) / rising as f64;
    if at < rising { LOWEST + slope * at as f64 } else { highest - slope * (at - rising) as f64 }
}

/// Rises over 50 epochs, then polynomial decay. v1 looks at the epoch that has just ended, so the first two are alike.
pub(crate) fn warm_up(epoch: usize, blueprint: &Blueprint) -> f64 {
    let ended = epoch.saturating_sub(1);
    if ended < WARM_UP {
        return (ended + 1) as f64 / WARM_UP as f64 * blueprint.initial_lr;
    }
    poly((ended - WARM_UP + 1) as f64, blueprint.max_num_epochs as f64, blueprint.initial_lr)
}
