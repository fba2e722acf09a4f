//! Targets for deep supervision at lower resolutions.

use ndarray::{Array4, s};
use nnunet_numerics::stats::round_half_even;

/// A label map (channels, z, y, x), resampled by nearest neighbor to each of the scales of (z, y, x).
#[must_use]
pub fn downsample_labels(seg: &Array4<f32>, scales: &[[f64; 3]]) -> Vec<Array4<f32>> {
    scales.iter().map(|scale| downsample(seg, scale)).collect()
}

fn downsample(seg: &Array4<f32>, scale: &[f64; 3]) -> Array4<f32> {
    let mut out = Vec::new();
    let [z, y, x] = downsample_into(seg, scale, |label| label, &mut out);
    // As many values as voxels.
    Array4::from_shape_vec((seg.shape()[0], z, y, x), out).unwrap_or_default()
}

/// Appends the labels at a lower resolution to `out`, changed by `convert`; returns the shape (z, y, x).
pub fn downsample_into<T>(
    seg: &Array4<f32>,
    scale: &[f64; 3],
    convert: impl Fn(f32) -> T,
    out: &mut Vec<T>,
) -> [usize; 3] {
    let shape: [usize; 3] = std::array::from_fn(|axis| {
        (round_half_even(seg.shape()[axis + 1] as f64 * scale[axis]) as usize).max(1)
    });
    out.reserve(seg.shape()[0] * shape.iter().product::<usize>());
    if let Some(all) = seg.as_slice().filter(|_| shape == seg.shape()[1..]) {
        out.extend(all.iter().map(|label| convert(*label)));
        return shape;
    }
    let kept: [Vec<usize>; 3] = std::array::from_fn(|axis| nearest(seg.shape()[axis + 1], shape[axis]));
    for channel in seg.outer_iter() {
        for z in &kept[0] {
            for y in &kept[1] {
                let row = channel.slice(s![*z, *y, ..]);
                match row.as_slice() {
                    Some(row) => out.extend(kept[2].iter().map(|x| convert(row[*x]))),
                    None => out.extend(kept[2].iter().map(|x| convert(row[*x]))),
                }
            }
        }
    }
    shape
}

/// The indices along an axis that nearest-neighbor resampling takes.
fn nearest(from: usize, to: usize) -> Vec<usize> {
    let zoom = from as f64 / to as f64;
    (0..to).map(|at| (((at as f64 + 0.5) * zoom) as usize).min(from - 1)).collect()
}
