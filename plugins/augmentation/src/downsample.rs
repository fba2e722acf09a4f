//! Targets for deep supervision at lower resolutions.

use ndarray::{Array4, s};
use nnunet_numerics::stats::round_half_even;

/// A label map (channels, z, y, x), resampled by nearest neighbor to each of the scales of (z, y, x).
#[must_use]
pub fn downsample_labels(seg: &Array4<f32>, scales: &[[f64; 3]]) -> Vec<Array4<f32>> {
    scales.iter().map(|scale| downsample(seg, scale)).collect()
}

fn downsample(seg: &Array4<f32>, scale: &[f64; 3]) -> Array4<f32> {
    let shape: [usize; 3] = std::array::from_fn(|axis| {
        (round_half_even(seg.shape()[axis + 1] as f64 * scale[axis]) as usize).max(1)
    });
    if shape == seg.shape()[1..] {
        return seg.clone();
    }
    let kept: [Vec<usize>; 3] = std::array::from_fn(|axis| nearest(seg.shape()[axis + 1], shape[axis]));
    let mut out = Vec::with_capacity(seg.shape()[0] * shape.iter().product::<usize>());
    for channel in seg.outer_iter() {
        for z in &kept[0] {
            for y in &kept[1] {
                let row = channel.slice(s![*z, *y, ..]);
                out.extend(kept[2].iter().map(|x| row[*x]));
            }
        }
    }
    // As many values as voxels.
    Array4::from_shape_vec((seg.shape()[0], shape[0], shape[1], shape[2]), out).unwrap_or_default()
}

/// The indices along an axis that nearest-neighbor resampling takes.
fn nearest(from: usize, to: usize) -> Vec<usize> {
    let zoom = from as f64 / to as f64;
    (0..to).map(|at| (((at as f64 + 0.5) * zoom) as usize).min(from - 1)).collect()
}
