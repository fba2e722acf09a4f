//! Exact Euclidean distances, `scipy.ndimage.distance_transform_edt` with `sampling`.

use ndarray::{Array3, ArrayView3, Axis, Zip};

/// Distance of every voxel to the nearest voxel that is set, in the unit of `spacing`; infinite when none is.
///
/// Squared distances are found axis by axis as lower envelopes of parabolas (Felzenszwalb and Huttenlocher, Distance
/// Transforms of Sampled Functions, 2012): linear time, and exact for any spacing. Arrays and spacing are (z, y, x).
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::distance_to;
///
/// let mut mask = Array3::from_elem((1, 1, 3), false);
/// mask[[0, 0, 0]] = true;
/// let distances = distance_to(mask.view(), [3.0, 1.0, 0.5]);
/// assert_eq!(distances.as_slice(), Some(&[0.0, 0.5, 1.0][..]));
/// ```
#[must_use]
pub fn distance_to(mask: ArrayView3<'_, bool>, spacing: [f64; 3]) -> Array3<f32> {
    let mut squares = mask.mapv(|set| if set { 0.0 } else { f32::INFINITY });
    for axis in (0..3).rev() {
        let step = spacing[axis];
        Zip::from(squares.lanes_mut(Axis(axis))).par_for_each(|mut lane| {
            let before: Vec<f64> = lane.iter().map(|square| f64::from(*square)).collect();
            let mut envelope = Envelope::with_capacity(before.len());
            (0..before.len()).for_each(|at| envelope.add(at as f64 * step, before[at]));
            envelope.read(step, lane.iter_mut());
        });
    }
    squares.par_mapv_inplace(f32::sqrt);
    squares
}

/// Lower envelope of parabolas `height + (x - at)²`, added from left to right.
struct Envelope {
    /// (at, height, from where on the parabola is the lowest).
    parts: Vec<(f64, f64, f64)>,
}

impl Envelope {
    fn with_capacity(len: usize) -> Self {
        Self { parts: Vec::with_capacity(len) }
    }

    fn add(&mut self, at: f64, height: f64) {
        if height.is_infinite() {
            return;
        }
        while let Some((other, low, from)) = self.parts.last().copied() {
            let meet = ((height + at * at) - (low + other * other)) / (2.0 * (at - other));
            if meet > from {
                self.parts.push((at, height, meet));
                return;
            }
            self.parts.pop();
        }
        self.parts.push((at, height, f64::NEG_INFINITY));
    }

    /// Writes the envelope's values at 0, `step`, 2 `step`, ...; nothing without a parabola.
    fn read<'a>(&self, step: f64, lane: impl Iterator<Item = &'a mut f32>) {
        let mut part = 0;
        for (i, square) in lane.enumerate() {
            let x = i as f64 * step;
            while self.parts.get(part + 1).is_some_and(|(_, _, from)| *from <= x) {
                part += 1;
            }
            if let Some((at, height, _)) = self.parts.get(part) {
                *square = (height + (x - at).powi(2)) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_search_over_all_voxels() {
        let set = |(z, y, x): (usize, usize, usize)| (z * 7919 + y * 104_729 + x * 1_299_709) % 17 == 0;
        let mask = Array3::from_shape_fn((5, 7, 6), set);
        let spacing = [2.5, 0.7, 1.3];
        let found = distance_to(mask.view(), spacing);
        for ((z, y, x), distance) in found.indexed_iter() {
            let square = |(a, b, c): (usize, usize, usize)| {
                let apart = [a.abs_diff(z), b.abs_diff(y), c.abs_diff(x)];
                (0..3).map(|axis| (apart[axis] as f64 * spacing[axis]).powi(2)).sum::<f64>()
            };
            let nearest = mask.indexed_iter().filter(|(_, set)| **set).map(|(at, _)| square(at));
            let nearest = nearest.fold(f64::INFINITY, f64::min).sqrt();
            assert!((f64::from(*distance) - nearest).abs() < 1e-5, "{z} {y} {x}: {distance}, {nearest}");
        }
    }

    #[test]
    fn nothing_is_infinitely_far() {
        let mask = Array3::from_elem((1, 2, 2), false);
        assert!(distance_to(mask.view(), [1.0; 3]).iter().all(|distance| distance.is_infinite()));
    }
}
