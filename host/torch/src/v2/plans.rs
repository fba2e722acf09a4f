//! `plans.json` and `dataset.json` of v2.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_architectures::{EncoderKind, V2UnetConfig};
use nnunet_inference::Heads;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Whether a folder is a model of v2: `plans.json` with configurations, and `dataset.json`.
pub(crate) fn is_model(folder: &Path) -> bool {
    let has_configurations = || -> Option<bool> {
        let text = std::fs::read(folder.join("plans.json")).ok()?;
        Some(serde_json::from_slice::<Value>(&text).ok()?.get("configurations").is_some())
    };
    folder.join("dataset.json").is_file() && has_configurations() == Some(true)
}

fn load<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// The resampling of v2's default planners.
const KNOWN: &str = "resample_data_or_seg_to_shape";

/// `plans.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Plans {
    pub(crate) transpose_forward: [usize; 3],
    pub(crate) transpose_backward: [usize; 3],
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
    resampling_fn_data: String,
    #[serde(default = "known")]
    resampling_fn_seg: String,
    resampling_fn_probabilities: String,
    pub(crate) resampling_fn_data_kwargs: Kwargs,
    pub(crate) resampling_fn_probabilities_kwargs: Kwargs,
    /// Of labels, which only a cascade resamples.
    #[serde(default = "of_labels")]
    pub(crate) resampling_fn_seg_kwargs: Kwargs,
    /// Of a cascade: the configuration whose labels are further channels.
    pub(crate) previous_stage: Option<String>,
    architecture: Option<Architecture>,
    #[serde(flatten)]
    old: OldArchitecture,
}

/// Arguments of v2's resampling.
#[derive(Debug, Deserialize)]
pub(crate) struct Kwargs {
    #[serde(default = "cubic")]
    pub(crate) order: u32,
    #[serde(default)]
    pub(crate) order_z: u32,
    #[serde(default)]
    pub(crate) force_separate_z: Option<bool>,
}

fn cubic() -> u32 {
    3
}

/// v2's planners write these.
fn of_labels() -> Kwargs {
    Kwargs { order: 1, order_z: 0, force_separate_z: None }
}

fn known() -> String {
    KNOWN.to_owned()
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
        for name in [&self.resampling_fn_data, &self.resampling_fn_seg, &self.resampling_fn_probabilities] {
            ensure!(name == KNOWN, "resampling function {name} is not known here; {KNOWN} is");
        }
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
        }
    }
}

fn from_kwargs(kwargs: &Map<String, Value>, axes: usize) -> Result<V2UnetConfig> {
    let ends = |key: &str, ending: &str| {
        let name = kwargs.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = name.trim_end_matches("2d").trim_end_matches("3d");
        ensure!(name.ends_with(ending), "{key} = {name} is not known here; {ending} is");
        Ok(())
    };
    ends("norm_op", "InstanceNorm")?;
    ends("nonlin", "LeakyReLU")?;
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
    })
}

/// What `dataset.json` says of channels and labels.
#[derive(Debug, Deserialize)]
pub(crate) struct Dataset {
    #[serde(alias = "modality")]
    pub(crate) channel_names: BTreeMap<String, Value>,
    labels: BTreeMap<String, Label>,
    regions_class_order: Option<Vec<u8>>,
    pub(crate) file_ending: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Label {
    One(i64),
    Several(Vec<i64>),
}

impl Dataset {
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let dataset: Self = load(&folder.join("dataset.json"))?;
        let ending = &dataset.file_ending;
        ensure!(
            [".nii.gz", ".nii"].contains(&ending.as_str()),
            "images of this model end in {ending}; only .nii.gz and .nii are read"
        );
        Ok(dataset)
    }

    /// Number of labels that are neither background nor to be ignored.
    pub(crate) fn foreground_labels(&self) -> usize {
        let values = |label: &Label| match label {
            Label::One(value) => vec![*value],
            Label::Several(values) => values.clone(),
        };
        let labels = self.labels.iter().filter(|(name, _)| *name != "ignore");
        let all: BTreeSet<i64> = labels.flat_map(|(_, label)| values(label)).collect();
        all.into_iter().filter(|value| *value != 0).count()
    }

    pub(crate) fn heads(&self) -> Result<Heads> {
        let labels = || self.labels.iter().filter(|(name, _)| *name != "ignore").map(|(_, label)| label);
        if !labels().any(|label| matches!(label, Label::Several(values) if values.len() > 1)) {
            return Ok(Heads::Labels(labels().count()));
        }
        let is_foreground = |label: &&Label| match label {
            Label::One(value) => *value != 0,
            Label::Several(values) => values.iter().any(|value| *value != 0),
        };
        let order = self
            .regions_class_order
            .clone()
            .context("dataset.json has regions but no regions_class_order")?;
        ensure!(
            order.len() == labels().filter(is_foreground).count(),
            "dataset.json: regions_class_order needs one entry for each region"
        );
        Ok(Heads::Regions(order))
    }
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

    fn dataset(labels: &str) -> Dataset {
        let text = format!(r#"{{"channel_names":{{"0":"MRI"}},"file_ending":".nii.gz",{labels}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_cascade_counts_labels_and_not_regions() {
        let plain = dataset(r#""labels":{"background":0,"a":1,"b":2,"ignore":3}"#);
        assert_eq!(plain.foreground_labels(), 2);
        let regions = dataset(r#""labels":{"background":0,"all":[1,2,3],"b":[2,3]}"#);
        assert_eq!(regions.foreground_labels(), 3);
    }

    #[test]
    fn heads_follow_from_labels_and_regions() {
        let heads = |labels: &str| dataset(labels).heads();
        let plain = heads(r#""labels":{"background":0,"a":1,"ignore":2}"#).unwrap();
        assert_eq!(plain, Heads::Labels(2));
        let regions = r#""labels":{"background":0,"all":[1,2],"b":[2]},"regions_class_order":[1,2]"#;
        assert_eq!(heads(regions).unwrap(), Heads::Regions(vec![1, 2]));
        assert!(heads(r#""labels":{"background":0,"all":[1,2]}"#).is_err());
    }
}
