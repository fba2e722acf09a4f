//! Resampling written as passes along single axes, for those who compute them elsewhere, as on a GPU.

use crate::axis::AxisTaps;

/// One pass along one axis: every output follows from one or two samples.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisPass {
    /// The axis.
    pub axis: usize,
    /// Index of the first sample of every output.
    pub first: Vec<i64>,
    /// Index of the second one.
    pub second: Vec<i64>,
    /// Weights of the two.
    pub weights: [Vec<f64>; 2],
    /// How they are combined.
    pub rule: PassRule,
}

/// How two samples a and b with the weights v and w are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassRule {
    /// a
    Nearest,
    /// a + w (b - a) in single precision
    Linear,
    /// v a + w b in double precision
    Weighted,
}

impl AxisPass {
    pub(crate) fn new(axis: usize, taps: &AxisTaps, rule: PassRule) -> Self {
        let index = |k: isize| taps.taps.iter().map(|tap| taps.index(tap.first + k) as i64).collect();
        let weights = |k: usize| taps.taps.iter().map(|tap| tap.weights[k]).collect();
        Self { axis, first: index(0), second: index(1), weights: [weights(0), weights(1)], rule }
    }
}
