//! A plans file of v2, as far as data is made by it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_plugin_core::vocabulary::IntensityStatistics;
use nnunet_preprocessing::v2::{Function, Kwargs, Resampler};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Reader, load};

/// A plans file.
#[derive(Debug, Deserialize)]
pub struct PlansFile {
    #[serde(skip)]
    path: PathBuf,
    /// Axis order of preprocessed arrays.
    pub transpose_forward: [usize; 3],
    /// What reads images.
    #[serde(default, rename = "image_reader_writer")]
    pub reader: Reader,
    foreground_intensity_properties_per_channel: Option<Map<String, Value>>,
    /// The name in v2's first plans.
    foreground_intensity_properties_by_modality: Option<Map<String, Value>>,
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
    /// Normalization by channel.
    pub normalization_schemes: Vec<String>,
    /// By channel: only inside the nonzero mask.
    pub use_mask_for_norm: Vec<bool>,
    resampling_fn_data: Function,
    #[serde(default)]
    resampling_fn_seg: Function,
    #[serde(default)]
    resampling_fn_data_kwargs: Kwargs,
    #[serde(default = "Kwargs::of_labels")]
    resampling_fn_seg_kwargs: Kwargs,
}

fn default_preprocessor() -> String {
    "DefaultPreprocessor".to_owned()
}

#[derive(Deserialize)]
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
pub fn inherited<'a>(
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
        let place = || format!("{}: configuration {name}", self.path.display());
        let own = |name: &str| self.configurations.get(name)?.as_object();
        let merged = inherited(name, own).with_context(place)?;
        let found: DataConfiguration = serde_json::from_value(Value::Object(merged)).with_context(place)?;
        ensure!((2..=3).contains(&found.spacing.len()), "{}: spacing needs 2 or 3 numbers", place());
        Ok(found)
    }

    /// Foreground intensities of the channels in the order of their numbers.
    #[must_use]
    pub fn intensities(&self) -> Option<Vec<IntensityStatistics>> {
        let first = self.foreground_intensity_properties_per_channel.as_ref();
        let all = first.or(self.foreground_intensity_properties_by_modality.as_ref())?;
        let of = |channel: usize| {
            let found: Intensities = serde_json::from_value(all.get(&channel.to_string())?.clone()).ok()?;
            Some(IntensityStatistics {
                median: found.median.unwrap_or(f64::NAN) as f32,
                mean: found.mean as f32,
                sd: found.std as f32,
                mn: found.min.unwrap_or(f64::NAN) as f32,
                mx: found.max.unwrap_or(f64::NAN) as f32,
                percentile_99_5: found.percentile_99_5,
                percentile_00_5: found.percentile_00_5,
            })
        };
        if all.is_empty() { None } else { (0..all.len()).map(of).collect() }
    }
}

impl DataConfiguration {
    /// Resamples images.
    #[must_use]
    pub fn data(&self) -> Resampler {
        Resampler { function: self.resampling_fn_data, kwargs: self.resampling_fn_data_kwargs }
    }

    /// Resamples labels.
    #[must_use]
    pub fn labels(&self) -> Resampler {
        Resampler { function: self.resampling_fn_seg, kwargs: self.resampling_fn_seg_kwargs }
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
