//! Dilation and erosion of masks with balls, as scikit-image's `binary_dilation` and the like with `ball(radius)`.
//!
//! A ball of that library is `diameter` = int(2 radius + 1) voxels wide; an even one lies half a voxel off. A voxel is
//! in a dilated mask when the mask is no farther than half of `diameter - 1`, so one pass per axis over squared
//! distances replaces thousands of comparisons per voxel.

use ndarray::{Array3, ArrayView3};

use crate::lines::for_each_block;

/// Farther than any ball reaches, and small enough to be added to.
const FAR: f32 = 1e6;

/// Voxels of which the ball around them touches the mask.
///
/// Source: `binary_dilation` with a `ball` of scikit-image.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::morphology::{dilate, erode};
///
/// let mut mask = Array3::from_elem((5, 5, 5), false);
/// mask[[2, 2, 2]] = true;
/// let grown = dilate(mask.view(), 3);
/// assert!(grown[[2, 2, 1]] && !grown[[2, 2, 0]]);
/// assert_eq!(erode(grown.view(), 3), mask);
/// ```
#[must_use]
pub fn dilate(mask: ArrayView3<'_, bool>, diameter: usize) -> Array3<bool> {
    // Even balls reach one voxel further ahead.
    let ball = Footprint::ball(diameter, usize::from(diameter.is_multiple_of(2)));
    touched_by(mask.map(|set| if *set { 0.0 } else { FAR }), &ball)
}

/// Voxels of which the whole ball around them lies in the mask, or outside the image.
#[must_use]
pub fn erode(mask: ArrayView3<'_, bool>, diameter: usize) -> Array3<bool> {
    !touched_by(mask.map(|set| if *set { FAR } else { 0.0 }), &Footprint::ball(diameter, 0))
}

/// Erosion, then dilation.
#[must_use]
pub fn open(mask: ArrayView3<'_, bool>, diameter: usize) -> Array3<bool> {
    dilate(erode(mask, diameter).view(), diameter)
}

/// Dilation, then erosion.
#[must_use]
pub fn close(mask: ArrayView3<'_, bool>, diameter: usize) -> Array3<bool> {
    erode(dilate(mask, diameter).view(), diameter)
}

/// A ball or disk of voxels around a voxel.
#[derive(Debug, Clone)]
pub struct Footprint {
    /// Offset of the first of them along each axis.
    first: isize,
    /// Squared distance from the center of each offset along an axis.
    squares: Vec<f32>,
    /// Squared radius.
    limit: f32,
    /// The axis along which it extends no further.
    flat: Option<usize>,
}

impl Footprint {
    /// A ball; its first offset is `ahead` more than half the diameter back.
    fn ball(diameter: usize, ahead: usize) -> Self {
        let diameter = diameter.max(1);
        let radius = (diameter as f32 - 1.0) / 2.0;
        Self {
            first: ahead as isize - (diameter / 2) as isize,
            squares: (0..diameter).map(|k| (k as f32 - radius).powi(2)).collect(),
            limit: radius * radius,
            flat: None,
        }
    }

    /// scikit-image's `ball(radius)` where batchgeneratorsv2's convolution puts it: an even one reaches further ahead.
    #[must_use]
    pub fn centered_ball(radius: f64) -> Self {
        let diameter = (2.0 * radius + 1.0) as usize;
        Self::ball(diameter, usize::from(diameter.is_multiple_of(2)))
    }

    /// scikit-image's `disk(radius)` in every plane, where batchgeneratorsv2's convolution puts it. Its grid of offsets
    /// begins with `-radius`, so a disk whose radius is no whole number is not symmetric.
    #[must_use]
    pub fn centered_disk(radius: f64) -> Self {
        let count = (2.0 * radius + 1.0).ceil().max(1.0) as usize;
        Self {
            first: -((count as isize - 1) / 2),
            squares: (0..count).map(|k| (k as f64 - radius).powi(2) as f32).collect(),
            limit: (radius * radius) as f32,
            flat: Some(0),
        }
    }

    /// Voxels of which the footprint around them touches the mask.
    #[must_use]
    pub fn dilate(&self, mask: ArrayView3<'_, bool>) -> Array3<bool> {
        touched_by(mask.map(|set| if *set { 0.0 } else { FAR }), self)
    }

    /// Voxels of which the whole footprint around them lies in the mask, or outside the image.
    #[must_use]
    pub fn erode(&self, mask: ArrayView3<'_, bool>) -> Array3<bool> {
        !touched_by(mask.map(|set| if *set { FAR } else { 0.0 }), self)
    }
}

/// Where squared distances, minimized over the footprint's offsets, are no larger than its radius squared.
fn touched_by(mut distances: Array3<f32>, footprint: &Footprint) -> Array3<bool> {
    let costs = &footprint.squares;
    let mut padded = Vec::new();
    for axis in (0..3).filter(|axis| footprint.flat != Some(*axis)) {
        for_each_block(distances.view_mut(), axis, |block, lines| {
            let n = block.len() / lines;
            padded.clear();
            padded.resize((n + costs.len()) * lines, FAR);
            let start = footprint.first.unsigned_abs() * lines;
            padded[start..start + block.len()].copy_from_slice(block);
            for (i, row) in block.chunks_mut(lines).enumerate() {
                row.fill(FAR);
                for (k, cost) in costs.iter().enumerate() {
                    let from = &padded[(i + k) * lines..(i + k + 1) * lines];
                    row.iter_mut().zip(from).for_each(|(out, square)| {
                        let candidate = square + cost;
                        *out = if candidate < *out { candidate } else { *out };
                    });
                }
            }
        });
    }
    distances.mapv(|square| square <= footprint.limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes and sums of indices that scikit-image 0.24 gives for balls of radius 1, 1.6, 2 and 2.7.
    #[test]
    fn balls_are_those_of_scikit_image() {
        let mut mask = Array3::from_elem((12, 12, 12), false);
        mask.slice_mut(ndarray::s![3..9, 2..10, 4..11]).fill(true);
        mask[[5, 5, 5]] = false;
        mask[[0, 0, 0]] = true;
        let measure = |mask: Array3<bool>| {
            let set = || mask.iter().enumerate().filter(|(_, set)| **set).map(|(index, _)| index);
            (set().count(), set().sum::<usize>())
        };
        let expected = [
            (3, [(632, 543_377), (114, 99_089), (361, 311_496), (261, 226_618)]),
            (4, [(505, 396_396), (203, 191_227), (337, 290_640), (335, 289_071)]),
            (5, [(975, 834_562), (17, 14_825), (413, 356_476), (148, 128_832)]),
            (6, [(989, 772_814), (38, 36_296), (465, 396_528), (291, 254_710)]),
        ];
        for (diameter, expected) in expected {
            let ours =
                [dilate, erode, close, open].map(|operation| measure(operation(mask.view(), diameter)));
            assert_eq!(ours, expected, "diameter {diameter}");
        }
    }
}
