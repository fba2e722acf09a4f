//! The lists of transforms by name: those of v1's trainers, and where they differ from [`nnUNetTrainerV2`'s](more_da),
//! and those of [v2's](crate::lists_v2).

use nnunet_plugin_core::{Config, Error, Registration, Result, inventory};

use crate::axes::{Mirror, Rot90, Transpose};
use crate::brightness::{AdditiveBrightness, Brightness, Contrast, Gamma, InvertedGamma};
use crate::cascade::Cascade;
use crate::family::{self, Family, Pipeline};
use crate::lists_v2 as lists;
use crate::local::{BrightnessGradient, LocalGamma, Rectangles, Sharpening};
use crate::lowres::LowResolution;
use crate::noise::{Blur, Median, Noise};
use crate::spatial::Spatial;
use crate::transform::Transform;

macro_rules! families {
    ($($name:literal, $summary:literal, $transforms:expr $(, $setting:ident)?;)*) => {
        static FAMILIES: &[Family] = &[$(Family::new($name, $summary, $transforms)$(.$setting())?),*];

        $(inventory::submit!(Registration(|| {
            family::component(Family::new($name, $summary, $transforms)$(.$setting())?)
        }));)*
    };
}

impl Pipeline {
    /// A built-in list with changed parameters: `table` has parameters by name, a complete list under `transforms`, or further
    /// transforms under `then`.
    ///
    /// # Errors
    /// Returns an error for an unknown list or parameter, or a value of the wrong type.
    pub fn named(name: &str, table: &Config) -> Result<Self> {
        let family = FAMILIES.iter().find(|family| family.name == name);
        let family = family.ok_or_else(|| Error::message(format!("there is no augmentation `{name}`")))?;
        Self::new(family, table)
    }
}

families! {
    "moreDA", "nnUNetTrainerV2's: rotation, scaling, noise, blur, brightness, contrast, resolution, gamma, mirroring.",
        || more_da(Spatial::default(), NO_ADDED_BRIGHTNESS);
    "noDA", "None.", || vec![Transform::Cascade(Cascade::default())];
    "defaultDA", "nnUNetTrainer's (V1): rotation, scaling, elastic deformation, gamma, mirroring.", default_da;
    "independentScalePerAxis", "moreDA with a scale of its own along every axis.",
        || more_da(independent_scale(), NO_ADDED_BRIGHTNESS);
    "DA2", "moreDA with independent scales, fewer axes of rotation, and added brightness.", da2;
    "insaneDA", "Stronger than moreDA, with elastic deformation.", || insane(
        Spatial { scale_range: [0.65, 1.6], p_eldef: 0.2, ..insane_space([0.0, 1300.0]) },
        NO_ADDED_BRIGHTNESS,
        [0.6, 2.0],
    );
    "MMS", "insaneDA as in the M&Ms challenge of 2020.", mms;
    "DA3", "insaneDA with deformations relative to the patch.", || insane(
        Spatial { p_eldef: 0.3, ..da3_space(30.0) },
        added_brightness(1.0),
        [0.5, 1.6],
    );
    "DA4", "DA3 with rotations by 90 degrees about all axes, as in BraTS 2020.", || insane(
        Spatial { p_eldef: 0.2, ..da3_space(90.0) },
        added_brightness(0.5),
        [0.5, 1.6],
    );
    "DA5", "Many transforms: transposed axes, blank rectangles, local brightness and gamma, sharpening.", da5;
    "v2DA", "nnU-Net v2's: rotation, scaling, noise, blur, brightness, contrast, resolution, gamma, mirroring.",
        lists::default_list;
    "v2DA5", "nnU-Net v2's nnUNetTrainerDA5: many transforms.", lists::da5;
    "v2NoDA", "nnU-Net v2's nnUNetTrainerNoDA: none; the previous stage of a cascade is not changed either.",
        lists::none, keep_outside;
}

/// An additive brightness transform with probability 0, which a trainer's table can raise.
const NO_ADDED_BRIGHTNESS: AdditiveBrightness = AdditiveBrightness {
    additive_brightness_p_per_sample: 0.0,
    additive_brightness_p_per_channel: 0.5,
    additive_brightness_mu: 0.0,
    additive_brightness_sigma: 0.1,
};

/// The values that the variants of insaneDA use.
fn added_brightness(p_per_channel: f64) -> AdditiveBrightness {
    AdditiveBrightness {
        additive_brightness_p_per_sample: 0.3,
        additive_brightness_p_per_channel: p_per_channel,
        additive_brightness_mu: 0.0,
        additive_brightness_sigma: 0.2,
    }
}

/// `get_moreDA_augmentation`: the default of `nnUNetTrainerV2`.
fn more_da(spatial: Spatial, added: AdditiveBrightness) -> Vec<Transform> {
    vec![
        Transform::Spatial(spatial),
        Transform::Noise(Noise::default()),
        Transform::Blur(Blur::default()),
        Transform::Brightness(Brightness::default()),
        Transform::AdditiveBrightness(added),
        Transform::Contrast(Contrast::default()),
        Transform::LowResolution(LowResolution::default()),
        Transform::InvertedGamma(InvertedGamma::default()),
        Transform::Gamma(Gamma::default()),
        Transform::Mirror(Mirror::default()),
        Transform::Cascade(Cascade::default()),
    ]
}

/// `get_default_augmentation`.
fn default_da() -> Vec<Transform> {
    let spatial = Spatial {
        rotation: [15.0_f64.to_radians(); 3],
        scale_range: [0.85, 1.25],
        p_eldef: 0.2,
        ..Spatial::default()
    };
    vec![
        Transform::Spatial(spatial),
        Transform::Gamma(Gamma::default()),
        Transform::Mirror(Mirror::default()),
        Transform::Cascade(Cascade::default()),
    ]
}

fn independent_scale() -> Spatial {
    Spatial { p_independent_scale_per_axis: 1.0, ..Spatial::default() }
}

fn da2() -> Vec<Transform> {
    // 2D patches have one axis of rotation, so its probability per axis is 1.
    let spatial = Spatial { rotation_p_per_axis: 0.5, rotation_p_2d: 1.0, ..independent_scale() };
    more_da(spatial, AdditiveBrightness::default())
}

/// `get_insaneDA_augmentation` and, with relative deformations, `get_insaneDA_augmentation2`.
fn insane(spatial: Spatial, added: AdditiveBrightness, gamma_range: [f64; 2]) -> Vec<Transform> {
    let inverted = InvertedGamma { p_gamma_inverted: 0.15, gamma_range, ..InvertedGamma::default() };
    vec![
        Transform::Spatial(spatial),
        Transform::Noise(Noise { p_noise: 0.15, ..Noise::default() }),
        Transform::Blur(Blur { blur_sigma: [0.5, 1.5], ..Blur::default() }),
        Transform::Brightness(Brightness { brightness_range: [0.7, 1.3], ..Brightness::default() }),
        Transform::Contrast(Contrast { contrast_range: [0.65, 1.5], ..Contrast::default() }),
        Transform::LowResolution(LowResolution::default()),
        Transform::InvertedGamma(inverted),
        Transform::AdditiveBrightness(added),
        Transform::Gamma(Gamma { gamma_range, ..Gamma::default() }),
        Transform::Mirror(Mirror::default()),
        Transform::Cascade(Cascade::default()),
    ]
}

/// 2D patches rotate by any angle, elongated or not; deformations are as strong as in 3D.
fn insane_space(alpha: [f64; 2]) -> Spatial {
    Spatial {
        rotation_2d_elongated: std::f64::consts::PI,
        elastic_deform_alpha: alpha,
        elastic_deform_alpha_2d: alpha,
        elastic_deform_sigma: [9.0, 15.0],
        ..Spatial::default()
    }
}

fn mms() -> Vec<Transform> {
    let spatial = Spatial {
        p_rot: 0.7,
        p_scale: 0.3,
        p_eldef: 0.1,
        scale_range: [0.65, 1.6],
        p_independent_scale_per_axis: 0.3,
        ..insane_space([0.0, 300.0])
    };
    insane(spatial, added_brightness(1.0), [0.5, 1.6])
}

fn da3_space(degrees: f64) -> Spatial {
    Spatial {
        p_rot: 0.3,
        rotation: [degrees.to_radians(); 3],
        rotation_2d_elongated: std::f64::consts::PI,
        p_scale: 0.3,
        scale_range: [0.65, 1.6],
        p_independent_scale_per_axis: 0.3,
        // v1 sets the parameters up twice, and the second time starts from the scales of the first.
        generator_scale: 0.7,
        eldef_deformation_scale: Some([0.0, 0.25]),
        ..Spatial::default()
    }
}

/// `nnUNetTrainerV2_DA5.get_train_transforms`.
fn da5() -> Vec<Transform> {
    let spatial = Spatial {
        p_rot: 0.4,
        rotation_p_per_axis: 0.5,
        rotation_p_2d: 0.5,
        rotation_2d_elongated: std::f64::consts::PI,
        scale_range: [0.7, 1.43],
        p_independent_scale_per_axis: 1.0,
        generator_scale: 0.7,
        ..Spatial::default()
    };
    let contrast = |contrast_preserve_range| {
        Transform::Contrast(Contrast {
            p_contrast: 0.2,
            p_contrast_per_channel: 0.5,
            contrast_range: [0.5, 2.0],
            contrast_preserve_range,
        })
    };
    let added = AdditiveBrightness {
        additive_brightness_p_per_sample: 0.1,
        additive_brightness_sigma: 0.5,
        ..AdditiveBrightness::default()
    };
    let blur = Blur { blur_sigma: [0.3, 1.5], ..Blur::default() };
    let lowres = LowResolution { p_lowres: 0.15, lowres_zoom: [0.25, 1.0], ..LowResolution::default() };
    vec![
        Transform::Spatial(spatial),
        Transform::Rot90(Rot90::default()),
        Transform::Transpose(Transpose::default()),
        Transform::OneOf { choices: vec![Transform::Median(Median::default()), Transform::Blur(blur)] },
        Transform::Noise(Noise::default()),
        Transform::AdditiveBrightness(added),
        Transform::OneOf { choices: vec![contrast(true), contrast(false)] },
        Transform::LowResolution(lowres),
        // v1 applies the inverted gamma twice.
        Transform::InvertedGamma(InvertedGamma::default()),
        Transform::InvertedGamma(InvertedGamma::default()),
        Transform::Mirror(Mirror::default()),
        Transform::Rectangles(Rectangles::default()),
        Transform::BrightnessGradient(BrightnessGradient::default()),
        Transform::LocalGamma(LocalGamma::default()),
        Transform::Sharpening(Sharpening::default()),
        Transform::Cascade(Cascade::default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_survives_being_written_down() {
        for family in FAMILIES {
            let mut table = Config::new();
            table.insert("transforms".to_owned(), serde_json::to_value((family.transforms)()).unwrap());
            let again = Pipeline::new(family, &table).unwrap();
            assert_eq!(again.transforms(), (family.transforms)(), "{}", family.name);
        }
    }
}
