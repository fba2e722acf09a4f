//! Detection of lesions.

use ndarray::{Array3, Zip};
use nnunet_numerics::{Components, connected_components};

use crate::MaskPair;

/// Counts of lesions: connected components with face connectivity, as in v1's postprocessing. A lesion is detected if
/// at least one of its voxels is predicted (the most lenient of the common criteria; Maier-Hein et al., Metrics
/// reloaded, 2024).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lesions {
    /// Lesions of the reference.
    pub reference: usize,
    /// Lesions of the reference that overlap with the prediction.
    pub detected: usize,
    /// Components of the prediction.
    pub prediction: usize,
    /// Components of the prediction that overlap with the reference.
    pub confirmed: usize,
}

impl Lesions {
    /// Counts.
    #[must_use]
    pub fn count(pair: &MaskPair) -> Self {
        let reference = connected_components(pair.reference.view());
        let prediction = connected_components(pair.prediction.view());
        Self {
            detected: touched(&reference, &pair.prediction),
            confirmed: touched(&prediction, &pair.reference),
            reference: reference.sizes.len(),
            prediction: prediction.sizes.len(),
        }
    }

    /// Fraction of the reference lesions that are detected; NaN if there are none.
    #[must_use]
    pub fn sensitivity(&self) -> f64 {
        self.detected as f64 / self.reference as f64
    }

    /// Fraction of the predicted lesions that are in the reference; NaN if there are none.
    #[must_use]
    pub fn precision(&self) -> f64 {
        self.confirmed as f64 / self.prediction as f64
    }

    /// Harmonic mean of sensitivity and precision; 0 if nothing is detected, NaN if there are no lesions in either map.
    #[must_use]
    pub fn f1(&self) -> f64 {
        match (self.reference + self.prediction, self.detected) {
            (0, _) => f64::NAN,
            (_, 0) => 0.0,
            _ => 2.0 / (1.0 / self.sensitivity() + 1.0 / self.precision()),
        }
    }
}

fn touched(components: &Components, mask: &Array3<bool>) -> usize {
    let mut touched = vec![false; components.sizes.len() + 1];
    Zip::from(&components.labels).and(mask).for_each(|component, set| {
        touched[*component as usize] |= *set;
    });
    touched.iter().skip(1).filter(|touched| **touched).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(line: &str) -> Array3<bool> {
        let set: Vec<bool> = line.chars().map(|c| c == '#').collect();
        Array3::from_shape_vec((1, 1, set.len()), set).unwrap()
    }

    #[test]
    fn lesions_are_found_missed_and_made_up() {
        let (reference, prediction) = (mask("##.##.#...."), mask(".###......#"));
        let lesions = Lesions::count(&MaskPair { reference, prediction, spacing: [1.0; 3] });
        assert_eq!(lesions, Lesions { reference: 3, detected: 2, prediction: 2, confirmed: 1 });
        assert_eq!((lesions.sensitivity(), lesions.precision()), (2.0 / 3.0, 0.5));
        assert!((lesions.f1() - 4.0 / 7.0).abs() < 1e-12);
        assert!(Lesions::default().f1().is_nan());
        assert_eq!(Lesions { reference: 2, ..Default::default() }.f1(), 0.0);
    }
}
