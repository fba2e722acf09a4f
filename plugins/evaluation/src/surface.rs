//! Distances between the surfaces of two masks.
//!
//! As in MedPy and v1, the surface of a mask is its voxels with a face neighbor outside it (or outside the image), and
//! distances run between their centers.

use ndarray::{Array3, ArrayView3};
use nnunet_numerics::distance_to;
use nnunet_numerics::stats::percentile;

use crate::MaskPair;

/// For every surface voxel of one mask, the distance to the nearest surface voxel of the other, mm.
#[derive(Debug, Clone, PartialEq)]
pub struct Surfaces {
    /// From the prediction's surface to the reference's.
    pub to_reference: Vec<f32>,
    /// From the reference's surface to the prediction's.
    pub to_prediction: Vec<f32>,
}

impl Surfaces {
    /// Computes the distances; `None` if one of the masks is empty.
    #[must_use]
    pub fn between(pair: &MaskPair) -> Option<Self> {
        let prediction = border(pair.prediction.view());
        let reference = border(pair.reference.view());
        let measured = Self {
            to_reference: distances(&prediction, &reference, pair.spacing),
            to_prediction: distances(&reference, &prediction, pair.spacing),
        };
        (!measured.to_reference.is_empty() && !measured.to_prediction.is_empty()).then_some(measured)
    }

    /// 95th percentile of all distances, of both surfaces together (Huttenlocher et al. 1993, made robust; MedPy
    /// `hd95`, v1 `hausdorff_distance_95`).
    #[must_use]
    pub fn hausdorff_95(&self) -> f64 {
        percentile(&mut [self.to_reference.as_slice(), &self.to_prediction].concat(), 95.0)
    }

    /// Average symmetric surface distance: the mean of the two surfaces' mean distances (Heimann et al. 2009; MedPy
    /// `assd`, v1 `avg_surface_distance_symmetric`).
    #[must_use]
    pub fn average(&self) -> f64 {
        self.over_both(|distances| {
            distances.iter().map(|distance| f64::from(*distance)).sum::<f64>() / distances.len() as f64
        })
    }

    /// Normalized surface Dice: the fraction of a surface that lies within `tolerance` mm of the other, mean of both
    /// surfaces (Nikolov et al. 2018). Surface voxels have equal weight (v1 `normalized_surface_dice`); DeepMind's own
    /// implementation weights them by the area of a fitted surface.
    #[must_use]
    pub fn dice(&self, tolerance: f64) -> f64 {
        // Distances are single precision: a distance equal to the tolerance must count.
        let tolerance = tolerance as f32;
        self.over_both(|distances| {
            let near = distances.iter().filter(|distance| **distance <= tolerance).count();
            near as f64 / distances.len() as f64
        })
    }

    fn over_both(&self, value: impl Fn(&[f32]) -> f64) -> f64 {
        0.5 * (value(&self.to_reference) + value(&self.to_prediction))
    }
}

/// Distances from the voxels of `from` to `to`; empty if one of them is empty.
fn distances(from: &Array3<bool>, to: &Array3<bool>, spacing: [f64; 3]) -> Vec<f32> {
    if !to.iter().any(|set| *set) {
        return Vec::new();
    }
    let distance = distance_to(to.view(), spacing);
    from.iter().zip(&distance).filter(|(set, _)| **set).map(|(_, distance)| *distance).collect()
}

/// Voxels of a mask with a face neighbor outside of it.
fn border(mask: ArrayView3<'_, bool>) -> Array3<bool> {
    let (nz, ny, nx) = mask.dim();
    Array3::from_shape_fn((nz, ny, nx), |(z, y, x)| {
        let inside = |z: usize, y: usize, x: usize| mask.get((z, y, x)).copied().unwrap_or(false);
        // Below index 0 the subtraction wraps around to an index outside of the mask.
        let enclosed = || {
            inside(z.wrapping_sub(1), y, x)
                && inside(z + 1, y, x)
                && inside(z, y.wrapping_sub(1), x)
                && inside(z, y + 1, x)
                && inside(z, y, x.wrapping_sub(1))
                && inside(z, y, x + 1)
        };
        mask[[z, y, x]] && !enclosed()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: usize) -> Array3<bool> {
        Array3::from_shape_fn((1, 1, 6), |(_, _, at)| at == x)
    }

    #[test]
    fn two_points_are_as_far_apart_as_they_are() {
        let pair = MaskPair { prediction: point(0), reference: point(4), spacing: [1.0, 1.0, 0.5] };
        let surfaces = Surfaces::between(&pair).unwrap();
        assert_eq!(surfaces.hausdorff_95(), 2.0);
        assert_eq!(surfaces.average(), 2.0);
        assert_eq!((surfaces.dice(1.9), surfaces.dice(2.0)), (0.0, 1.0));
    }

    #[test]
    fn the_inside_of_a_block_is_no_border() {
        let border = border(Array3::from_elem((3, 3, 3), true).view());
        assert_eq!(border.iter().filter(|set| **set).count(), 26);
    }

    #[test]
    fn nothing_has_no_surface() {
        let nothing = Array3::from_elem((1, 1, 6), false);
        let pair = MaskPair { prediction: nothing, reference: point(1), spacing: [1.0; 3] };
        assert_eq!(Surfaces::between(&pair), None);
    }
}
