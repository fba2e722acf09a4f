//! Targets for deep supervision at lower resolutions.

use ndarray::Array4;
use nnunet_numerics::resize;
use nnunet_numerics::stats::round_half_even;

/// A label map (channels, z, y, x), resampled by nearest neighbor to each of the scales of (z, y, x).
#[must_use]
pub fn downsample_labels(seg: &Array4<f32>, scales: &[[f64; 3]]) -> Vec<Array4<f32>> {
    scales.iter().map(|scale| downsample(seg, scale)).collect()
}

fn downsample(seg: &Array4<f32>, scale: &[f64; 3]) -> Array4<f32> {
    let shape = std::array::from_fn(|axis| {
        (round_half_even(seg.shape()[axis + 1] as f64 * scale[axis]) as usize).max(1)
    });
    if shape == seg.shape()[1..] {
        return seg.clone();
    }
    let mut out = Array4::zeros((seg.shape()[0], shape[0], shape[1], shape[2]));
    for (channel, mut to) in seg.outer_iter().zip(out.outer_iter_mut()) {
        to.assign(&resize(channel, shape, 0));
    }
    out
}
