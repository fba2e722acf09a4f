//! From a planned patch to the configuration as the plans hold it.

use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{V2Network, V2PlannerSettings, V2Resampling};
use serde_json::{Map, Value, json};

use super::document::{Architecture, Configuration};
use super::patch::Patch;

/// What a configuration has besides its patch.
#[derive(Debug, Clone)]
pub(super) struct Frame<'a> {
    pub(super) name: &'a str,
    pub(super) plans_name: &'a str,
    pub(super) spacing: &'a [f64],
    pub(super) median: Vec<Value>,
    pub(super) normalization_schemes: &'a [String],
    pub(super) use_mask_for_norm: &'a [bool],
}

pub(super) fn configuration(settings: &V2PlannerSettings, frame: Frame<'_>, patch: Patch) -> Configuration {
    let Resampling { data, labels, probabilities } = Resampling::of(settings);
    Configuration {
        data_identifier: data_identifier(settings, &frame),
        preprocessor_name: settings.preprocessor.clone(),
        batch_size: patch.batch_size,
        architecture: architecture(settings, &patch),
        patch_size: patch.size,
        median_image_size_in_voxels: frame.median,
        spacing: frame.spacing.to_vec(),
        normalization_schemes: frame.normalization_schemes.to_vec(),
        use_mask_for_norm: frame.use_mask_for_norm.to_vec(),
        resampling_fn_data: data.name,
        resampling_fn_seg: labels.name,
        resampling_fn_data_kwargs: data.parameters,
        resampling_fn_seg_kwargs: labels.parameters,
        resampling_fn_probabilities: probabilities.name,
        resampling_fn_probabilities_kwargs: probabilities.parameters,
        batch_dice: false,
        next_stage: None,
    }
}

/// Data of other plans are only the same for the same spacing and preprocessor.
fn data_identifier(settings: &V2PlannerSettings, frame: &Frame<'_>) -> String {
    let default = V2PlannerSettings::default();
    let is_same = settings.target_spacing.is_none()
        && settings.preprocessor == default.preprocessor
        && settings.resampler_data.is_none()
        && settings.resampler_seg.is_none()
        && matches!(frame.name, "2d" | "3d_fullres");
    match &settings.shares_data_with {
        Some(plans) if is_same => format!("{plans}_{}", frame.name),
        _ => format!("{}_{}", frame.plans_name, frame.name),
    }
}

/// The resamplers of images, labels and probabilities with their arguments.
struct Resampling {
    data: ComponentChoice,
    labels: ComponentChoice,
    probabilities: ComponentChoice,
}

impl Resampling {
    fn of(settings: &V2PlannerSettings) -> Self {
        let (function, kwargs): (&str, fn(bool, u32) -> Value) = match settings.resampling {
            V2Resampling::Spline => (
                "resample_data_or_seg_to_shape",
                |is_seg, order| json!({"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": null}),
            ),
            V2Resampling::Torch => (
                "resample_torch_fornnunet",
                |is_seg, _| json!({"is_seg": is_seg, "force_separate_z": false, "memefficient_seg_resampling": false}),
            ),
            V2Resampling::TorchSeparateZ => ("resample_torch_fornnunet", |is_seg, _| {
                json!({
                    "is_seg": is_seg,
                    "force_separate_z": null,
                    "memefficient_seg_resampling": false,
                    "separate_z_anisotropy_threshold": 3,
                })
            }),
            V2Resampling::None => ("no_resampling_hack", |_, _| json!({})),
        };
        let choice = |own: &Option<ComponentChoice>, is_seg, order| {
            own.clone().unwrap_or_else(|| ComponentChoice {
                name: function.to_owned(),
                parameters: table(kwargs(is_seg, order)),
            })
        };
        Self {
            data: choice(&settings.resampler_data, false, 3),
            labels: choice(&settings.resampler_seg, true, 1),
            probabilities: choice(&settings.resampler_probabilities, false, 1),
        }
    }
}

fn table(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn architecture(settings: &V2PlannerSettings, patch: &Patch) -> Architecture {
    let axes = patch.size.len();
    let (class, blocks) = match settings.network {
        V2Network::PlainConvUnet => ("PlainConvUNet", "n_conv_per_stage"),
        V2Network::ResidualEncoderUnet => ("ResidualEncoderUNet", "n_blocks_per_stage"),
    };
    Architecture {
        network_class_name: format!("dynamic_network_architectures.architectures.unet.{class}"),
        arch_kwargs: table(json!({
            "n_stages": patch.strides.len(),
            "features_per_stage": patch.features,
            "conv_op": format!("torch.nn.modules.conv.Conv{axes}d"),
            "kernel_sizes": patch.kernels,
            "strides": patch.strides,
            blocks: patch.encoder,
            "n_conv_per_stage_decoder": patch.decoder,
            "conv_bias": true,
            "norm_op": format!("torch.nn.modules.instancenorm.InstanceNorm{axes}d"),
            "norm_op_kwargs": {"eps": 1e-5, "affine": true},
            "dropout_op": null,
            "dropout_op_kwargs": null,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": true},
        })),
        requires_import: ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
}
