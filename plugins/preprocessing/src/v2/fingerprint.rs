//! Foreground intensities of a data set (v2 `DatasetFingerprintExtractor`).
//!
//! v2 draws as many voxels of every case, with replacement, and computes statistics of all draws. Here the draws are
//! counted by value, so that memory follows from the foreground and not from the hundred million draws.

use ndarray::{ArrayView3, ArrayView4};
use nnunet_numerics::RandomState;
use nnunet_plugin_core::{Error, Result};
use serde::Serialize;

/// Seed of v2's draw in every case; one generator serves all channels.
const SEED: u32 = 1234;

/// The draws of one channel of a case: intensities, ascending, and how often each was drawn.
pub type Sample = Vec<(f32, u32)>;

/// Statistics of a channel over the data set, in the order in which Python writes them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intensities {
    /// Maximum.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// Minimum.
    pub min: f64,
    /// 0.5th percentile, linear interpolation.
    pub percentile_00_5: f64,
    /// 99.5th percentile, linear interpolation.
    pub percentile_99_5: f64,
    /// Population standard deviation.
    pub std: f64,
}

/// Draws foreground voxels of every channel of a cropped case.
///
/// # Errors
/// Returns an error if an intensity or a label is NaN, or if there are more voxels than 32 bits can count.
pub fn sample_foreground(
    data: ArrayView4<'_, f32>,
    seg: ArrayView3<'_, f32>,
    draws: u32,
) -> Result<Vec<Sample>> {
    if data.iter().any(|value| value.is_nan()) {
        return Err(Error::message("the image has voxels that are not a number (NaN); remove them first"));
    }
    if seg.iter().any(|label| label.is_nan()) {
        return Err(Error::message(
            "the label map has voxels that are not a number (NaN); remove them first",
        ));
    }
    let mut random = RandomState::new(SEED);
    let of_channel = |channel: ArrayView3<'_, f32>| {
        let voxels = channel.into_iter().zip(&seg).filter(|(_, label)| **label > 0.0);
        counted(voxels.map(|(value, _)| *value).collect(), draws, &mut random)
    };
    data.outer_iter().map(of_channel).collect()
}

fn counted(voxels: Vec<f32>, draws: u32, random: &mut RandomState) -> Result<Sample> {
    let size = u32::try_from(voxels.len())
        .map_err(|_| Error::message("the case has more foreground voxels than can be counted"))?;
    if size == 0 {
        return Ok(Sample::new());
    }
    let mut counts = vec![0_u32; voxels.len()];
    for _ in 0..draws {
        counts[random.below(size) as usize] += 1;
    }
    let mut sample: Sample = voxels.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect();
    merge(&mut sample);
    Ok(sample)
}

/// Sorts by intensity and adds up the counts of equal ones.
fn merge(sample: &mut Sample) {
    sample.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    sample.dedup_by(|(value, count), (kept, total)| {
        let same = value == kept;
        if same {
            *total += *count;
        }
        same
    });
    sample.shrink_to_fit();
}

/// Statistics of one channel's draws in all cases; none when nothing was drawn.
#[must_use]
pub fn statistics(cases: &[&Sample]) -> Option<Intensities> {
    let mut all: Vec<(f32, u64)> =
        cases.iter().flat_map(|case| case.iter().map(|(value, count)| (*value, u64::from(*count)))).collect();
    all.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    let total: u64 = all.iter().map(|(_, count)| count).sum();
    let ((min, _), (max, _)) = (*all.first()?, *all.last()?);
    let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
        all.iter().map(|(value, count)| of(f64::from(*value)) * *count as f64).sum()
    };
    let mean = sum(&|value| value) / total as f64;
    let variance = sum(&|value| (value - mean).powi(2)) / total as f64;
    Some(Intensities {
        max: f64::from(max),
        mean,
        median: percentile(&all, total, 50.0),
        min: f64::from(min),
        percentile_00_5: percentile(&all, total, 0.5),
        percentile_99_5: percentile(&all, total, 99.5),
        std: variance.sqrt(),
    })
}

fn percentile(sorted: &[(f32, u64)], total: u64, percent: f64) -> f64 {
    let position = percent / 100.0 * (total - 1) as f64;
    let below = value_at(sorted, position.floor() as u64);
    let above = value_at(sorted, (position.floor() as u64 + 1).min(total - 1));
    below + (above - below) * position.fract()
}

/// The value at a place among all draws in order.
fn value_at(sorted: &[(f32, u64)], mut place: u64) -> f64 {
    for (value, count) in sorted {
        if place < *count {
            return f64::from(*value);
        }
        place -= count;
    }
    f64::NAN
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4};

    use super::*;

    fn case() -> (Array4<f32>, Array3<f32>) {
        let data = Array4::from_shape_fn((2, 2, 3, 4), |(c, z, y, x)| (x + 3 * y + 5 * z + 40 * c) as f32);
        (data, Array3::from_shape_fn((2, 3, 4), |(z, y, x)| ((x + y + z) % 3) as f32))
    }

    /// Values of NumPy: `RandomState(1234).choice` with replacement, channel after channel, then the statistics.
    #[test]
    fn statistics_are_those_of_python() {
        let (data, seg) = case();
        let samples = sample_foreground(data.view(), seg.view(), 1000).unwrap();
        let found: Vec<Intensities> = samples.iter().map(|sample| statistics(&[sample]).unwrap()).collect();
        for (found, wanted) in found.iter().zip([
            [13.0, 7.004, 6.0, 1.0, 1.0, 13.0, 3.43307],
            [53.0, 46.828, 46.0, 41.0, 41.0, 53.0, 3.42526],
        ]) {
            let Intensities { max, mean, median, min, percentile_00_5, percentile_99_5, std } = *found;
            let found = [max, mean, median, min, percentile_00_5, percentile_99_5, std];
            let near = found.iter().zip(wanted).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-4);
            assert!(near, "{found:?} instead of {wanted:?}");
        }
    }

    #[test]
    fn cases_without_foreground_add_nothing() {
        let (data, seg) = case();
        let empty = sample_foreground(data.view(), (&seg * 0.0).view(), 10).unwrap();
        assert_eq!(statistics(&[&empty[0]]), None);
        let full = sample_foreground(data.view(), seg.view(), 10).unwrap();
        assert_eq!(statistics(&[&empty[0], &full[0]]), statistics(&[&full[0]]));
    }

    #[test]
    fn what_is_no_number_is_named() {
        let (mut data, seg) = case();
        data[[0, 0, 0, 0]] = f32::NAN;
        assert!(sample_foreground(data.view(), seg.view(), 10).unwrap_err().to_string().contains("NaN"));
    }
}
