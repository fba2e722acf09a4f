//! How long a training will take, and when it will be done.

use std::time::{Duration, Instant};

use nnunet_engine::clock;

/// Steps that are measured before the first estimate, after one in which libtorch chooses its kernels.
const MEASURED: usize = 10;
/// A validation step computes no gradients.
const VALIDATION_SHARE: f64 = 0.4;
/// Epochs whose mean time is that of the epochs to come.
const RECENT: usize = 5;

/// Measures the steps of the first epoch, and then whole epochs.
#[derive(Default)]
pub(super) struct RemainingTime {
    first_step: Option<Instant>,
    has_estimated: bool,
    /// Seconds of an epoch by the steps of the first one.
    estimate: Option<f64>,
    epochs: Vec<f64>,
}

impl RemainingTime {
    /// Notes that a step of the first epoch is done. Once enough steps are, returns the seconds that an epoch will take.
    pub(super) fn step(&mut self, step: usize, steps: usize, validation_steps: usize) -> Option<f64> {
        if self.has_estimated {
            return None;
        }
        let Some(first) = self.first_step else {
            self.first_step = Some(Instant::now());
            return None;
        };
        let measured = MEASURED.min(steps - 1);
        if step < measured {
            return None;
        }
        self.has_estimated = true;
        let each = first.elapsed().as_secs_f64() / step as f64;
        self.estimate = Some(each * (steps as f64 + VALIDATION_SHARE * validation_steps as f64));
        self.estimate
    }

    /// Notes the time of an epoch.
    pub(super) fn epoch(&mut self, seconds: f64) {
        self.has_estimated = true;
        self.epochs.push(seconds);
    }

    /// The time that so many epochs will take, by the mean of the last ones, or by the estimate made in the first one;
    /// none before that.
    pub(super) fn of(&self, epochs: usize) -> Option<Duration> {
        let recent = &self.epochs[self.epochs.len().saturating_sub(RECENT)..];
        let mean = recent.iter().sum::<f64>() / recent.len() as f64;
        let epoch = if recent.is_empty() { self.estimate? } else { mean };
        Some(seconds(epoch * epochs as f64))
    }
}

/// Seconds as a duration; too many are as many as there can be.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// `3 d 4 h`, `4 h 10 min`, `12 min` or `40 s`.
pub(super) fn readable(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Some time, and when it will have passed: `4 h 10 min, until 2026-01-31 18:30`.
pub(super) fn until(time: Duration) -> String {
    let end = clock::after(time, "%Y-%m-%d %H:%M").map(|end| format!(", until {end}"));
    readable(time) + &end.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_two_units() {
        for (seconds, text) in
            [(40, "40 s"), (12 * 60 + 5, "12 min"), (15_000, "4 h 10 min"), (273_600, "3 d 4 h")]
        {
            assert_eq!(readable(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn the_estimate_follows_the_last_epochs() {
        let mut time = RemainingTime::default();
        assert_eq!(time.of(10), None);
        time.epoch(1000.0);
        assert_eq!(time.of(10), Some(Duration::from_secs(10_000)));
        (0..5).for_each(|_| time.epoch(2.0));
        assert_eq!(time.of(10), Some(Duration::from_secs(20)));
    }

    #[test]
    fn one_estimate_is_made_in_the_first_epoch() {
        let mut time = RemainingTime::default();
        let found: Vec<_> = (0..20).filter_map(|step| time.step(step, 20, 5)).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(time.of(2), Some(seconds(2.0 * found[0])), "before the first epoch is done");
        let mut short = RemainingTime::default();
        assert_eq!((0..4).filter_map(|step| short.step(step, 4, 1)).count(), 1);
        assert_eq!((0..1).filter_map(|step| RemainingTime::default().step(step, 1, 1)).count(), 0);
    }
}
