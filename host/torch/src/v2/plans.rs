//! `plans.json` of v2.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use nnunet_data::v2::{self, Dataset, Reader};
use nnunet_plugin_api::vocabulary::IntensityStatistics;
use nnunet_preprocessing::v2::{Function, Kwargs, Resampler};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::network_plan::NetworkPlan;

/// `plans.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Plans {
    pub(super) transpose_forward: [usize; 3],
    pub(super) transpose_backward: [usize; 3],
    #[serde(default, rename = "image_reader_writer")]
    pub(super) reader: Reader,
    foreground_intensity_properties_per_channel: Option<BTreeMap<String, Intensities>>,
    /// The name in v2's first plans.
    foreground_intensity_properties_by_modality: Option<BTreeMap<String, Intensities>>,
    pub(super) label_manager: Option<String>,
    configurations: BTreeMap<String, Map<String, Value>>,
}

/// Foreground intensities of a channel.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Intensities {
    mean: f64,
    std: f64,
    percentile_00_5: f64,
    percentile_99_5: f64,
    median: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

/// One configuration, with what it inherits.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    /// Two or three axes.
    pub(super) patch_size: Vec<usize>,
    /// Two or three axes; slices keep their distance.
    pub(super) spacing: Vec<f64>,
    pub(super) normalization_schemes: Vec<String>,
    pub(super) use_mask_for_norm: Vec<bool>,
    pub(super) preprocessor_name: Option<String>,
    pub(super) resampling_fn_data: Function,
    #[serde(default)]
    resampling_fn_seg: Function,
    pub(super) resampling_fn_probabilities: Function,
    resampling_fn_data_kwargs: Kwargs,
    resampling_fn_probabilities_kwargs: Kwargs,
    /// Of labels, which only a cascade resamples.
    #[serde(default = "Kwargs::of_labels")]
    resampling_fn_seg_kwargs: Kwargs,
    /// Of a cascade: the configuration whose labels are further channels.
    pub(super) previous_stage: Option<String>,
    #[serde(flatten)]
    pub(super) network: NetworkPlan,
}

impl Plans {
    /// Foreground intensities of a channel, in the terms of normalizations.
    pub(super) fn intensities(&self, channel: usize) -> Option<IntensityStatistics> {
        let first = self.foreground_intensity_properties_per_channel.as_ref();
        let all = first.or(self.foreground_intensity_properties_by_modality.as_ref())?;
        let found = all.get(&channel.to_string())?;
        Some(IntensityStatistics {
            mean: found.mean as f32,
            sd: found.std as f32,
            percentile_00_5: found.percentile_00_5,
            percentile_99_5: found.percentile_99_5,
            median: found.median.map_or(f32::NAN, |value| value as f32),
            mn: found.min.map_or(f32::NAN, |value| value as f32),
            mx: found.max.map_or(f32::NAN, |value| value as f32),
        })
    }

    /// Whether any configuration is the second stage of a cascade.
    pub(super) fn has_cascade(&self) -> bool {
        self.configurations.values().any(|own| own.get("previous_stage").is_some_and(Value::is_string))
    }

    /// A configuration with everything it inherits.
    pub(super) fn configuration(&self, name: &str) -> Result<Configuration> {
        let place = || format!("plans.json, configuration {name}");
        let merged = v2::inherited(name, |name| self.configurations.get(name)).with_context(place)?;
        serde_json::from_value(Value::Object(merged)).with_context(place)
    }
}

impl Configuration {
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
    pub(super) fn target(&self, spacing: [f64; 3]) -> [f64; 3] {
        let mut target = [spacing[0]; 3];
        target[3 - self.spacing.len()..].copy_from_slice(&self.spacing);
        target
    }

    /// Channels of the network's input, for so many of an image.
    pub(super) fn input_channels(&self, dataset: &Dataset) -> usize {
        let labels = if self.previous_stage.is_some() { dataset.foreground_labels() } else { 0 };
        dataset.channel_names.len() + labels
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
        let own = |name: &str| plans.configurations.get(name);
        let merged = v2::inherited("b", own).unwrap();
        assert_eq!((merged["x"].as_u64(), merged["patch_size"].is_array()), (Some(2), true));
        assert!(v2::inherited("c", own).unwrap_err().to_string().contains("inherits from itself"));
        assert!(format!("{:#}", plans.configuration("d").unwrap_err()).contains("no configuration d"));
    }
}
