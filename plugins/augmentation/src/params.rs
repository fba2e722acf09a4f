//! Probabilities and ranges. The defaults are those of `nnUNetTrainerV2`.

use serde::{Deserialize, Serialize};

/// Lower and upper bound.
pub type Interval = [f64; 2];

/// A patch longer than this factor of its shortest side is rotated by small angles only (2D).
const ELONGATED: f64 = 1.5;
/// Scale range for which v1 computes the enlarged patch, before it widens the range.
const V1_SCALE: Interval = [0.85, 1.25];

/// All parameters of augmentation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationParams {
    /// Rotate with this probability per sample.
    pub p_rot: f64,
    /// Largest angle about each axis, radians, (z, y, x) of the patch; in 2D and dummy 2D the first one is in-plane.
    pub rotation: [f64; 3],
    /// Scale with this probability per sample.
    pub p_scale: f64,
    /// Factor of the sampling grid: above one shrinks the image.
    pub scale_range: Interval,
    /// Rotate and scale within slices only.
    pub dummy_2d: bool,
    /// Probability of noise.
    pub p_noise: f64,
    /// Standard deviation of the noise (v1 calls it variance).
    pub noise_variance: Interval,
    /// Probability of blur per sample.
    pub p_blur: f64,
    /// Probability of blur per channel of such a sample.
    pub p_blur_per_channel: f64,
    /// Sigma of the blur, voxels.
    pub blur_sigma: Interval,
    /// Probability of a brightness change.
    pub p_brightness: f64,
    /// Factor of the brightness.
    pub brightness_range: Interval,
    /// Probability of a contrast change.
    pub p_contrast: f64,
    /// Factor of the contrast.
    pub contrast_range: Interval,
    /// Probability of a simulated low resolution per sample.
    pub p_lowres: f64,
    /// Probability per channel of such a sample.
    pub p_lowres_per_channel: f64,
    /// Zoom of the low resolution.
    pub lowres_zoom: Interval,
    /// Probability of gamma on the inverted image.
    pub p_gamma_inverted: f64,
    /// Probability of gamma.
    pub p_gamma: f64,
    /// Exponent.
    pub gamma_range: Interval,
    /// Mirrored axes of the patch.
    pub mirror_axes: Vec<usize>,
    /// Turns everything but mirroring off.
    pub enabled: bool,
}

impl Default for AugmentationParams {
    fn default() -> Self {
        Self {
            p_rot: 0.2,
            rotation: [30.0_f64.to_radians(); 3],
            p_scale: 0.2,
            scale_range: [0.7, 1.4],
            dummy_2d: false,
            p_noise: 0.1,
            noise_variance: [0.0, 0.1],
            p_blur: 0.2,
            p_blur_per_channel: 0.5,
            blur_sigma: [0.5, 1.0],
            p_brightness: 0.15,
            brightness_range: [0.75, 1.25],
            p_contrast: 0.15,
            contrast_range: [0.75, 1.25],
            p_lowres: 0.25,
            p_lowres_per_channel: 0.5,
            lowres_zoom: [0.5, 1.0],
            p_gamma_inverted: 0.1,
            p_gamma: 0.3,
            gamma_range: [0.7, 1.5],
            mirror_axes: vec![0, 1, 2],
            enabled: true,
        }
    }
}

impl AugmentationParams {
    /// v1's choice for a patch of 2 or 3 axes (`setup_DA_params`).
    #[must_use]
    pub fn for_patch(patch: &[usize], dummy_2d: bool) -> Self {
        let plane = if patch.len() == 3 { &patch[1..] } else { patch };
        let (long, short) =
            (plane.iter().max().copied().unwrap_or(1), plane.iter().min().copied().unwrap_or(1));
        let in_plane =
            if patch.len() == 2 && long as f64 / short as f64 > ELONGATED { 15.0_f64 } else { 180.0 };
        let mut params = Self { dummy_2d, ..Self::default() };
        if patch.len() == 2 || dummy_2d {
            params.rotation = [in_plane.to_radians(), 0.0, 0.0];
        }
        if patch.len() == 2 {
            params.mirror_axes = vec![0, 1];
        }
        params
    }

    /// The patch to cut out so that rotated and scaled patches stay inside.
    #[must_use]
    pub fn generator_patch(&self, patch: &[usize]) -> Vec<usize> {
        if !self.enabled {
            return patch.to_vec();
        }
        if self.dummy_2d && patch.len() == 3 {
            let plane = crate::enlarged_patch(&patch[1..], self.rotation, V1_SCALE);
            return std::iter::once(patch[0]).chain(plane).collect();
        }
        crate::enlarged_patch(patch, self.rotation, V1_SCALE)
    }
}
