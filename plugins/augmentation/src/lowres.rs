//! Simulated low resolution.

use ndarray::ArrayViewMut3;
use nnunet_numerics::resize;
use nnunet_numerics::stats::round_half_even;

/// Shrinks a channel by nearest neighbour and enlarges it again with a cubic spline. `keep_first` leaves z alone.
pub fn simulate_low_resolution(mut channel: ArrayViewMut3<'_, f32>, zoom: f64, keep_first: bool) {
    let shape = [channel.shape()[0], channel.shape()[1], channel.shape()[2]];
    let mut small = shape.map(|len| (round_half_even(len as f64 * zoom) as usize).max(1));
    if keep_first || shape[0] == 1 {
        small[0] = shape[0];
    }
    let down = resize(channel.view(), small, 0);
    channel.assign(&resize(down.view(), shape, 3));
}
