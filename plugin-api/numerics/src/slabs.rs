//! [`resample`](crate::resample) slab by slab: the same values to the bit, without the whole volume in memory.

use std::ops::Range;

use ndarray::{Array3, ArrayView3, Axis};

use crate::axis::AxisTaps;
use crate::axis_pass::Passes;
use crate::resample::{along_axis, in_plane};
use crate::resampling::Resampling;
use crate::resize::{pass_order, resize, resize_axis};

/// Resampling of a volume that arrives, and leaves, in slabs along one axis.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Resampling, SlabResampling, resize};
///
/// let how = Resampling { order: 1, order_z: 0, separate: None };
/// let slabs = SlabResampling::new([4, 8, 8], [8, 8, 8], how, 0).unwrap();
/// let volume = Array3::from_shape_fn((4, 8, 8), |(z, y, x)| (z * z + y + x) as f32);
/// let whole = resize(volume.view(), [8, 8, 8], 1);
///
/// // Output rows 2 to 3 need only part of the input.
/// let needed = slabs.needs(2..4);
/// let part = volume.slice(ndarray::s![needed.clone(), .., ..]);
/// assert_eq!(slabs.rows(part, needed.start, 2..4), whole.slice(ndarray::s![2..4, .., ..]));
/// ```
#[derive(Debug, Clone)]
pub struct SlabResampling {
    from: [usize; 3],
    to: [usize; 3],
    how: Resampling,
    axis: usize,
    taps: AxisTaps,
}

impl SlabResampling {
    /// `None` where an output slab depends on the whole input: cubic splines along the axis, or clipped to the volume's
    /// range.
    #[must_use]
    pub fn new(from: [usize; 3], to: [usize; 3], how: Resampling, axis: usize) -> Option<Self> {
        let order = if how.separate == Some(axis) { how.order_z } else { how.order };
        let taps = AxisTaps::resize(from[axis], to[axis], order);
        (order < 2).then_some(Self { from, to, how, axis, taps })
    }

    /// Input rows that output rows follow from.
    #[must_use]
    pub fn needs(&self, outputs: Range<usize>) -> Range<usize> {
        if self.keeps_rows() { outputs } else { self.taps.needs(outputs) }
    }

    /// Output rows, counted from the first, that follow from the first `inputs` input rows.
    #[must_use]
    pub fn ready(&self, inputs: usize) -> usize {
        let rows = self.to[self.axis];
        (0..rows).find(|row| self.needs(*row..row + 1).end > inputs).unwrap_or(rows)
    }

    /// Output rows from a slab of the input whose first row is `first`; it holds at least [`SlabResampling::needs`].
    #[must_use]
    pub fn rows(&self, slab: ArrayView3<'_, f32>, first: usize, outputs: Range<usize>) -> Array3<f32> {
        if self.how.separate == Some(self.axis) {
            return self.rows_of_slices(slab, first, outputs);
        }
        let (slab, first) = self.trimmed(slab, first, outputs.clone());
        let mut extent = [slab.shape()[0], slab.shape()[1], slab.shape()[2]];
        let mut values: Vec<f32> = slab.iter().copied().collect();
        let axes = pass_order(self.from, self.to).into_iter().filter(|axis| Some(*axis) != self.how.separate);
        for axis in axes.filter(|axis| self.from[*axis] != self.to[*axis]) {
            let taps = if axis == self.axis {
                self.taps.window(outputs.clone(), first, extent[axis])
            } else {
                AxisTaps::resize(self.from[axis], self.to[axis], self.how.order)
            };
            values = resize_axis(&values, extent, axis, &taps, self.how.order);
            extent[axis] = taps.taps.len();
        }
        // The passes end with exactly this many values.
        let array = Array3::from_shape_vec(extent, values).unwrap_or_default();
        match self.how.separate {
            Some(axis) => along_axis(array, axis, self.to[axis], self.how.order_z),
            None => array,
        }
    }

    /// [`SlabResampling::rows`] as passes, for a slab that holds exactly [`SlabResampling::needs`].
    #[must_use]
    pub fn passes(&self, outputs: Range<usize>) -> Passes {
        let used = self.needs(outputs.clone());
        Passes::with_taps(self.from, self.to, self.how, |axis, order| {
            if axis == self.axis {
                self.taps.window(outputs.clone(), used.start, used.len())
            } else {
                AxisTaps::resize(self.from[axis], self.to[axis], order)
            }
        })
    }

    /// Rows are slices that are resized on their own, in any order, then combined.
    fn rows_of_slices(&self, slab: ArrayView3<'_, f32>, first: usize, outputs: Range<usize>) -> Array3<f32> {
        let (slab, first) = self.trimmed(slab, first, outputs.clone());
        let plane = in_plane(slab, self.to, self.axis, |slice, shape| resize(slice, shape, self.how.order));
        if self.keeps_rows() {
            return plane;
        }
        let taps = self.taps.window(outputs, first, slab.shape()[self.axis]);
        let mut shape = self.to;
        shape[self.axis] = taps.taps.len();
        let mut out = Array3::zeros(shape);
        for (mut row, tap) in out.axis_iter_mut(Axis(self.axis)).zip(&taps.taps) {
            let from = |k: usize| plane.index_axis(Axis(self.axis), taps.index(tap.first + k as isize));
            let mut sum = from(0).mapv(|value| tap.weights[0] * f64::from(value));
            if taps.width > 1 {
                sum.zip_mut_with(&from(1), |sum, value| *sum += tap.weights[1] * f64::from(*value));
            }
            row.zip_mut_with(&sum, |out, sum| *out = *sum as f32);
        }
        out
    }

    /// The rows of a slab that are needed, and which the first of them is.
    fn trimmed<'a>(
        &self,
        slab: ArrayView3<'a, f32>,
        first: usize,
        outputs: Range<usize>,
    ) -> (ArrayView3<'a, f32>, usize) {
        let used = self.needs(outputs);
        (slab.slice_axis_move(Axis(self.axis), (used.start - first..used.end - first).into()), used.start)
    }

    fn keeps_rows(&self) -> bool {
        self.from[self.axis] == self.to[self.axis]
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, s};

    use super::*;
    use crate::axis_pass::tests::passed;
    use crate::resample;

    /// Cuts a volume into slabs, resamples them, and joins them.
    fn in_slabs(
        data: &Array3<f32>,
        to: [usize; 3],
        how: Resampling,
        axis: usize,
        thickness: usize,
    ) -> Array3<f32> {
        let from = [data.dim().0, data.dim().1, data.dim().2];
        let slabs = SlabResampling::new(from, to, how, axis).unwrap();
        assert_eq!(slabs.ready(from[axis]), to[axis]);
        let mut whole = Array3::zeros(to);
        for start in (0..to[axis]).step_by(thickness) {
            let rows = start..(start + thickness).min(to[axis]);
            let needs = slabs.needs(rows.clone());
            assert!(slabs.ready(needs.end) >= rows.end);
            let slab = data.slice_axis(Axis(axis), needs.clone().into());
            let out = slabs.rows(slab, needs.start, rows.clone());
            whole.slice_axis_mut(Axis(axis), rows.into()).assign(&out);
        }
        whole
    }

    #[test]
    fn slabs_equal_the_whole_to_the_bit() {
        let data = Array4::from_shape_fn((1, 9, 11, 10), |(_, z, y, x)| {
            ((z * 131 + y * 37 + x * 17) % 101) as f32 / 7.0
        });
        let one = data.slice(s![0, .., .., ..]).to_owned();
        for to in [[9, 11, 10], [13, 7, 19], [4, 11, 23], [9, 5, 20], [30, 12, 10], [1, 1, 1]] {
            for (separate, order, order_z) in [
                (None, 1, 0),
                (None, 0, 0),
                (Some(0), 1, 0),
                (Some(1), 1, 1),
                (Some(2), 0, 1),
                (Some(2), 1, 3),
            ] {
                let how = Resampling { order, order_z, separate };
                let whole = resample(data.view(), to, how).slice(s![0, .., .., ..]).to_owned();
                for axis in (0..3).filter(|axis| separate != Some(*axis) || order_z < 2) {
                    for thickness in [1, 3, 50] {
                        assert_eq!(in_slabs(&one, to, how, axis, thickness), whole, "{to:?} {how:?} {axis}");
                    }
                }
            }
        }
    }

    #[test]
    fn passes_give_the_rows_to_the_bit() {
        let data =
            Array3::from_shape_fn((9, 11, 10), |(z, y, x)| ((z * 131 + y * 37 + x * 17) % 101) as f32 / 7.0);
        for to in [[9, 11, 10], [13, 7, 19], [4, 11, 23], [30, 12, 10], [1, 1, 1]] {
            for (separate, order, order_z) in [
                (None, 1, 0),
                (None, 0, 0),
                (Some(0), 1, 0),
                (Some(1), 1, 1),
                (Some(2), 0, 1),
                (Some(1), 3, 1),
            ] {
                let how = Resampling { order, order_z, separate };
                for axis in (0..3).filter(|axis| order < 2 || separate == Some(*axis)) {
                    let slabs = SlabResampling::new([9, 11, 10], to, how, axis).unwrap();
                    let rows = to[axis] / 3..to[axis].div_ceil(2);
                    let needs = slabs.needs(rows.clone());
                    let slab = data.slice_axis(Axis(axis), needs.clone().into());
                    let passes = slabs.passes(rows.clone());
                    let expected = slabs.rows(slab, needs.start, rows);
                    assert_eq!(passed(&slab.to_owned(), &passes), expected, "{to:?} {how:?} {axis}");
                }
            }
        }
    }

    #[test]
    fn cubic_splines_need_the_whole() {
        let how = |separate| Resampling { order: 3, order_z: 0, separate };
        assert!(SlabResampling::new([4; 3], [8; 3], how(None), 0).is_none());
        assert!(SlabResampling::new([4; 3], [8; 3], how(Some(1)), 0).is_none());
        let across = SlabResampling::new([4; 3], [8, 7, 6], how(Some(0)), 0).unwrap();
        let data = Array4::from_shape_fn((1, 4, 4, 4), |(_, z, y, x)| ((z * 7 + y * 5 + x * 3) % 11) as f32);
        let one = data.slice(s![0, .., .., ..]);
        let whole = resample(data.view(), [8, 7, 6], how(Some(0)));
        assert_eq!(across.rows(one, 0, 2..5), whole.slice(s![0, 2..5, .., ..]));
    }
}
