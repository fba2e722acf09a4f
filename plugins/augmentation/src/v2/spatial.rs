//! v2's rotation and scaling: linear interpolation, zeros outside.

use std::f64::consts::PI;

use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warp::{Interpolation, LinearWarp, center_cut, warp_linear};
use crate::draw::{Interval, draw};
use crate::spatial::{enlarged, is_elongated, is_planar, shrunk};

/// Rotation and scaling of a sample, which is cut to the network's patch.
///
/// Source: batchgeneratorsv2 `SpatialTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearSpatial {
    /// Probability of rotation per sample.
    pub p_rot: f64,
    /// Probability of each axis of a rotated sample.
    pub rotation_p_per_axis: f64,
    /// Largest angle about z, y and x of a volume, radians.
    pub rotation: [f64; 3],
    /// Largest angle within slices, radians: for 2D networks and for strongly anisotropic patches.
    pub rotation_2d: f64,
    /// The same for 2D patches whose longer side is more than 1.5 times the shorter one.
    pub rotation_2d_elongated: f64,
    /// Probability of scaling per sample.
    pub p_scale: f64,
    /// Factor of the sampling grid: values above 1 shrink the image.
    pub scale_range: Interval,
    /// Probability that a scaled sample gets an independent factor per axis.
    pub p_independent_scale_per_axis: f64,
    /// Smallest factor for which the enlarged patch is large enough (v2 does not change it with the range).
    pub generator_scale: f64,
    /// Interpolation of images.
    pub interpolation: Interpolation,
    /// Interpolation of labels; with `linear` the label of largest weight is taken.
    pub label_interpolation: Interpolation,
    /// Whether strongly anisotropic volumes are transformed slice by slice.
    pub dummy_2d: bool,
}

impl Default for LinearSpatial {
    fn default() -> Self {
        Self {
            p_rot: 0.2,
            rotation_p_per_axis: 1.0,
            rotation: [30.0_f64.to_radians(); 3],
            rotation_2d: PI,
            rotation_2d_elongated: 15.0_f64.to_radians(),
            p_scale: 0.2,
            scale_range: [0.7, 1.4],
            p_independent_scale_per_axis: 0.0,
            generator_scale: 0.85,
            interpolation: Interpolation::Linear,
            label_interpolation: Interpolation::Linear,
            dummy_2d: true,
        }
    }
}

impl LinearSpatial {
    /// The patch size that is large enough for all rotations and v2's scale, with as many axes as the patch.
    pub(crate) fn generator_patch(&self, context: &AugmentationContext) -> Vec<usize> {
        let context = &self.seen(context);
        enlarged(context, self.rotation, self.in_plane(context), self.generator_scale)
    }

    /// The part of it, around the same center, that the parameters drawn next need.
    pub(crate) fn crop(&self, context: &AugmentationContext, random: &RandomStream) -> Vec<usize> {
        let context = &self.seen(context);
        let patch = context.volume();
        let whole = self.generator_patch(context);
        match self.draw(context, &mut random.clone()) {
            Some(warp) => shrunk(&whole, warp.needs(patch)),
            None => uncut(&whole, &context.patch),
        }
    }

    /// Transforms a sample of the size that [`LinearSpatial::crop`] returned.
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        let context = &self.seen(context);
        let patch = context.volume();
        match self.draw(context, random) {
            None => center_cut(sample, patch),
            Some(warp) => {
                *sample = warp_linear(sample, patch, &warp, self.interpolation, self.label_interpolation);
            }
        }
    }

    /// Rotation and scale of a sample; none: it is only cut.
    pub(crate) fn draw(
        &self,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Option<LinearWarp> {
        let rotates = random.chance(self.p_rot);
        let scales = random.chance(self.p_scale);
        let angles = if rotates { self.draw_angles(context, random) } else { [0.0; 3] };
        let scale = if scales { self.draw_scale(context, random) } else { [1.0; 3] };
        (rotates || scales).then_some(LinearWarp { angles, scale })
    }

    fn draw_angles(&self, context: &AugmentationContext, random: &mut RandomStream) -> [f64; 3] {
        let p = self.rotation_p_per_axis;
        let mut angle = |most: f64| if random.chance(p) { random.uniform(-most, most) } else { 0.0 };
        if is_planar(context) { [angle(self.in_plane(context)), 0.0, 0.0] } else { self.rotation.map(angle) }
    }

    fn draw_scale(&self, context: &AugmentationContext, random: &mut RandomStream) -> [f64; 3] {
        let mut scale = if random.chance(self.p_independent_scale_per_axis) {
            [(); 3].map(|()| draw(self.scale_range, random))
        } else {
            [draw(self.scale_range, random); 3]
        };
        if is_planar(context) {
            scale[0] = 1.0;
        }
        scale
    }

    fn in_plane(&self, context: &AugmentationContext) -> f64 {
        if is_elongated(context) { self.rotation_2d_elongated } else { self.rotation_2d }
    }

    fn seen(&self, context: &AugmentationContext) -> AugmentationContext {
        AugmentationContext { dummy_2d: self.dummy_2d && context.dummy_2d, ..context.clone() }
    }
}

/// The part of the enlarged patch from which [`center_cut`] takes `patch`: that itself, unless rounding differs.
fn uncut(whole: &[usize], patch: &[usize]) -> Vec<usize> {
    let size = |(whole, patch): (&usize, &usize)| {
        let excess = whole.saturating_sub(*patch);
        if excess.is_multiple_of(2) || patch.is_multiple_of(2) {
            *patch.min(whole)
        } else {
            whole - excess / 2 * 2
        }
    };
    whole.iter().zip(patch).map(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the cut lies does not depend on how much is read around it.
    #[test]
    fn the_patch_itself_is_read_where_it_is_the_center() {
        for patch in 1..12_usize {
            for whole in patch..20 {
                let read = uncut(&[whole], &[patch])[0];
                let start = (whole - read) / 2 + read / 2 - patch / 2;
                assert_eq!(
                    start,
                    (whole - shrunk(&[whole], [1, 1, patch])[0]) / 2 + shrunk(&[whole], [1, 1, patch])[0] / 2
                        - patch / 2,
                    "{patch} of {whole}"
                );
                assert!(read == patch || patch % 2 == 1);
            }
        }
    }
}
