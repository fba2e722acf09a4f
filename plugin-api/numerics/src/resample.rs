//! v1's resampling (`nnunet.preprocessing.preprocessing`): plain, or with one axis on its own where spacing is very
//! anisotropic.

use ndarray::{Array3, Array4, ArrayView3, ArrayView4, Axis};
use rayon::prelude::*;

use crate::axis::AxisTaps;
use crate::elsewhere;
use crate::label_resize::resize_labels;
use crate::resampling::Resampling;
use crate::resize::resize;
use crate::spline::{Boundary, EDGE_PADDING, filter_line};
use crate::stats::round_half_even;

/// Spacing ratio above which an axis is resampled on its own.
const ANISOTROPY_THRESHOLD: f64 = 3.0;

/// The axis to resample on its own: `force` decides, else the original spacing, else the target spacing.
///
/// ```
/// use nnunet_numerics::separate_axis;
///
/// assert_eq!(separate_axis([1.0; 3], [4.0, 1.0, 1.0], None), Some(0), "the target is anisotropic");
/// assert_eq!(separate_axis([1.0; 3], [4.0, 1.0, 1.0], Some(false)), None);
/// ```
#[must_use]
pub fn separate_axis(original: [f64; 3], target: [f64; 3], force: Option<bool>) -> Option<usize> {
    separate_axis_above(original, target, force, ANISOTROPY_THRESHOLD)
}

/// As [`separate_axis`], for another ratio of the largest to the smallest spacing than 3.
///
/// ```
/// use nnunet_numerics::separate_axis_above;
///
/// let thick = [4.0, 1.0, 1.0];
/// assert_eq!(separate_axis_above(thick, [1.0; 3], None, 3.0), Some(0));
/// assert_eq!(separate_axis_above(thick, [1.0; 3], None, 5.0), None);
/// ```
#[must_use]
pub fn separate_axis_above(
    original: [f64; 3],
    target: [f64; 3],
    force: Option<bool>,
    threshold: f64,
) -> Option<usize> {
    match force {
        Some(false) => None,
        Some(true) => largest_axis(original),
        None if is_anisotropic(original, threshold) => largest_axis(original),
        None if is_anisotropic(target, threshold) => largest_axis(target),
        None => None,
    }
}

/// The axis of largest spacing when it exceeds the smallest more than threefold and is alone.
#[must_use]
pub fn separate_axis_of(spacing: [f64; 3]) -> Option<usize> {
    if is_anisotropic(spacing, ANISOTROPY_THRESHOLD) { largest_axis(spacing) } else { None }
}

fn is_anisotropic(spacing: [f64; 3], threshold: f64) -> bool {
    let low = spacing.iter().copied().fold(f64::INFINITY, f64::min);
    let high = spacing.iter().copied().fold(0.0, f64::max);
    high / low > threshold
}

fn largest_axis(spacing: [f64; 3]) -> Option<usize> {
    let high = spacing.iter().copied().fold(0.0, f64::max);
    let mut axes = (0..3).filter(|axis| spacing[*axis] == high);
    let axis = axes.next();
    if axes.next().is_some() { None } else { axis }
}

/// Size after going from one spacing to another: rounded half to even.
///
/// ```
/// use nnunet_numerics::resampled_shape;
///
/// assert_eq!(resampled_shape([10, 20, 5], [2.0, 1.0, 1.0], [1.0, 1.0, 2.0]), [20, 20, 2]);
/// ```
#[must_use]
pub fn resampled_shape(shape: [usize; 3], from: [f64; 3], to: [f64; 3]) -> [usize; 3] {
    std::array::from_fn(|axis| (round_half_even(from[axis] / to[axis] * shape[axis] as f64) as usize).max(1))
}

/// Resamples the channels of an image, (channels, z, y, x), to `shape`.
#[must_use]
pub fn resample(data: ArrayView4<'_, f32>, shape: [usize; 3], how: Resampling) -> Array4<f32> {
    if data.shape()[1..] == shape {
        return data.to_owned();
    }
    if let Some(done) = elsewhere::resampled(data, shape, how) {
        return done;
    }
    let mut values = Vec::with_capacity(data.shape()[0] * shape.iter().product::<usize>());
    for channel in data.outer_iter() {
        let resized = match how.separate {
            None => resize(channel, shape, how.order),
            Some(axis) => along_axis(
                in_plane(channel, shape, axis, |slice, shape| resize(slice, shape, how.order)),
                axis,
                shape[axis],
                how.order_z,
            ),
        };
        append(&mut values, resized);
    }
    // Every channel has brought the same number of voxels.
    Array4::from_shape_vec((data.shape()[0], shape[0], shape[1], shape[2]), values).unwrap_or_default()
}

/// Appends a C-order array; the first one becomes the whole without a copy.
fn append(values: &mut Vec<f32>, array: Array3<f32>) {
    let (mut more, _) = array.into_raw_vec_and_offset();
    if values.is_empty() { *values = more } else { values.append(&mut more) }
}

/// Resamples a label map, (z, y, x), to `shape`.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Resampling, resample_labels};
///
/// let how = Resampling { order: 1, order_z: 0, separate: None };
/// let labels = Array3::from_elem((2, 4, 4), 3.0);
/// let finer = resample_labels(labels.view(), [4, 8, 8], how);
/// assert!(finer.iter().all(|label| *label == 3.0));
/// ```
#[must_use]
pub fn resample_labels(labels: ArrayView3<'_, f32>, shape: [usize; 3], how: Resampling) -> Array3<f32> {
    if labels.shape() == shape {
        return labels.to_owned();
    }
    let Some(axis) = how.separate else {
        return resize_labels(labels, shape, how.order);
    };
    let plane = in_plane(labels, shape, axis, |slice, shape| resize_labels(slice, shape, how.order));
    if how.order_z == 0 || plane.shape()[axis] == shape[axis] {
        return along_axis(plane, axis, shape[axis], 0);
    }
    labels_along_axis(&plane, axis, shape, how.order_z)
}

/// Every slice across `axis` on its own.
pub(crate) fn in_plane(
    volume: ArrayView3<'_, f32>,
    shape: [usize; 3],
    axis: usize,
    resize_slice: impl Fn(ArrayView3<'_, f32>, [usize; 3]) -> Array3<f32> + Sync,
) -> Array3<f32> {
    let mut slice_shape = shape;
    slice_shape[axis] = 1;
    let slices: Vec<Array3<f32>> = (0..volume.shape()[axis])
        .into_par_iter()
        .map(|i| resize_slice(volume.slice_axis(Axis(axis), (i..=i).into()), slice_shape))
        .collect();
    let mut whole = shape;
    whole[axis] = slices.len();
    let mut out = Array3::zeros(whole);
    for (mut to, slice) in out.axis_iter_mut(Axis(axis)).zip(&slices) {
        to.assign(&slice.index_axis(Axis(axis), 0));
    }
    out
}

/// `scipy.ndimage.map_coordinates(mode="nearest")` along one axis.
pub(crate) fn along_axis(volume: Array3<f32>, axis: usize, to: usize, order: u32) -> Array3<f32> {
    let n = volume.shape()[axis];
    if n == to {
        return volume;
    }
    let taps = AxisTaps::resize(n, to, order);
    let mut shape = [volume.shape()[0], volume.shape()[1], volume.shape()[2]];
    shape[axis] = to;
    let mut out = Array3::zeros(shape);
    let mut line = Vec::new();
    ndarray::Zip::from(out.lanes_mut(Axis(axis))).and(volume.lanes(Axis(axis))).for_each(|mut to, from| {
        line.clear();
        line.extend((0..n + 2 * EDGE_PADDING).map(|k| from[k.saturating_sub(EDGE_PADDING).min(n - 1)]));
        if order > 1 {
            filter_line(&mut line, Boundary::Edge);
        }
        for (value, tap) in to.iter_mut().zip(&taps.taps) {
            let sum: f64 = (0..taps.width)
                .map(|k| {
                    let at = (tap.first + (k + EDGE_PADDING) as isize).clamp(0, line.len() as isize - 1);
                    tap.weights[k] * f64::from(line[at as usize])
                })
                .sum();
            *value = sum as f32;
        }
    });
    out
}

/// Label by label along one axis: the last label whose indicator rounds to more than one half stays.
fn labels_along_axis(plane: &Array3<f32>, axis: usize, shape: [usize; 3], order: u32) -> Array3<f32> {
    let mut out = Array3::zeros(shape);
    for label in crate::stats::unique(plane.iter().copied()) {
        let indicator = plane.mapv(|value| f32::from(u8::from(value == label)));
        let resized = along_axis(indicator, axis, shape[axis], order);
        out.zip_mut_with(&resized, |out, value| {
            if round_half_even(f64::from(*value)) > 0.5 {
                *out = label;
            }
        });
    }
    out
}
