//! The lists of v2's trainers.

use crate::axes::{Mirror, Rot90, Transpose};
use crate::brightness::{AdditiveBrightness, Brightness, Contrast, Gamma, InvertedGamma};
use crate::local::{BrightnessGradient, LocalGamma, Rectangles, Sharpening};
use crate::noise::{Median, Noise};
use crate::transform::Transform;
use crate::v2::{AxisBlur, LinearLowResolution, LinearSpatial, PreviousStage};

/// `nnUNetTrainer.get_training_transforms`.
pub(crate) fn default_list() -> Vec<Transform> {
    vec![
        Transform::LinearSpatial(LinearSpatial::default()),
        Transform::Noise(Noise::default()),
        Transform::AxisBlur(AxisBlur::default()),
        Transform::Brightness(Brightness::default()),
        Transform::Contrast(Contrast::default()),
        Transform::LinearLowResolution(LinearLowResolution::default()),
        Transform::InvertedGamma(InvertedGamma::default()),
        Transform::Gamma(Gamma::default()),
        Transform::Mirror(Mirror::default()),
        Transform::PreviousStage(PreviousStage::default()),
    ]
}

/// `nnUNetTrainerNoDA`: what validation batches get, which the host does.
pub(crate) fn none() -> Vec<Transform> {
    Vec::new()
}

/// `nnUNetTrainerDA5.get_training_transforms`.
pub(crate) fn da5() -> Vec<Transform> {
    let spatial = LinearSpatial {
        p_rot: 0.4,
        rotation_p_per_axis: 0.5,
        scale_range: [0.7, 1.43],
        p_independent_scale_per_axis: 1.0,
        generator_scale: 0.7,
        ..LinearSpatial::default()
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
    let blur = AxisBlur { blur_sigma: [0.3, 1.5], blur_synchronize_axes: true, ..AxisBlur::default() };
    let lowres =
        LinearLowResolution { p_lowres: 0.15, lowres_zoom: [0.25, 1.0], ..LinearLowResolution::default() };
    let previous = PreviousStage {
        cascade_random_binary_transform_p_per_label: 1.0,
        cascade_remove_conn_comp_p_per_label: 1.0,
        ..PreviousStage::default()
    };
    vec![
        Transform::LinearSpatial(spatial),
        Transform::Rot90(Rot90::default()),
        Transform::Transpose(Transpose::default()),
        Transform::OneOf { choices: vec![Transform::Median(Median::default()), Transform::AxisBlur(blur)] },
        Transform::Noise(Noise::default()),
        Transform::AdditiveBrightness(added),
        Transform::OneOf { choices: vec![contrast(true), contrast(false)] },
        Transform::LinearLowResolution(lowres),
        // v2 applies the inverted gamma twice.
        Transform::InvertedGamma(InvertedGamma::default()),
        Transform::InvertedGamma(InvertedGamma::default()),
        Transform::Mirror(Mirror::default()),
        Transform::Rectangles(Rectangles { rectangles_half_open: true, ..Rectangles::default() }),
        Transform::BrightnessGradient(BrightnessGradient {
            local_full_strength: true,
            ..BrightnessGradient::default()
        }),
        Transform::LocalGamma(LocalGamma { local_full_strength: true, ..LocalGamma::default() }),
        Transform::Sharpening(Sharpening { sharpening_extends: true, ..Sharpening::default() }),
        Transform::PreviousStage(previous),
    ]
}
