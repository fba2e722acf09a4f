//! The spacing that cases are resampled to.

use nnunet_numerics::stats::percentile_f64;
use nnunet_plugin_api::vocabulary::Fingerprint;
use nnunet_plugin_api::{PlannerSettings, SpacingRule};

/// Percentile of the spacings on a strongly anisotropic axis.
const ANISOTROPIC_PERCENTILE: f64 = 10.0;
/// Keeps the first axis the coarsest when it would tie.
const MARGIN: f64 = 1e-5;

/// Index of the largest element; the first one on ties.
pub(crate) fn first_largest(values: [f64; 3]) -> usize {
    (0..3).fold(0, |best, axis| if values[axis] > values[best] { axis } else { best })
}

/// Median spacing; where one axis is much coarser and much shorter than the others, its 10th percentile, but not below
/// the others (v1 `ExperimentPlanner3D_v21.get_target_spacing`).
pub(crate) fn target_spacing(settings: &PlannerSettings, fingerprint: &Fingerprint) -> [f64; 3] {
    let spacings = |axis: usize| fingerprint.all_spacings.iter().map(|s| s[axis]).collect::<Vec<_>>();
    let mut target: [f64; 3] = std::array::from_fn(|axis| percentile_f64(&spacings(axis), 50.0));
    if settings.spacing_rule == SpacingRule::Median {
        return target;
    }
    let sizes = |axis: usize| fingerprint.all_sizes.iter().map(|s| s[axis] as f64).collect::<Vec<_>>();
    let size: [f64; 3] = std::array::from_fn(|axis| percentile_f64(&sizes(axis), 50.0));
    let worst = first_largest(target);
    let others = (0..3).filter(|axis| *axis != worst);
    let coarsest = others.clone().map(|axis| target[axis]).fold(0.0, f64::max);
    let shortest = others.map(|axis| size[axis]).fold(f64::INFINITY, f64::min);
    let threshold = settings.anisotropy_threshold;
    if target[worst] > threshold * coarsest && size[worst] * threshold < shortest {
        let fine = percentile_f64(&spacings(worst), ANISOTROPIC_PERCENTILE);
        target[worst] = if fine < coarsest { coarsest.max(fine) + MARGIN } else { fine };
    }
    target
}
