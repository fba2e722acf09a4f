//! Resampling written as passes along single axes, for those who compute them elsewhere, as on a GPU.

use std::ops::Range;

use crate::axis::AxisTaps;
use crate::resampling::Resampling;
use crate::resize::pass_order;
use crate::spline::{EDGE_PADDING, POLE};

/// One pass along one axis: every output follows from one, two or four samples.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisPass {
    /// The axis.
    pub axis: usize,
    /// Before anything else the axis is continued by so many of its edge values at both ends and filtered
    /// ([`SplineFilter`]); zero without a filter.
    pub padding: usize,
    /// The samples of an output, one after the other: the index of each on the continued axis, for every output.
    pub samples: Vec<Vec<i64>>,
    /// The weight of each of them.
    pub weights: Vec<Vec<f64>>,
    /// How they are combined.
    pub rule: PassRule,
}

/// How the samples a, b, c and d with the weights v, w, x and y are combined. Sums begin with the first sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassRule {
    /// a
    Nearest,
    /// a + w (b - a) in single precision
    Linear,
    /// v a + w b + x c + y d in single precision
    Spline,
    /// v a + w b, or all four, in double precision
    Weighted,
}

/// The filter that turns samples into coefficients of cubic B-splines, along an axis that is continued by its edge values.
/// In single precision, from the first row to the last and back:
///
/// - every row is multiplied by `gain`, the first one then divided by `first_divisor`;
/// - `row += pole * previous`;
/// - the last row is multiplied by `last_factor`;
/// - `row = pole * (next - row)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplineFilter {
    /// Makes the passes together an inverse.
    pub gain: f32,
    /// Pole of the recursion.
    pub pole: f32,
    /// Divisor of the first row.
    pub first_divisor: f32,
    /// Factor of the last row.
    pub last_factor: f32,
}

impl SplineFilter {
    /// The filter of cubic splines.
    pub const CUBIC: Self = {
        let pole = POLE as f32;
        Self { gain: crate::spline::GAIN, pole, first_divisor: 1.0 - pole, last_factor: pole / (pole - 1.0) }
    };
}

/// All passes of a resampling, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Passes {
    /// The passes.
    pub all: Vec<AxisPass>,
    /// Splines leave the range of their samples, and are clipped to it.
    pub clip: Option<Clip>,
}

/// A clipping of values to the range that the input of all passes has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// It follows so many passes.
    pub after: usize,
    /// The axes over which the range is taken.
    pub axes: Vec<usize>,
}

impl AxisPass {
    fn new(axis: usize, taps: &AxisTaps, order: u32, rule: PassRule) -> Self {
        let padding = if order > 1 { EDGE_PADDING } else { 0 };
        let index = |k: usize| {
            taps.taps.iter().map(move |tap| taps.continued(tap.first + k as isize, padding) as i64)
        };
        let weights = |k: usize| taps.taps.iter().map(move |tap| tap.weights[k]);
        Self {
            axis,
            padding,
            samples: (0..taps.width).map(|k| index(k).collect()).collect(),
            weights: (0..taps.width).map(|k| weights(k).collect()).collect(),
            rule: match (order, rule) {
                (0, _) => PassRule::Nearest,
                (1, PassRule::Spline) => PassRule::Linear,
                _ => rule,
            },
        }
    }

    /// Number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.samples.first().map_or(0, Vec::len)
    }

    /// The same pass for some of its outputs.
    #[must_use]
    pub fn only(&self, outputs: Range<usize>) -> Self {
        Self {
            samples: self.samples.iter().map(|samples| samples[outputs.clone()].to_vec()).collect(),
            weights: self.weights.iter().map(|weights| weights[outputs.clone()].to_vec()).collect(),
            ..*self
        }
    }
}

impl Passes {
    /// The passes of [`resample`](crate::resample), for a whole volume.
    ///
    /// ```
    /// use nnunet_numerics::{Passes, Resampling};
    ///
    /// let how = Resampling { order: 3, order_z: 0, separate: None };
    /// let passes = Passes::new([4, 8, 8], [8, 4, 8], how);
    /// let axes: Vec<usize> = passes.all.iter().map(|pass| pass.axis).collect();
    /// assert_eq!(axes, [1, 0], "the axis that shrinks comes first, and the last one stays");
    /// ```
    #[must_use]
    pub fn new(from: [usize; 3], to: [usize; 3], how: Resampling) -> Self {
        Self::with_taps(from, to, how, |axis, order| AxisTaps::resize(from[axis], to[axis], order))
    }

    /// As [`Passes::new`]; `taps` gives those of an axis and its order.
    pub(crate) fn with_taps(
        from: [usize; 3],
        to: [usize; 3],
        how: Resampling,
        taps: impl Fn(usize, u32) -> AxisTaps,
    ) -> Self {
        let pass = |axis: usize, order: u32, rule| AxisPass::new(axis, &taps(axis, order), order, rule);
        let together = |axis: &usize| Some(*axis) != how.separate;
        let changes = |axis: &usize| from[*axis] != to[*axis];
        let in_plane = pass_order(from, to).into_iter().filter(together).filter(changes);
        let mut all: Vec<AxisPass> = in_plane.map(|axis| pass(axis, how.order, PassRule::Spline)).collect();
        let is_clipped = how.order > 1 && !all.is_empty();
        let clip = Clip { after: all.len(), axes: (0..3).filter(together).collect() };
        let across = how.separate.filter(changes);
        all.extend(across.map(|axis| pass(axis, how.order_z, PassRule::Weighted)));
        Self { all, clip: is_clipped.then_some(clip) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ndarray::{Array3, Array4, Axis, s};

    use super::*;
    use crate::resample;

    /// Does what the passes say, one value after the other.
    pub(crate) fn passed(input: &Array3<f32>, passes: &Passes) -> Array3<f32> {
        let mut values = input.clone();
        for (i, pass) in passes.all.iter().enumerate() {
            values = along(&values, pass);
            if let Some(clip) = passes.clip.as_ref().filter(|clip| clip.after == i + 1) {
                let range = |pick: fn(f32, f32) -> f32| {
                    clip.axes.iter().fold(input.clone(), |all, axis| {
                        all.map_axis(Axis(*axis), |line| line.iter().copied().reduce(pick).unwrap())
                            .insert_axis(Axis(*axis))
                    })
                };
                let (low, high) = (range(f32::min), range(f32::max));
                let (low, high) =
                    (low.broadcast(values.dim()).unwrap(), high.broadcast(values.dim()).unwrap());
                values =
                    ndarray::Zip::from(&values).and(low).and(high).map_collect(|v, l, h| v.clamp(*l, *h));
            }
        }
        values
    }

    fn filtered(line: &mut [f32]) {
        let SplineFilter { gain, pole, first_divisor, last_factor } = SplineFilter::CUBIC;
        let last = line.len() - 1;
        line.iter_mut().for_each(|value| *value *= gain);
        line[0] /= first_divisor;
        (1..=last).for_each(|k| line[k] += pole * line[k - 1]);
        line[last] *= last_factor;
        (0..last).rev().for_each(|k| line[k] = pole * (line[k + 1] - line[k]));
    }

    fn along(values: &Array3<f32>, pass: &AxisPass) -> Array3<f32> {
        let mut shape = [values.dim().0, values.dim().1, values.dim().2];
        let n = shape[pass.axis];
        shape[pass.axis] = pass.outputs();
        let mut out = Array3::zeros(shape);
        let axis = Axis(pass.axis);
        for (mut to, from) in out.lanes_mut(axis).into_iter().zip(values.lanes(axis)) {
            let continued = 0..n + 2 * pass.padding;
            let mut line: Vec<f32> =
                continued.map(|k| from[k.saturating_sub(pass.padding).min(n - 1)]).collect();
            if pass.padding > 0 {
                filtered(&mut line);
            }
            for (i, out) in to.iter_mut().enumerate() {
                let terms = pass.samples.iter().zip(&pass.weights);
                let terms: Vec<(f32, f64)> = terms.map(|(at, w)| (line[at[i] as usize], w[i])).collect();
                let single = |(value, weight): &(f32, f64)| value * *weight as f32;
                let double = |(value, weight): &(f32, f64)| f64::from(*value) * weight;
                *out = match pass.rule {
                    PassRule::Nearest => terms[0].0,
                    PassRule::Linear => terms[0].0 + terms[1].1 as f32 * (terms[1].0 - terms[0].0),
                    PassRule::Spline => terms.iter().map(single).reduce(|sum, term| sum + term).unwrap(),
                    PassRule::Weighted => {
                        terms.iter().map(double).reduce(|sum, term| sum + term).unwrap() as f32
                    }
                };
            }
        }
        out
    }

    #[test]
    fn passes_give_the_whole_to_the_bit() {
        let data = Array4::from_shape_fn((1, 9, 11, 10), |(_, z, y, x)| {
            ((z * 131 + y * 37 + x * 17) % 101) as f32 / 7.0
        });
        let one = data.slice(s![0, .., .., ..]).to_owned();
        for to in [[13, 7, 19], [4, 11, 23], [9, 5, 20], [30, 12, 10], [9, 11, 3], [1, 1, 1]] {
            for separate in [None, Some(0), Some(1), Some(2)] {
                for (order, order_z) in [(3, 0), (3, 1), (3, 3), (1, 3), (0, 3), (1, 1)] {
                    let how = Resampling { order, order_z, separate };
                    let whole = resample(data.view(), to, how).slice(s![0, .., .., ..]).to_owned();
                    assert_eq!(passed(&one, &Passes::new([9, 11, 10], to, how)), whole, "{to:?} {how:?}");
                }
            }
        }
    }
}
