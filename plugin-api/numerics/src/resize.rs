//! Resizing of images: `skimage.transform.resize(order, mode="edge", clip=True, anti_aliasing=False)`, which is
//! `scipy.ndimage.zoom(grid_mode=True, mode="nearest")` followed by clipping. Separable: one pass per axis.

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use crate::axis::AxisTaps;
use crate::spline::{Boundary, EDGE_PADDING, filter_rows};

/// Rows of a plane that one task handles when there is only one plane.
const COLUMNS_PER_TASK: usize = 4096;

/// Resizes an array to `shape` with spline order 0, 1 or 3. Axes that keep their length are left alone; cubic values
/// are clipped to the input's range, as skimage does (lines between two samples do not leave it).
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::resize;
///
/// let image = Array3::from_shape_vec((1, 1, 4), vec![0.0, 1.0, 2.0, 3.0]).unwrap();
/// let half = resize(image.view(), [1, 1, 2], 1);
/// assert_eq!(half.as_slice(), Some(&[0.5, 2.5][..]));
/// ```
#[must_use]
pub fn resize(array: ArrayView3<'_, f32>, shape: [usize; 3], order: u32) -> Array3<f32> {
    let mut extent = [array.shape()[0], array.shape()[1], array.shape()[2]];
    let mut values: Vec<f32> = array.iter().copied().collect();
    for axis in pass_order(extent, shape) {
        if extent[axis] != shape[axis] {
            let taps = AxisTaps::resize(extent[axis], shape[axis], order);
            values = resize_axis(&values, extent, axis, &taps, order);
            extent[axis] = shape[axis];
        }
    }
    if order > 1 {
        let (low, high) = range(&array);
        // An array without a finite value has no range.
        if low <= high {
            values.par_iter_mut().with_min_len(1 << 16).for_each(|value| *value = value.clamp(low, high));
        }
    }
    // The passes end with exactly this many values.
    Array3::from_shape_vec(shape, values).unwrap_or_default()
}

/// The axis that shrinks most goes first, so that later passes have less to do.
pub(crate) fn pass_order(from: [usize; 3], to: [usize; 3]) -> [usize; 3] {
    let mut axes = [0, 1, 2];
    let ratio = |axis: usize| to[axis] as f64 / from[axis] as f64;
    axes.sort_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
    axes
}

fn range(array: &ArrayView3<'_, f32>) -> (f32, f32) {
    array
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

/// One pass along `axis`: the array seen as (outer, n, inner).
pub(crate) fn resize_axis(
    values: &[f32],
    extent: [usize; 3],
    axis: usize,
    taps: &AxisTaps,
    order: u32,
) -> Vec<f32> {
    let (n, to) = (extent[axis], taps.taps.len());
    let inner: usize = extent[axis + 1..].iter().product();
    let outer: usize = extent[..axis].iter().product();
    let mut out = vec![0.0; outer * to * inner];
    if outer == 1 {
        resize_single(values, &mut out, n, inner, taps, order);
    } else {
        out.par_chunks_mut(to * inner)
            .zip(values.par_chunks(n * inner))
            .for_each_init(Vec::new, |scratch, (out, plane)| {
                resize_plane(plane, out, n, inner, taps, order, scratch)
            });
    }
    out
}

fn resize_plane(
    plane: &[f32],
    out: &mut [f32],
    n: usize,
    inner: usize,
    taps: &AxisTaps,
    order: u32,
    scratch: &mut Vec<f32>,
) {
    if order < 2 {
        out.chunks_mut(inner).zip(&taps.taps).for_each(|(row, tap)| {
            combine(row, tap.weights, taps.width, |k| {
                let at = taps.index(tap.first + k as isize) * inner;
                &plane[at..at + inner]
            });
        });
        return;
    }
    pad(plane, n, inner, scratch);
    filter_rows(scratch, inner, Boundary::Edge);
    out.chunks_mut(inner).zip(&taps.taps).for_each(|(row, tap)| {
        combine(row, tap.weights, 4, |k| padded_row(scratch, tap.first + k as isize, inner));
    });
}

/// The first axis of a volume: there is one plane only, so its columns are split among the threads for the filter and
/// its output rows for the interpolation.
fn resize_single(values: &[f32], out: &mut [f32], n: usize, inner: usize, taps: &AxisTaps, order: u32) {
    if order < 2 {
        out.par_chunks_mut(inner).zip(&taps.taps).for_each(|(row, tap)| {
            combine(row, tap.weights, taps.width, |k| {
                let at = taps.index(tap.first + k as isize) * inner;
                &values[at..at + inner]
            });
        });
        return;
    }
    let blocks: Vec<(usize, Vec<f32>)> = (0..inner.div_ceil(COLUMNS_PER_TASK))
        .into_par_iter()
        .map(|block| {
            let from = block * COLUMNS_PER_TASK;
            let width = COLUMNS_PER_TASK.min(inner - from);
            (from, filtered_columns(values, n, inner, from, width))
        })
        .collect();
    out.par_chunks_mut(inner).zip(&taps.taps).for_each(|(row, tap)| {
        for (from, block) in &blocks {
            let width = COLUMNS_PER_TASK.min(inner - from);
            combine(&mut row[*from..from + width], tap.weights, 4, |k| {
                padded_row(block, tap.first + k as isize, width)
            });
        }
    });
}

fn filtered_columns(values: &[f32], n: usize, inner: usize, from: usize, width: usize) -> Vec<f32> {
    let mut block = Vec::with_capacity((n + 2 * EDGE_PADDING) * width);
    for k in 0..n + 2 * EDGE_PADDING {
        let at = k.saturating_sub(EDGE_PADDING).min(n - 1) * inner + from;
        block.extend_from_slice(&values[at..at + width]);
    }
    filter_rows(&mut block, width, Boundary::Edge);
    block
}

fn pad(plane: &[f32], n: usize, inner: usize, scratch: &mut Vec<f32>) {
    scratch.clear();
    for k in 0..n + 2 * EDGE_PADDING {
        let at = k.saturating_sub(EDGE_PADDING).min(n - 1) * inner;
        scratch.extend_from_slice(&plane[at..at + inner]);
    }
}

fn padded_row(block: &[f32], row: isize, width: usize) -> &[f32] {
    let rows = (block.len() / width) as isize;
    let at = (row + EDGE_PADDING as isize).clamp(0, rows - 1) as usize * width;
    &block[at..at + width]
}

/// `out` = weighted sum of `width` rows.
fn combine<'a>(out: &mut [f32], weights: [f64; 4], width: usize, row: impl Fn(usize) -> &'a [f32]) {
    let w = weights.map(|weight| weight as f32);
    match width {
        1 => out.copy_from_slice(row(0)),
        2 => {
            let rows = row(0).iter().zip(row(1));
            // Where both samples agree the result is theirs, whatever the weights round to.
            out.iter_mut().zip(rows).for_each(|(out, (a, b))| *out = a + w[1] * (b - a));
        }
        _ => {
            let rows = row(0).iter().zip(row(1)).zip(row(2).iter().zip(row(3)));
            out.iter_mut().zip(rows).for_each(|(out, ((a, b), (c, d)))| {
                *out = w[0] * a + w[1] * b + w[2] * c + w[3] * d;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_zero_takes_the_odd_samples_when_halving() {
        let line = Array3::from_shape_vec((1, 1, 6), (0..6).map(|i| i as f32).collect()).unwrap();
        assert_eq!(resize(line.view(), [1, 1, 3], 0).into_raw_vec_and_offset().0, [1.0, 3.0, 5.0]);
    }

    #[test]
    fn an_array_without_a_finite_value_is_no_panic() {
        let array = Array3::from_elem((2, 2, 2), f32::NAN);
        assert!(resize(array.view(), [3, 3, 3], 3).iter().all(|value| value.is_nan()));
    }

    #[test]
    fn constant_stays_constant() {
        let array = Array3::from_elem((4, 5, 6), 3.5);
        let out = resize(array.view(), [7, 3, 11], 3);
        assert!(out.iter().all(|value| (value - 3.5).abs() < 1e-5));
    }
}
