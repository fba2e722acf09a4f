//! The spacing that cases are resampled to.

use nnunet_numerics::stats::percentile_f64;
use nnunet_plugin_core::vocabulary::Fingerprint;
use nnunet_plugin_core::{PlannerSettings, SpacingRule};

/// Percentile of the spacings that is used for a strongly anisotropic axis.
const ANISOTROPIC_PERCENTILE: f64 = 10.0;
/// Keeps the first axis the coarsest in case of a tie.
const MARGIN: f64 = 1e-5;

/// Index of the largest element; the first one on ties.
pub(crate) fn first_largest(values: [f64; 3]) -> usize {
    (0..3).fold(0, |best, axis| if values[axis] > values[best] { axis } else { best })
}

/// The target spacing according to the planner's settings (v1 `get_target_spacing`).
pub(crate) fn target_spacing(settings: &PlannerSettings, fingerprint: &Fingerprint) -> [f64; 3] {
    let spacings = |axis: usize| fingerprint.all_spacings.iter().map(|s| s[axis]).collect::<Vec<_>>();
    let sizes = |axis: usize| fingerprint.all_sizes.iter().map(|s| s[axis] as f64).collect::<Vec<_>>();
    let mut target: [f64; 3] = std::array::from_fn(|axis| percentile_f64(&spacings(axis), 50.0));
    let size: [f64; 3] = std::array::from_fn(|axis| percentile_f64(&sizes(axis), 50.0));
    let worst = first_largest(target);
    let others = || (0..3).filter(|axis| *axis != worst);
    let coarsest = others().map(|axis| target[axis]).fold(0.0, f64::max);
    let shortest = others().map(|axis| size[axis]).fold(f64::INFINITY, f64::min);
    let longest = others().map(|axis| size[axis]).fold(0.0, f64::max);
    let threshold = settings.anisotropy_threshold;
    let coarse = target[worst] > threshold * coarsest;
    let shorter_than = |edge: f64| size[worst] * threshold < edge;
    let fine = percentile_f64(&spacings(worst), ANISOTROPIC_PERCENTILE);
    match settings.spacing_rule {
        SpacingRule::MedianAnisotropic if coarse && shorter_than(shortest) => {
            target[worst] = if fine < coarsest { coarsest + MARGIN } else { fine };
        }
        SpacingRule::MedianAnisotropicBounded if coarse && shorter_than(shortest) => {
            target[worst] = fine.max(threshold * coarsest);
        }
        SpacingRule::MedianAnisotropicUnbounded if coarse && shorter_than(longest) => target[worst] = fine,
        _ => {}
    }
    target
}
