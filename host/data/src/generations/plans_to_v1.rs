//! Plans of v2 in v1's words.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use nnunet_plugin_core::vocabulary::{
    Fingerprint, IntensityProperties, IntensityStatistics, Plans, SegmentationExport, Stage,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::network::SLOPE;

/// A plans file of v2.
#[derive(Debug, Deserialize)]
struct File {
    original_median_spacing_after_transp: [f64; 3],
    original_median_shape_after_transp: [f64; 3],
    #[serde(default = "simple_itk")]
    image_reader_writer: String,
    transpose_forward: [usize; 3],
    transpose_backward: [usize; 3],
    configurations: Map<String, Value>,
    foreground_intensity_properties_per_channel: BTreeMap<String, Intensities>,
}

fn simple_itk() -> String {
    "SimpleITKIO".to_owned()
}

#[derive(Debug, Deserialize)]
struct Intensities {
    max: f32,
    mean: f32,
    median: f32,
    min: f32,
    percentile_00_5: f64,
    percentile_99_5: f64,
    std: f32,
}

#[derive(Debug, Deserialize)]
struct Configuration {
    #[serde(default)]
    preprocessor_name: Option<String>,
    batch_size: usize,
    patch_size: Vec<usize>,
    median_image_size_in_voxels: Vec<f64>,
    spacing: Vec<f64>,
    normalization_schemes: Vec<String>,
    use_mask_for_norm: Vec<bool>,
    resampling_fn_data: String,
    resampling_fn_data_kwargs: Resampling,
    resampling_fn_probabilities: String,
    resampling_fn_probabilities_kwargs: Resampling,
    architecture: Architecture,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Resampling {
    order: u32,
    #[serde(default)]
    order_z: u32,
    #[serde(default)]
    force_separate_z: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Architecture {
    network_class_name: String,
    arch_kwargs: Arguments,
}

#[derive(Debug, Deserialize)]
struct Arguments {
    features_per_stage: Vec<usize>,
    kernel_sizes: Vec<Vec<usize>>,
    strides: Vec<Vec<usize>>,
    n_conv_per_stage: Vec<usize>,
    n_conv_per_stage_decoder: Vec<usize>,
    norm_op: Option<String>,
    dropout_op: Option<String>,
    nonlin: Option<String>,
    #[serde(default)]
    nonlin_kwargs: Option<Map<String, Value>>,
}

/// Anisotropy of patches from which v1 augments within slices.
const ANISOTROPIC: usize = 3;
/// Ends the name of the folder that v1 keeps preprocessed data in.
const DATA: &str = "nnUNetData_plans_";

/// The plans for slices and those for volumes, where v2 has them, for so many foreground labels. `name` is that of the
/// plans.
///
/// # Errors
/// Returns an error for plans with a method that v1 does not have.
pub fn plans_to_v1(plans: &Value, labels: usize, name: &str) -> Result<(Option<Plans>, Option<Plans>)> {
    let file: File = serde_json::from_value(plans.clone()).context("these are not plans of v2")?;
    let of = |names: &[&str]| -> Result<Option<Plans>> {
        let there: Vec<&str> =
            names.iter().copied().filter(|name| file.configurations.contains_key(*name)).collect();
        (!there.is_empty()).then(|| file.plans(&there, labels, name)).transpose()
    };
    Ok((of(&["2d"])?, of(&["3d_lowres", "3d_fullres"])?))
}

/// The plans of configurations, with one stage each.
pub(super) fn plans_of(plans: &Value, configurations: &[&str], labels: usize, name: &str) -> Result<Plans> {
    let file: File = serde_json::from_value(plans.clone()).context("these are not plans of v2")?;
    file.plans(configurations, labels, name)
}

impl File {
    fn plans(&self, names: &[&str], labels: usize, name: &str) -> Result<Plans> {
        ensure!(
            !self.image_reader_writer.ends_with("WithReorient"),
            "v1 does not turn images, as {} does",
            self.image_reader_writer
        );
        let mut configurations = Vec::new();
        for name in names {
            let found = self.configuration(name).with_context(|| format!("the configuration {name}"))?;
            found.check().with_context(|| format!("the configuration {name}"))?;
            configurations.push(found);
        }
        let full = configurations.last().context("there is no configuration to convert")?;
        let schemes =
            full.normalization_schemes.iter().map(|class| scheme(class)).collect::<Result<Vec<_>>>()?;
        let channels = schemes.len();
        let is_3d = full.patch_size.len() == 3;
        let modality = |scheme: &&str| if *scheme == "CT" { "CT" } else { "MRI" }.to_owned();
        let modalities: Vec<String> = schemes.iter().map(modality).collect();
        let export = full.resampling_fn_probabilities_kwargs;
        let export = SegmentationExport {
            force_separate_z: export.force_separate_z,
            interpolation_order: export.order,
            interpolation_order_z: export.order_z,
        };
        Ok(Plans {
            normalization_schemes: schemes.into_iter().map(str::to_owned).collect(),
            dataset_properties: Fingerprint {
                all_classes: (1..).take(labels).collect(),
                modalities: modalities.clone(),
                intensity_properties: Some(self.intensities(channels)),
                ..Fingerprint::default()
            },
            modalities,
            num_classes: labels,
            all_classes: (1..).take(labels).collect(),
            base_num_features: full.architecture.arch_kwargs.features_per_stage[0],
            use_mask_for_norm: full.use_mask_for_norm.clone(),
            transpose_forward: self.transpose_forward,
            transpose_backward: self.transpose_backward,
            data_identifier: format!("{DATA}{name}"),
            plans_per_stage: configurations.iter().map(|own| self.stage(own)).collect(),
            preprocessor_name: if is_3d { "GenericPreprocessor" } else { "PreprocessorFor2D" }.to_owned(),
            conv_per_stage: full.architecture.arch_kwargs.n_conv_per_stage.first().copied(),
            segmentation_export_params: (export != SegmentationExport::default()).then_some(export),
            ..Plans::default()
        })
    }

    /// A configuration with what it inherits.
    fn configuration(&self, name: &str) -> Result<Configuration> {
        let own = |name: &str| self.configurations.get(name).and_then(Value::as_object);
        let mut merged = own(name).context("it is not in the plans")?.clone();
        let mut parent = merged.get("inherits_from").and_then(Value::as_str).map(str::to_owned);
        for _ in 0..self.configurations.len() {
            let Some(found) = parent.as_deref().and_then(own) else { break };
            for (key, value) in found {
                merged.entry(key.clone()).or_insert_with(|| value.clone());
            }
            parent = found.get("inherits_from").and_then(Value::as_str).map(str::to_owned);
        }
        Ok(serde_json::from_value(Value::Object(merged))?)
    }

    fn stage(&self, own: &Configuration) -> Stage {
        let axes = own.patch_size.len();
        let mut size = self.original_median_shape_after_transp.map(|len| len.round() as usize);
        let mut spacing = self.original_median_spacing_after_transp;
        for axis in 0..axes {
            size[3 - axes + axis] = own.median_image_size_in_voxels[axis].round() as usize;
            spacing[3 - axes + axis] = own.spacing[axis];
        }
        let network = &own.architecture.arch_kwargs;
        let halvings = |axis: usize| network.strides.iter().filter(|stride| stride[axis] > 1).count();
        let longest = own.patch_size.iter().max().copied().unwrap_or(0);
        Stage {
            batch_size: own.batch_size,
            num_pool_per_axis: (0..axes).map(halvings).collect(),
            patch_size: own.patch_size.clone(),
            median_patient_size_in_voxels: size,
            current_spacing: spacing,
            original_spacing: self.original_median_spacing_after_transp,
            do_dummy_2d_data_aug: axes == 3 && longest > ANISOTROPIC * own.patch_size[0],
            pool_op_kernel_sizes: network.strides[1..].to_vec(),
            conv_kernel_sizes: network.kernel_sizes.clone(),
            ..Stage::default()
        }
    }

    fn intensities(&self, channels: usize) -> Vec<IntensityProperties> {
        let channel = |channel: usize| {
            let found = self.foreground_intensity_properties_per_channel.get(&channel.to_string());
            let global = found.map(|of| IntensityStatistics {
                median: of.median,
                mean: of.mean,
                sd: of.std,
                mn: of.min,
                mx: of.max,
                percentile_99_5: of.percentile_99_5,
                percentile_00_5: of.percentile_00_5,
            });
            IntensityProperties { global: global.unwrap_or_default(), local: Vec::new() }
        };
        (0..channels).map(channel).collect()
    }
}

/// v1's scheme for a class of v2.
fn scheme(class: &str) -> Result<&'static str> {
    Ok(match class {
        "ZScoreNormalization" => "nonCT",
        "CTNormalization" => "CT",
        "NoNormalization" => "noNorm",
        other => bail!("v1 has no normalization like v2's {other}"),
    })
}

impl Configuration {
    fn check(&self) -> Result<()> {
        let preprocessor = self.preprocessor_name.as_deref().unwrap_or("DefaultPreprocessor");
        ensure!(preprocessor == "DefaultPreprocessor", "v1 has no preprocessor like v2's {preprocessor}");
        let usual = Resampling { order: 3, order_z: 0, force_separate_z: None };
        let functions = [&self.resampling_fn_data, &self.resampling_fn_probabilities];
        ensure!(
            functions.iter().all(|name| name.as_str() == "resample_data_or_seg_to_shape")
                && self.resampling_fn_data_kwargs == usual,
            "v1 has no resampling like v2's {}",
            self.resampling_fn_data
        );
        let axes = self.patch_size.len();
        ensure!(
            (2..=3).contains(&axes)
                && self.spacing.len() == axes
                && self.median_image_size_in_voxels.len() == axes,
            "patch_size, spacing and median_image_size_in_voxels differ in their number of axes"
        );
        let class = &self.architecture.network_class_name;
        ensure!(!class.ends_with(".ResidualEncoderUNet"), "{}", super::other_networks::RESIDUAL);
        ensure!(class.ends_with(".PlainConvUNet"), "v1 has no network like v2's {class}");
        self.architecture.arch_kwargs.check(axes)
    }
}

impl Arguments {
    fn check(&self, axes: usize) -> Result<()> {
        let stages = self.features_per_stage.len();
        let vectors = [&self.kernel_sizes, &self.strides];
        ensure!(
            stages >= 2
                && vectors.iter().all(|all| all.len() == stages && all.iter().all(|own| own.len() == axes)),
            "the network's features, kernels and strides differ in their number"
        );
        ensure!(
            self.strides[0].iter().all(|stride| *stride == 1),
            "v1's networks do not reduce the image before their first stage"
        );
        ensure!(
            self.kernel_sizes.iter().flatten().all(|size| matches!(size, 1 | 3)),
            "v1's networks have kernels of size 1 or 3 only"
        );
        let convolutions = self.n_conv_per_stage.first().copied().unwrap_or(0);
        let all = self.n_conv_per_stage.iter().chain(&self.n_conv_per_stage_decoder);
        ensure!(
            convolutions >= 2 && all.into_iter().all(|count| *count == convolutions),
            "v1's networks have the same number of convolutions, at least 2, in every stage"
        );
        let norm = self.norm_op.as_deref().unwrap_or("none");
        ensure!(norm.contains("InstanceNorm"), "v1's default network has instance norm, and not {norm}");
        let dropout = self.dropout_op.as_deref();
        ensure!(dropout.is_none(), "v1's default network has no dropout");
        let nonlinearity = self.nonlin.as_deref().unwrap_or("none");
        let slope = self.nonlin_kwargs.as_ref().and_then(|kwargs| kwargs.get("negative_slope")?.as_f64());
        ensure!(
            nonlinearity.ends_with("LeakyReLU") && slope.is_none_or(|slope| slope == SLOPE),
            "v1's default network has leaky rectifiers with a slope of 0.01, and not {nonlinearity} {slope:?}"
        );
        Ok(())
    }
}
