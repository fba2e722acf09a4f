//! Target spacing, axis order and median size of a data set of v2.

use nnunet_numerics::resampled_shape;
use nnunet_numerics::stats::{median_f64, percentile_f64};
use nnunet_plugin_core::V2PlannerSettings;

use super::document::Fingerprint;
use crate::spacing::first_largest;

/// Percentile of the spacings on a strongly anisotropic axis.
const ANISOTROPIC_PERCENTILE: f64 = 10.0;
/// Keeps an anisotropic axis the coarsest when it would tie.
const MARGIN: f64 = 1e-5;

/// The median spacing; on an axis that is much coarser and much shorter than both others the 10th percentile.
pub(super) fn target_spacing(settings: &V2PlannerSettings, fingerprint: &Fingerprint) -> [f64; 3] {
    if let Some(fixed) = settings.target_spacing {
        return fixed;
    }
    let spacings = |axis: usize| fingerprint.spacings.iter().map(|s| s[axis]).collect::<Vec<_>>();
    let sizes = |axis: usize| fingerprint.shapes.iter().map(|s| s[axis] as f64).collect::<Vec<_>>();
    let mut target = [0, 1, 2].map(|axis| percentile_f64(&spacings(axis), 50.0));
    let size = [0, 1, 2].map(|axis| percentile_f64(&sizes(axis), 50.0));
    let worst = first_largest(target);
    let others = || (0..3).filter(|axis| *axis != worst);
    let coarsest = others().map(|axis| target[axis]).fold(0.0, f64::max);
    let shortest = others().map(|axis| size[axis]).fold(f64::INFINITY, f64::min);
    let threshold = settings.anisotropy_threshold;
    if target[worst] > threshold * coarsest && size[worst] * threshold < shortest {
        let fine = percentile_f64(&spacings(worst), ANISOTROPIC_PERCENTILE);
        target[worst] = if fine < coarsest { coarsest + MARGIN } else { fine };
    }
    target
}

/// Per-axis median of the sizes after resampling.
pub(super) fn median_shape(fingerprint: &Fingerprint, target: [f64; 3]) -> [f64; 3] {
    let cases = fingerprint.shapes.iter().zip(&fingerprint.spacings);
    let shapes: Vec<[usize; 3]> =
        cases.map(|(shape, spacing)| resampled_shape(*shape, *spacing, target)).collect();
    median_size(&shapes)
}

/// Per-axis median.
pub(super) fn median_size(shapes: &[[usize; 3]]) -> [f64; 3] {
    [0, 1, 2].map(|axis| median_f64(&shapes.iter().map(|shape| shape[axis] as f64).collect::<Vec<_>>()))
}

/// Per-axis median.
pub(super) fn median_spacing(spacings: &[[f64; 3]]) -> [f64; 3] {
    [0, 1, 2].map(|axis| median_f64(&spacings.iter().map(|spacing| spacing[axis]).collect::<Vec<_>>()))
}
