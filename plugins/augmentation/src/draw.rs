//! Drawing random parameters.

use ndarray::{Array4, ArrayViewMut3};
use nnunet_plugin_core::RandomStream;

/// Lower and upper bound.
pub type Interval = [f64; 2];

/// Draws from a uniform distribution over an interval.
pub(crate) fn draw([low, high]: Interval, random: &mut RandomStream) -> f64 {
    random.uniform(low, high)
}

/// What each of some channels gets, with probability `p` each.
pub(crate) fn per_channel<T>(
    channels: usize,
    p: f64,
    random: &mut RandomStream,
    mut draw: impl FnMut(&mut RandomStream) -> T,
) -> Vec<Option<T>> {
    (0..channels).map(|_| random.chance(p).then(|| draw(random))).collect()
}

/// Calls `change` for each channel with probability `p`.
pub(crate) fn channels(
    data: &mut Array4<f32>,
    p: f64,
    random: &mut RandomStream,
    mut change: impl FnMut(ArrayViewMut3<'_, f32>, &mut RandomStream),
) {
    for channel in data.outer_iter_mut() {
        if random.chance(p) {
            change(channel, random);
        }
    }
}
