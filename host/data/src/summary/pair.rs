//! What a summary is made of.

use std::path::PathBuf;

use nnunet_formats::Geometry;

use crate::images;

/// A prediction and its reference.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Prediction.
    pub test: PathBuf,
    /// Reference.
    pub reference: PathBuf,
}

/// Voxels by which places may differ: programs round differently.
const TOLERANCE: f64 = 0.1;

impl Pair {
    /// Whether both files say that their voxels lie at different places: metrics compare voxel by voxel, and a mirrored or
    /// shifted prediction would go unnoticed. False for files that cannot be read.
    fn is_misplaced(&self) -> bool {
        let (Ok(test), Ok(reference)) =
            (images::read_geometry(&self.test), images::read_geometry(&self.reference))
        else {
            return false;
        };
        let corners = |geometry: &Geometry| {
            let last = std::array::from_fn(|axis| geometry.size[axis].saturating_sub(1) as f64);
            [[0.0; 3], last].map(|index: [f64; 3]| place(geometry, index))
        };
        let tolerance = TOLERANCE * reference.spacing.iter().copied().fold(f64::INFINITY, f64::min);
        let places = corners(&test).into_iter().zip(corners(&reference));
        places.flat_map(|(a, b)| a.into_iter().zip(b)).any(|(a, b)| (a - b).abs() > tolerance)
    }
}

/// Where a voxel lies, in mm.
fn place(geometry: &Geometry, index: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|row| {
        let offset = |axis: usize| geometry.direction[3 * row + axis] * geometry.spacing[axis] * index[axis];
        geometry.origin[row] + (0..3).map(offset).sum::<f64>()
    })
}

/// Warns of predictions that lie elsewhere than their references.
pub fn warn_of_places(pairs: &[Pair]) {
    let misplaced: Vec<&Pair> = pairs.iter().filter(|pair| pair.is_misplaced()).collect();
    if let Some(first) = misplaced.first() {
        tracing::warn!(
            "{} of {} predictions lie elsewhere than their references by their origin, spacing or direction (mirrored or \
             shifted?), {} among them; voxels are compared by their index",
            misplaced.len(),
            pairs.len(),
            first.test.display()
        );
    }
}

/// Texts at the beginning of a summary.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    /// Name of the evaluation.
    pub name: &'a str,
    /// Task.
    pub task: &'a str,
    /// Description.
    pub description: &'a str,
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use nnunet_formats::nifti;

    use super::*;

    #[test]
    fn mirrored_and_shifted_predictions_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let plain = Geometry {
            size: [3; 3],
            spacing: [1.0; 3],
            origin: [0.0; 3],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        };
        let file = |name: &str, geometry: &Geometry| {
            let path = folder.path().join(name);
            nifti::write_labels(&path, Array3::zeros([3; 3]).view(), geometry).unwrap();
            path
        };
        let reference = file("reference.nii", &plain);
        let mut mirrored = plain;
        mirrored.direction[0] = -1.0;
        let shifted = Geometry { origin: [0.0, 2.0, 0.0], ..plain };
        let rounded = Geometry { origin: [0.0, 0.01, 0.0], ..plain };
        for (geometry, found) in [(mirrored, true), (shifted, true), (rounded, false), (plain, false)] {
            let pair = Pair { test: file("test.nii", &geometry), reference: reference.clone() };
            assert_eq!(pair.is_misplaced(), found, "{geometry:?}");
        }
    }
}
