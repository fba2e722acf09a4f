//! Plans files of v2, and the part of a configuration that data is made by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_plugin_core::Config;
use nnunet_plugin_core::suggestion::did_you_mean;
use nnunet_plugin_core::vocabulary::{ComponentChoice, IntensityStatistics};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Reader, load};

/// A plans file.
#[derive(Debug, Deserialize)]
pub struct PlansFile {
    #[serde(skip)]
    path: PathBuf,
    /// Axis order of preprocessed arrays.
    pub transpose_forward: [usize; 3],
    /// The axis order that undoes `transpose_forward`; making data does not need it.
    pub transpose_backward: Option<[usize; 3]>,
    /// Class that knows what labels mean.
    pub label_manager: Option<String>,
    /// What reads images.
    #[serde(default, rename = "image_reader_writer")]
    pub reader: Reader,
    foreground_intensity_properties_per_channel: Option<BTreeMap<String, Intensities>>,
    /// The name in v2's first plans.
    foreground_intensity_properties_by_modality: Option<BTreeMap<String, Intensities>>,
    configurations: Map<String, Value>,
}

/// What the data of a configuration follow from, with what it inherits.
#[derive(Debug, Clone, Deserialize)]
pub struct DataConfiguration {
    /// Folder of the data.
    pub data_identifier: String,
    /// Class that makes it.
    #[serde(default = "default_preprocessor")]
    pub preprocessor_name: String,
    /// Two or three axes; slices keep their distance.
    pub spacing: Vec<f64>,
    /// Two or three axes of the network's patches, by which stored arrays are cut into blocks.
    #[serde(default = "default_patch")]
    pub patch_size: Vec<usize>,
    /// Normalization by channel.
    pub normalization_schemes: Vec<String>,
    /// By channel: only inside the nonzero mask.
    pub use_mask_for_norm: Vec<bool>,
    /// What resamples its arrays.
    #[serde(flatten)]
    pub resampling: ResamplingPlan,
}

/// The resamplers that a configuration names.
#[derive(Debug, Clone, Deserialize)]
pub struct ResamplingPlan {
    resampling_fn_data: String,
    #[serde(default = "default_resampler")]
    resampling_fn_seg: String,
    #[serde(default)]
    resampling_fn_data_kwargs: Config,
    #[serde(default = "default_labels")]
    resampling_fn_seg_kwargs: Config,
    resampling_fn_probabilities: Option<String>,
    #[serde(default)]
    resampling_fn_probabilities_kwargs: Config,
}

/// v2's default.
fn default_resampler() -> String {
    "resample_data_or_seg_to_shape".to_owned()
}

/// What v2's planners write for labels.
fn default_labels() -> Config {
    [("order", Value::from(1)), ("force_separate_z", Value::Null)]
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}

impl ResamplingPlan {
    /// Resamples images.
    #[must_use]
    pub fn data(&self) -> ComponentChoice {
        choice(&self.resampling_fn_data, &self.resampling_fn_data_kwargs)
    }

    /// Resamples labels.
    #[must_use]
    pub fn labels(&self) -> ComponentChoice {
        choice(&self.resampling_fn_seg, &self.resampling_fn_seg_kwargs)
    }

    /// Resamples what networks return; only prediction needs it.
    ///
    /// # Errors
    /// Returns an error if the plans do not name it.
    pub fn probabilities(&self) -> Result<ComponentChoice> {
        let name = self.resampling_fn_probabilities.as_ref();
        let name = name.context("missing field `resampling_fn_probabilities`")?;
        Ok(choice(name, &self.resampling_fn_probabilities_kwargs))
    }
}

fn choice(name: &str, parameters: &Config) -> ComponentChoice {
    ComponentChoice { name: name.to_owned(), parameters: parameters.clone() }
}

fn default_preprocessor() -> String {
    "DefaultPreprocessor".to_owned()
}

fn default_patch() -> Vec<usize> {
    vec![128; 3]
}

/// Foreground intensities of a channel.
#[derive(Debug, Deserialize)]
struct Intensities {
    mean: f64,
    std: f64,
    median: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    percentile_00_5: f64,
    percentile_99_5: f64,
}

/// Most configurations that one inherits from.
const LONGEST_CHAIN: usize = 100;

/// A configuration with everything it inherits; `own` gives what a configuration itself says.
///
/// # Errors
/// Returns an error for a configuration that is not there, or that inherits from itself.
fn inherited<'a>(
    name: &'a str,
    own: impl Fn(&str) -> Option<&'a Map<String, Value>>,
) -> Result<Map<String, Value>> {
    let (mut chain, mut next) = (Vec::new(), Some(name));
    while let Some(current) = next {
        ensure!(
            chain.len() < LONGEST_CHAIN,
            "it inherits from itself, or from more than {LONGEST_CHAIN} others"
        );
        let found = own(current).with_context(|| format!("there is no configuration {current}"))?;
        chain.push(found);
        next = found.get("inherits_from").and_then(Value::as_str);
    }
    let mut merged = Map::new();
    for own in chain.into_iter().rev() {
        merged.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Ok(merged)
}

impl PlansFile {
    /// Reads plans.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), ..load(path)? })
    }

    /// Names of the configurations.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.configurations.keys().map(String::as_str)
    }

    /// Whether there is a configuration of a name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.configurations.contains_key(name)
    }

    /// A configuration with everything it inherits.
    ///
    /// # Errors
    /// Returns an error if there is no such configuration, or if it inherits from itself or lacks a value.
    pub fn configuration(&self, name: &str) -> Result<DataConfiguration> {
        let place = || self.place(name);
        let found: DataConfiguration = self.configuration_as(name)?;
        ensure!((2..=3).contains(&found.spacing.len()), "{}: spacing needs 2 or 3 numbers", place());
        let patch = &found.patch_size;
        let is_patch = (2..=3).contains(&patch.len()) && !patch.contains(&0);
        ensure!(is_patch, "{}: patch_size needs 2 or 3 numbers from 1 on", place());
        Ok(found)
    }

    /// What a type takes of a configuration with everything it inherits.
    ///
    /// # Errors
    /// Returns an error if there is no such configuration, if it inherits from itself, or if it lacks something.
    pub fn configuration_as<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        ensure!(
            self.configurations.contains_key(name),
            "{}: there is no configuration {name}; there are {}{}",
            self.path.display(),
            self.configurations.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            did_you_mean(name, self.configurations.keys().map(String::as_str))
        );
        let own = |name: &str| self.configurations.get(name)?.as_object();
        let merged = inherited(name, own).with_context(|| self.place(name))?;
        serde_json::from_value(Value::Object(merged)).with_context(|| self.place(name))
    }

    /// Whether any configuration is the second stage of a cascade.
    #[must_use]
    pub fn has_cascade(&self) -> bool {
        self.configurations.values().any(|own| own.get("previous_stage").is_some_and(Value::is_string))
    }

    fn place(&self, name: &str) -> String {
        format!("{}: configuration {name}", self.path.display())
    }

    fn foreground_intensities(&self) -> Option<&BTreeMap<String, Intensities>> {
        let first = self.foreground_intensity_properties_per_channel.as_ref();
        first.or(self.foreground_intensity_properties_by_modality.as_ref())
    }

    /// Foreground intensities of the channels in the order of their numbers.
    #[must_use]
    pub fn intensities(&self) -> Option<Vec<IntensityStatistics>> {
        let channels = self.foreground_intensities()?.len();
        if channels == 0 { None } else { (0..channels).map(|channel| self.intensities_of(channel)).collect() }
    }

    /// Foreground intensities of a channel.
    #[must_use]
    pub fn intensities_of(&self, channel: usize) -> Option<IntensityStatistics> {
        let found = self.foreground_intensities()?.get(&channel.to_string())?;
        Some(IntensityStatistics {
            median: found.median.unwrap_or(f64::NAN) as f32,
            mean: found.mean as f32,
            sd: found.std as f32,
            mn: found.min.unwrap_or(f64::NAN) as f32,
            mx: found.max.unwrap_or(f64::NAN) as f32,
            percentile_99_5: found.percentile_99_5,
            percentile_00_5: found.percentile_00_5,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_inherit() {
        let text = r#"{"transpose_forward":[0,1,2],"configurations":{
            "a":{"data_identifier":"x_a","spacing":[1.0,1.0],"normalization_schemes":["NoNormalization"],
                "use_mask_for_norm":[false],"resampling_fn_data":"resample_data_or_seg_to_shape"},
            "b":{"inherits_from":"a","data_identifier":"x_b"},"c":{"inherits_from":"c"}}}"#;
        let plans: PlansFile = serde_json::from_str(text).unwrap();
        let found = plans.configuration("b").unwrap();
        assert_eq!((found.data_identifier.as_str(), found.spacing.len()), ("x_b", 2));
        assert!(format!("{:#}", plans.configuration("c").unwrap_err()).contains("inherits from itself"));
        assert!(format!("{:#}", plans.configuration("d").unwrap_err()).contains("no configuration d"));
    }

    #[test]
    fn the_first_name_of_intensities_is_known() {
        let statistics = r#"{"mean":1.0,"std":2.0,"percentile_00_5":0.0,"percentile_99_5":4.0}"#;
        let text = format!(
            r#"{{"transpose_forward":[0,1,2],"configurations":{{}},
                "foreground_intensity_properties_by_modality":{{"0":{statistics}}}}}"#
        );
        let plans: PlansFile = serde_json::from_str(&text).unwrap();
        assert_eq!(plans.intensities().unwrap()[0].sd, 2.0);
    }
}
