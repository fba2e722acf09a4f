//! Interpolation weights along one axis of a resized array.

use std::ops::Range;

/// Taps of one output sample: consecutive input indices from `first` (may lie outside, see [`AxisTaps::index`]).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap {
    pub first: isize,
    pub weights: [f64; 4],
}

/// For every output index along an axis: which input samples, with which weights.
#[derive(Debug, Clone)]
pub(crate) struct AxisTaps {
    pub taps: Vec<Tap>,
    pub width: usize,
    input: usize,
}

impl AxisTaps {
    /// Half-pixel-center grid: output i looks at `(i + 0.5) * input / output - 0.5`, as scipy's `zoom(grid_mode=True)`.
    pub(crate) fn resize(input: usize, output: usize, order: u32) -> Self {
        let zoom = input as f64 / output as f64;
        let taps = (0..output).map(|i| tap((i as f64 + 0.5) * zoom - 0.5, input, order)).collect();
        Self { taps, width: width(order), input }
    }

    /// Taps of some outputs, for an input of which only `len` samples from `first` on are there.
    pub(crate) fn window(&self, outputs: Range<usize>, first: usize, len: usize) -> Self {
        let moved = |tap: &Tap| Tap { first: tap.first - first as isize, ..*tap };
        Self { taps: self.taps[outputs].iter().map(moved).collect(), width: self.width, input: len }
    }

    /// The input samples that outputs look at.
    pub(crate) fn needs(&self, outputs: Range<usize>) -> Range<usize> {
        let taps = &self.taps[outputs];
        let first = taps.iter().map(|tap| self.index(tap.first)).min().unwrap_or(0);
        let last = taps.iter().map(|tap| self.index(tap.first + self.width as isize - 1)).max();
        first..last.map_or(first, |last| last + 1)
    }

    /// The input index of a tap, clamped to the edge.
    pub(crate) fn index(&self, at: isize) -> usize {
        self.continued(at, 0)
    }

    /// The index of a tap on an axis that is continued by `padding` samples at both ends.
    pub(crate) fn continued(&self, at: isize, padding: usize) -> usize {
        (at + padding as isize).clamp(0, (self.input + 2 * padding) as isize - 1) as usize
    }
}

const fn width(order: u32) -> usize {
    match order {
        0 => 1,
        1 => 2,
        _ => 4,
    }
}

fn tap(position: f64, input: usize, order: u32) -> Tap {
    let last = (input - 1) as f64;
    match order {
        0 => Tap { first: (position.clamp(0.0, last) + 0.5).floor() as isize, weights: [1.0, 0.0, 0.0, 0.0] },
        1 => {
            let position = position.clamp(0.0, last);
            let fraction = position - position.floor();
            Tap { first: position.floor() as isize, weights: [1.0 - fraction, fraction, 0.0, 0.0] }
        }
        _ => {
            Tap { first: position.floor() as isize - 1, weights: cubic_weights(position - position.floor()) }
        }
    }
}

/// Cubic B-spline weights of the four samples around a position, `fraction` after the second.
pub(crate) fn cubic_weights(fraction: f64) -> [f64; 4] {
    let (y, z) = (fraction, 1.0 - fraction);
    let second = (y * y * (y - 2.0) * 3.0 + 4.0) / 6.0;
    let third = (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0;
    let first = z * z * z / 6.0;
    [first, second, third, 1.0 - first - second - third]
}
