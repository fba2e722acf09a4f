//! One label in prediction and reference.

use ndarray::{Array3, ArrayView3, s};

/// The voxels of a label in two label maps, cropped to the box that holds both. Not empty.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskPair {
    /// Predicted voxels.
    pub prediction: Array3<bool>,
    /// The reference's voxels.
    pub reference: Array3<bool>,
    /// Voxel size.
    pub spacing: [f64; 3],
}

impl MaskPair {
    /// Crops two label maps of equal shape; `None` if neither contains the label.
    #[must_use]
    pub fn of_label(
        prediction: ArrayView3<'_, u8>,
        reference: ArrayView3<'_, u8>,
        label: u8,
        spacing: [f64; 3],
    ) -> Option<Self> {
        let (low, high) = bounds(prediction, reference, label)?;
        let part = s![low[0]..=high[0], low[1]..=high[1], low[2]..=high[2]];
        let mask = |labels: ArrayView3<'_, u8>| labels.slice(part).mapv(|value| value == label);
        Some(Self { prediction: mask(prediction), reference: mask(reference), spacing })
    }

    /// Volume of a voxel, mm³.
    #[must_use]
    pub fn voxel(&self) -> f64 {
        self.spacing.iter().product()
    }
}

/// Lowest and highest index, along each axis, of the voxels that have the label in either map.
fn bounds(
    prediction: ArrayView3<'_, u8>,
    reference: ArrayView3<'_, u8>,
    label: u8,
) -> Option<([usize; 3], [usize; 3])> {
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    for ((z, rows), others) in prediction.outer_iter().enumerate().zip(reference.outer_iter()) {
        for ((y, row), other) in rows.outer_iter().enumerate().zip(others.outer_iter()) {
            let found = |x: &usize| row[*x] == label || other[*x] == label;
            let Some(first) = (0..row.len()).find(found) else { continue };
            let last = (0..row.len()).rfind(found).unwrap_or(first);
            low = [low[0].min(z), low[1].min(y), low[2].min(first)];
            high = [high[0].max(z), high[1].max(y), high[2].max(last)];
        }
    }
    (low[0] != usize::MAX).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_holds_both() {
        let (mut a, mut b) = (Array3::zeros((4, 5, 6)), Array3::zeros((4, 5, 6)));
        a[[1, 4, 2]] = 3;
        b[[2, 1, 5]] = 3;
        let pair = MaskPair::of_label(a.view(), b.view(), 3, [1.0; 3]).unwrap();
        assert_eq!(pair.prediction.dim(), (2, 4, 4));
        assert!(pair.prediction[[0, 3, 0]] && pair.reference[[1, 0, 3]]);
        assert_eq!(MaskPair::of_label(a.view(), b.view(), 1, [1.0; 3]), None);
    }
}
