//! Parameters of the spatial transform.

use std::f64::consts::PI;

use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elastic::Elastic;
use super::warp::{Warp, center_crop, warp};
use crate::draw::{Interval, draw};
use crate::patch::enlarged_patch;

/// A patch longer than this factor of its shortest side is elongated.
const ELONGATED: f64 = 1.5;
/// Margin in voxels beyond which the spline prefilter's contribution is below single precision.
const SPLINE_MARGIN: f64 = 12.0;

/// Rotation, scaling and elastic deformation of a sample, which is cut to the network's patch.
///
/// Source: batchgenerators `SpatialTransform` and `SpatialTransform_2`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spatial {
    /// Probability of rotation per sample.
    pub p_rot: f64,
    /// Probability of each axis of a rotated sample of a 3D network.
    pub rotation_p_per_axis: f64,
    /// The same for a 2D network.
    pub rotation_p_2d: f64,
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
    /// Smallest factor for which the enlarged patch is large enough (v1 fixes it before it widens the range).
    pub generator_scale: f64,
    /// Probability of elastic deformation per sample.
    pub p_eldef: f64,
    /// Strength of a deformation.
    pub elastic_deform_alpha: Interval,
    /// The same within slices.
    pub elastic_deform_alpha_2d: Interval,
    /// Smoothness of a deformation, voxels.
    pub elastic_deform_sigma: Interval,
    /// Smoothness as a fraction of the patch size, with a matching strength; if set, it replaces alpha and sigma.
    pub eldef_deformation_scale: Option<Interval>,
}

impl Default for Spatial {
    fn default() -> Self {
        Self {
            p_rot: 0.2,
            rotation_p_per_axis: 1.0,
            rotation_p_2d: 1.0,
            rotation: [30.0_f64.to_radians(); 3],
            rotation_2d: PI,
            rotation_2d_elongated: 15.0_f64.to_radians(),
            p_scale: 0.2,
            scale_range: [0.7, 1.4],
            p_independent_scale_per_axis: 0.0,
            generator_scale: 0.85,
            p_eldef: 0.0,
            elastic_deform_alpha: [0.0, 900.0],
            elastic_deform_alpha_2d: [0.0, 200.0],
            elastic_deform_sigma: [9.0, 13.0],
            eldef_deformation_scale: None,
        }
    }
}

/// Parameters drawn for a sample.
struct Drawn {
    warp: Warp,
    elastic: Option<Elastic>,
}

impl Drawn {
    fn is_identity(&self) -> bool {
        self.elastic.is_none() && self.warp == Warp::default()
    }
}

impl Spatial {
    /// The patch size that is large enough for all rotations and scales, with as many axes as the patch.
    pub(crate) fn generator_patch(&self, context: &AugmentationContext) -> Vec<usize> {
        enlarged(context, self.rotation, self.in_plane(context), self.generator_scale)
    }

    /// The part of it, around the same center, that the parameters drawn next need.
    pub(crate) fn crop(&self, context: &AugmentationContext, random: &RandomStream) -> Vec<usize> {
        let whole = self.generator_patch(context);
        let drawn = self.draw(context, &mut random.clone());
        let patch = context.volume();
        let needed =
            if drawn.is_identity() { Some(patch) } else { needed(&drawn, patch, is_planar(context)) };
        needed.map_or_else(|| whole.clone(), |needed| shrunk(&whole, needed))
    }

    /// Transforms a sample of the size that [`Spatial::crop`] returned.
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        let mut drawn = self.draw(context, random);
        let patch = context.volume();
        let old = std::mem::replace(sample, Sample { data: Default::default(), seg: Default::default() });
        if drawn.is_identity() {
            *sample = center_crop(old, patch);
            return;
        }
        drawn.warp.displacement =
            drawn.elastic.map(|elastic| elastic.field(patch, is_planar(context), random));
        *sample = warp(&old, patch, &drawn.warp);
    }

    fn in_plane(&self, context: &AugmentationContext) -> f64 {
        if is_elongated(context) { self.rotation_2d_elongated } else { self.rotation_2d }
    }

    fn draw(&self, context: &AugmentationContext, random: &mut RandomStream) -> Drawn {
        let elastic = random.chance(self.p_eldef).then(|| self.draw_elastic(context, random));
        let angles = if random.chance(self.p_rot) { self.draw_angles(context, random) } else { [0.0; 3] };
        let scale =
            if random.chance(self.p_scale) { self.draw_scale(is_planar(context), random) } else { [1.0; 3] };
        Drawn { warp: Warp { angles, scale, displacement: None }, elastic }
    }

    fn draw_angles(&self, context: &AugmentationContext, random: &mut RandomStream) -> [f64; 3] {
        let mut angle = |most: f64, p: f64| if random.chance(p) { random.uniform(-most, most) } else { 0.0 };
        if is_planar(context) {
            let p = if context.is_2d() { self.rotation_p_2d } else { self.rotation_p_per_axis };
            [angle(self.in_plane(context), p), 0.0, 0.0]
        } else {
            self.rotation.map(|most| angle(most, self.rotation_p_per_axis))
        }
    }

    fn draw_scale(&self, planar: bool, random: &mut RandomStream) -> [f64; 3] {
        let [low, high] = self.scale_range;
        let mut scale = if random.chance(self.p_independent_scale_per_axis) {
            [(); 3].map(|()| random.around_one(low, high))
        } else {
            [random.around_one(low, high); 3]
        };
        if planar {
            scale[0] = 1.0;
        }
        scale
    }

    fn draw_elastic(&self, context: &AugmentationContext, random: &mut RandomStream) -> Elastic {
        let Some(range) = self.eldef_deformation_scale else {
            let alpha =
                if is_planar(context) { self.elastic_deform_alpha_2d } else { self.elastic_deform_alpha };
            return Elastic::Absolute {
                alpha: draw(alpha, random),
                sigma: draw(self.elastic_deform_sigma, random),
            };
        };
        let share = draw(range, random);
        let sigma = context.volume().map(|len| share * len as f64);
        Elastic::Relative { sigma, magnitude: sigma.map(|sigma| random.uniform(sigma / 8.0, sigma / 2.0)) }
    }
}

/// The patch size that is large enough for all rotations and for a scale, with as many axes as the patch.
pub(crate) fn enlarged(
    context: &AugmentationContext,
    rotation: [f64; 3],
    in_plane: f64,
    scale: f64,
) -> Vec<usize> {
    let patch = &context.patch;
    let within = [in_plane, 0.0, 0.0];
    if context.is_2d() {
        enlarged_patch(patch, within, scale)
    } else if context.dummy_2d {
        std::iter::once(patch[0]).chain(enlarged_patch(&patch[1..], within, scale)).collect()
    } else {
        enlarged_patch(patch, rotation, scale)
    }
}

/// The smallest part of a box, around the same center, that contains `needed` (z, y, x).
pub(crate) fn shrunk(whole: &[usize], needed: [usize; 3]) -> Vec<usize> {
    let from = 3 - whole.len();
    let shrink = |(axis, whole): (usize, &usize)| whole - whole.saturating_sub(needed[from + axis]) / 2 * 2;
    whole.iter().enumerate().map(shrink).collect()
}

/// Whether a 2D patch is much longer than wide: it is rotated less.
pub(crate) fn is_elongated(context: &AugmentationContext) -> bool {
    let sides = &context.patch;
    let (long, short) = (sides.iter().max().unwrap_or(&1), sides.iter().min().unwrap_or(&1));
    context.is_2d() && *long as f64 / *short as f64 > ELONGATED
}

/// Whether only the plane of each slice is transformed.
pub(crate) fn is_planar(context: &AugmentationContext) -> bool {
    context.is_2d() || context.dummy_2d
}

/// The box around the center that contains all sampling positions; `None` if it is not known yet.
fn needed(drawn: &Drawn, patch: [usize; 3], planar: bool) -> Option<[usize; 3]> {
    let reach = drawn.elastic.map_or(Some([0.0; 3]), |elastic| elastic.reach())?;
    let matrix = drawn.warp.affine(patch, patch).matrix;
    let half: [f64; 3] = std::array::from_fn(|axis| (patch[axis] as f64 - 1.0) / 2.0 + reach[axis]);
    let extent = |row: [f64; 3]| (0..3).map(|axis| row[axis].abs() * half[axis]).sum::<f64>();
    let mut needed = matrix.map(|row| (2.0 * (extent(row) + SPLINE_MARGIN)).ceil() as usize + 1);
    if planar {
        needed[0] = patch[0];
    }
    Some(needed)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, s};

    use super::*;

    fn context() -> AugmentationContext {
        AugmentationContext { patch: vec![20, 24, 22], ..Default::default() }
    }

    /// The part that is read suffices: the whole enlarged patch gives the same sample.
    #[test]
    fn the_crop_gives_what_the_whole_patch_gives() {
        let spatial = Spatial {
            p_rot: 0.5,
            p_scale: 0.5,
            p_eldef: 0.3,
            eldef_deformation_scale: Some([0.0, 0.25]),
            scale_range: [0.5, 0.8],
            generator_scale: 0.4,
            ..Spatial::default()
        };
        let context = context();
        let whole = spatial.generator_patch(&context);
        let texture = |(_, z, y, x): (usize, usize, usize, usize)| ((z * 7 + y * 13 + x * 5) % 19) as f32;
        let data = Array4::from_shape_fn((1, whole[0], whole[1], whole[2]), texture);
        let mut smaller = 0;
        for seed in 0..20 {
            let random = RandomStream::from_seed(seed);
            let crop = spatial.crop(&context, &random);
            smaller += usize::from(crop != whole);
            let from: Vec<usize> = whole.iter().zip(&crop).map(|(whole, crop)| (whole - crop) / 2).collect();
            let cut = data.slice(s![
                ..,
                from[0]..from[0] + crop[0],
                from[1]..from[1] + crop[1],
                from[2]..from[2] + crop[2]
            ]);
            let mut small = Sample { data: cut.to_owned(), seg: cut.to_owned() };
            let mut large = Sample { data: data.clone(), seg: data.clone() };
            spatial.apply(&mut small, &context, &mut random.clone());
            spatial.apply(&mut large, &context, &mut random.clone());
            assert_eq!(small.data.shape(), [1, 20, 24, 22]);
            assert_eq!(small.seg, large.seg);
            let error = (&small.data - &large.data).iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            assert!(error < 1e-3, "seed {seed}: {error}");
        }
        assert!(smaller > 10);
    }

    /// Ten thousand draws of the default parameters: frequencies and distributions.
    #[test]
    fn draws_have_the_shares_and_ranges_of_v1() {
        const DRAWS: usize = 10_000;
        let (spatial, context) = (Spatial::default(), context());
        let mut random = RandomStream::from_seed(11);
        let drawn: Vec<Warp> = (0..DRAWS).map(|_| spatial.draw(&context, &mut random).warp).collect();
        let angles: Vec<f64> = drawn.iter().flat_map(|w| w.angles).filter(|angle| *angle != 0.0).collect();
        let scales: Vec<f64> = drawn.iter().map(|w| w.scale[0]).filter(|scale| *scale != 1.0).collect();
        let near = |value: f64, expected: f64, by: f64| assert!((value - expected).abs() < by, "{value}");
        near(angles.len() as f64 / (3 * DRAWS) as f64, 0.2, 0.02);
        near(scales.len() as f64 / DRAWS as f64, 0.2, 0.02);
        let most = 30.0_f64.to_radians();
        assert!(angles.iter().all(|angle| angle.abs() <= most));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        near(mean(&angles), 0.0, 0.02);
        near(mean(&angles.iter().map(|angle| angle * angle).collect::<Vec<_>>()), most * most / 3.0, 0.005);
        assert!(scales.iter().all(|scale| (0.7..1.4).contains(scale)));
        let (below, above): (Vec<f64>, Vec<f64>) = scales.iter().partition(|scale| **scale < 1.0);
        near(below.len() as f64 / scales.len() as f64, 0.5, 0.05);
        near(mean(&below), 0.85, 0.01);
        near(mean(&above), 1.2, 0.015);
        assert!(drawn.iter().all(|w| w.scale == [w.scale[0]; 3]), "one factor for all axes");
    }

    #[test]
    fn enlarged_patches_follow_the_mode() {
        let spatial = Spatial::default();
        let patch = |patch: &[usize], dummy_2d| {
            let context = AugmentationContext { patch: patch.to_vec(), dummy_2d, ..Default::default() };
            spatial.generator_patch(&context)
        };
        assert_eq!(patch(&[40, 56, 40], false), [73, 80, 64]);
        assert_eq!(patch(&[56, 40], false), [65, 65]);
        assert_eq!(
            patch(&[90, 40], false),
            enlarged_patch(&[90, 40], [15.0_f64.to_radians(), 0.0, 0.0], 0.85)
        );
        assert_eq!(patch(&[6, 320, 256], true), [6, 376, 376]);
    }
}
