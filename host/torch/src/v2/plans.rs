//! `plans.json` of v2.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_architectures::{EncoderKind, Norm, V2UnetConfig};
use nnunet_data::v2::{Dataset, Reader, load};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::resampling::{Function, Kwargs, Resampler};

/// `plans.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Plans {
    pub(crate) transpose_forward: [usize; 3],
    pub(crate) transpose_backward: [usize; 3],
    #[serde(default, rename = "image_reader_writer")]
    pub(super) reader: Reader,
    #[serde(default)]
    foreground_intensity_properties_per_channel: BTreeMap<String, Intensities>,
    configurations: BTreeMap<String, Map<String, Value>>,
}

/// Foreground intensities of a channel.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Intensities {
    pub(crate) mean: f64,
    pub(crate) std: f64,
    pub(crate) percentile_00_5: f64,
    pub(crate) percentile_99_5: f64,
}

/// One configuration, with what it inherits.
#[derive(Debug, Deserialize)]
pub(crate) struct Configuration {
    /// Two or three axes.
    pub(crate) patch_size: Vec<usize>,
    /// Two or three axes; slices keep their distance.
    pub(crate) spacing: Vec<f64>,
    pub(crate) normalization_schemes: Vec<String>,
    pub(crate) use_mask_for_norm: Vec<bool>,
    resampling_fn_data: Function,
    #[serde(default)]
    resampling_fn_seg: Function,
    resampling_fn_probabilities: Function,
    resampling_fn_data_kwargs: Kwargs,
    resampling_fn_probabilities_kwargs: Kwargs,
    /// Of labels, which only a cascade resamples.
    #[serde(default = "Kwargs::of_labels")]
    resampling_fn_seg_kwargs: Kwargs,
    /// Of a cascade: the configuration whose labels are further channels.
    pub(crate) previous_stage: Option<String>,
    architecture: Option<Architecture>,
    #[serde(flatten)]
    old: OldArchitecture,
}

#[derive(Debug, Deserialize)]
struct Architecture {
    network_class_name: String,
    arch_kwargs: Map<String, Value>,
}

/// Plans before v2.4.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OldArchitecture {
    #[serde(rename = "UNet_class_name")]
    class: Option<String>,
    #[serde(rename = "UNet_base_num_features")]
    base_features: usize,
    unet_max_num_features: usize,
    n_conv_per_stage_encoder: Vec<usize>,
    n_conv_per_stage_decoder: Vec<usize>,
    pool_op_kernel_sizes: Vec<Vec<usize>>,
    conv_kernel_sizes: Vec<Vec<usize>>,
}

impl Plans {
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        load(&folder.join("plans.json"))
    }

    pub(crate) fn intensities(&self, channel: usize) -> Option<Intensities> {
        self.foreground_intensity_properties_per_channel.get(&channel.to_string()).copied()
    }

    /// A configuration with everything it inherits.
    pub(crate) fn configuration(&self, name: &str) -> Result<Configuration> {
        let merged = self.merged(name, 0)?;
        let configuration: Configuration = serde_json::from_value(Value::Object(merged))
            .with_context(|| format!("plans.json, configuration {name}"))?;
        configuration.check().with_context(|| format!("plans.json, configuration {name}"))?;
        Ok(configuration)
    }

    fn merged(&self, name: &str, depth: usize) -> Result<Map<String, Value>> {
        ensure!(depth < self.configurations.len(), "plans.json: configuration {name} inherits from itself");
        let own = self.configurations.get(name);
        let own = own.with_context(|| format!("plans.json has no configuration {name}"))?;
        let mut merged = match own.get("inherits_from").and_then(Value::as_str) {
            Some(parent) => self.merged(parent, depth + 1)?,
            None => Map::new(),
        };
        merged.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
        Ok(merged)
    }
}

impl Configuration {
    fn check(&self) -> Result<()> {
        let is_kept = |function: Function| function == Function::Keep;
        ensure!(
            is_kept(self.resampling_fn_data) == is_kept(self.resampling_fn_probabilities),
            "images and probabilities must both be resampled, or none"
        );
        let axes = self.patch_size.len();
        ensure!(
            (2..=3).contains(&axes) && self.spacing.len() == axes,
            "patch_size and spacing need 2 or 3 axes"
        );
        ensure!(
            self.normalization_schemes.len() == self.use_mask_for_norm.len(),
            "normalization_schemes and use_mask_for_norm need one entry for each channel"
        );
        Ok(())
    }

    /// Resamples images.
    pub(super) fn data(&self) -> Resampler {
        Resampler { function: self.resampling_fn_data, kwargs: self.resampling_fn_data_kwargs }
    }

    /// Resamples the label maps of a previous stage.
    pub(super) fn labels(&self) -> Resampler {
        Resampler { function: self.resampling_fn_seg, kwargs: self.resampling_fn_seg_kwargs }
    }

    /// Resamples what networks say.
    pub(super) fn probabilities(&self) -> Resampler {
        let kwargs = self.resampling_fn_probabilities_kwargs;
        Resampler { function: self.resampling_fn_probabilities, kwargs }
    }

    /// Spacing of the network's grid for a case's, both in transposed order; slices keep their distance.
    pub(crate) fn target(&self, spacing: [f64; 3]) -> [f64; 3] {
        let mut target = [spacing[0]; 3];
        target[3 - self.spacing.len()..].copy_from_slice(&self.spacing);
        target
    }

    /// Channels of the network's input, for so many of an image.
    pub(crate) fn input_channels(&self, dataset: &Dataset) -> usize {
        let labels = if self.previous_stage.is_some() { dataset.foreground_labels() } else { 0 };
        dataset.channel_names.len() + labels
    }

    /// The network.
    pub(crate) fn network(&self) -> Result<(EncoderKind, V2UnetConfig)> {
        let (class, config) = match (&self.architecture, &self.old.class) {
            (Some(new), _) => {
                (&new.network_class_name, from_kwargs(&new.arch_kwargs, self.patch_size.len())?)
            }
            (None, Some(class)) => (class, self.old.config()),
            (None, None) => bail!("the configuration names no network"),
        };
        match class.rsplit('.').next().unwrap_or(class) {
            "PlainConvUNet" => Ok((EncoderKind::Plain, config)),
            "ResidualEncoderUNet" => Ok((EncoderKind::Residual, config)),
            other => bail!(
                "networks of class {other} are not known here; PlainConvUNet and ResidualEncoderUNet are"
            ),
        }
    }
}

impl OldArchitecture {
    fn config(&self) -> V2UnetConfig {
        let stages = 0..self.conv_kernel_sizes.len();
        V2UnetConfig {
            features_per_stage: stages
                .map(|i| (self.base_features << i).min(self.unet_max_num_features))
                .collect(),
            kernel_sizes: self.conv_kernel_sizes.clone(),
            strides: self.pool_op_kernel_sizes.clone(),
            n_conv_per_stage: self.n_conv_per_stage_encoder.clone(),
            n_conv_per_stage_decoder: self.n_conv_per_stage_decoder.clone(),
            conv_bias: true,
            norm: Norm::Instance,
        }
    }
}

fn from_kwargs(kwargs: &Map<String, Value>, axes: usize) -> Result<V2UnetConfig> {
    check_kwargs(kwargs)?;
    let stages = kwargs.get("n_stages").and_then(Value::as_u64).context("n_stages is missing")? as usize;
    let counts = |key: &str, len: usize| -> Result<Vec<usize>> {
        let value = kwargs.get(key).with_context(|| format!("{key} is missing"))?;
        match value.as_u64() {
            Some(one) => Ok(vec![one as usize; len]),
            None => serde_json::from_value(value.clone()).with_context(|| key.to_owned()),
        }
    };
    let vectors = |key: &str| -> Result<Vec<Vec<usize>>> {
        let value = kwargs.get(key).with_context(|| format!("{key} is missing"))?;
        let vector = |value: &Value| match value.as_u64() {
            Some(one) => Ok(vec![one as usize; axes]),
            None => serde_json::from_value(value.clone()).with_context(|| key.to_owned()),
        };
        match value.as_array() {
            Some(items) => items.iter().map(vector).collect(),
            None => Ok(vec![vector(value)?; stages]),
        }
    };
    let blocks =
        if kwargs.contains_key("n_blocks_per_stage") { "n_blocks_per_stage" } else { "n_conv_per_stage" };
    Ok(V2UnetConfig {
        features_per_stage: counts("features_per_stage", stages)?,
        kernel_sizes: vectors("kernel_sizes")?,
        strides: vectors("strides")?,
        n_conv_per_stage: counts(blocks, stages)?,
        n_conv_per_stage_decoder: counts("n_conv_per_stage_decoder", stages.saturating_sub(1))?,
        conv_bias: kwargs.get("conv_bias").and_then(Value::as_bool).unwrap_or(false),
        norm: norm(kwargs)?,
    })
}

/// The class that an argument names, without its package and its number of axes.
fn class<'a>(kwargs: &'a Map<String, Value>, key: &str) -> &'a str {
    let name = kwargs.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or_default();
    name.trim_end_matches("2d").trim_end_matches("3d")
}

fn norm(kwargs: &Map<String, Value>) -> Result<Norm> {
    match class(kwargs, "norm_op") {
        "InstanceNorm" => Ok(Norm::Instance),
        "BatchNorm" => Ok(Norm::Batch),
        other => bail!("norm_op = {other} is not known here; InstanceNorm and BatchNorm are"),
    }
}

/// Slope of the rectifier and epsilon of the norms, in all of v2's plans.
const SLOPE: f64 = 0.01;
const EPSILON: f64 = 1e-5;
/// Arguments that change nothing, or that are read.
const KNOWN: [&str; 17] = [
    "n_stages",
    "features_per_stage",
    "conv_op",
    "kernel_sizes",
    "strides",
    "n_conv_per_stage",
    "n_blocks_per_stage",
    "n_conv_per_stage_decoder",
    "conv_bias",
    "norm_op",
    "norm_op_kwargs",
    "dropout_op",
    "dropout_op_kwargs",
    "nonlin",
    "nonlin_kwargs",
    "deep_supervision",
    "stochastic_depth_p",
];

/// Whether the network is one of ours: an argument that is passed over would change what it computes.
fn check_kwargs(kwargs: &Map<String, Value>) -> Result<()> {
    let is_off = |value: &Value| value.is_null() || value == &Value::Bool(false);
    let unknown = kwargs.iter().find(|(key, value)| !KNOWN.contains(&key.as_str()) && !is_off(value));
    if let Some((key, value)) = unknown {
        bail!("the network's argument {key} = {value} is not known here");
    }
    let nonlin = class(kwargs, "nonlin");
    ensure!(nonlin == "LeakyReLU", "nonlin = {nonlin} is not known here; LeakyReLU is");
    let given = |of: &str, key: &str| kwargs.get(of).and_then(|inner| inner.get(key)).cloned();
    for (of, key, usual) in [
        ("nonlin_kwargs", "negative_slope", Value::from(SLOPE)),
        ("norm_op_kwargs", "eps", Value::from(EPSILON)),
        ("norm_op_kwargs", "affine", Value::Bool(true)),
    ] {
        let value = given(of, key).unwrap_or_else(|| usual.clone());
        ensure!(value == usual, "{of}: {key} = {value} is not known here; {usual} is");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_inherit() {
        let text = r#"{"transpose_forward":[0,1,2],"transpose_backward":[0,1,2],"configurations":{
            "a":{"patch_size":[8,8],"x":1},"b":{"inherits_from":"a","x":2},"c":{"inherits_from":"c"}}}"#;
        let plans: Plans = serde_json::from_str(text).unwrap();
        let merged = plans.merged("b", 0).unwrap();
        assert_eq!((merged["x"].as_u64(), merged["patch_size"].is_array()), (Some(2), true));
        assert!(plans.merged("c", 0).unwrap_err().to_string().contains("inherits from itself"));
        assert!(plans.merged("d", 0).is_err());
    }
}
