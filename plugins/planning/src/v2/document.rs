//! The files of v2's planning: `dataset_fingerprint.json` and the plans. Fields stand in the order in which Python
//! writes them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `dataset_fingerprint.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Intensities of the foreground by channel number.
    #[serde(rename = "foreground_intensity_properties_per_channel")]
    pub intensities: Map<String, Value>,
    /// Median of voxels after / before cropping.
    #[serde(rename = "median_relative_size_after_cropping")]
    pub relative_size: f64,
    /// Sizes after cropping, (z, y, x), in the order of the cases.
    #[serde(rename = "shapes_after_crop")]
    pub shapes: Vec<[usize; 3]>,
    /// Spacings, (z, y, x) mm.
    pub spacings: Vec<[f64; 3]>,
}

/// A plans file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plans {
    /// Folder name of the data set.
    pub dataset_name: String,
    /// Name of this file, without `.json`.
    pub plans_name: String,
    /// Median spacing of the cases.
    pub original_median_spacing_after_transp: [f64; 3],
    /// Median size of the cases.
    pub original_median_shape_after_transp: [usize; 3],
    /// What reads the images.
    pub image_reader_writer: String,
    /// Axis order of preprocessed arrays.
    pub transpose_forward: [usize; 3],
    /// Its inverse.
    pub transpose_backward: [usize; 3],
    /// By name.
    pub configurations: Map<String, Value>,
    /// Class that made the plans.
    pub experiment_planner_used: String,
    /// Class that knows the labels.
    pub label_manager: String,
    /// The fingerprint's.
    pub foreground_intensity_properties_per_channel: Map<String, Value>,
}

/// A configuration as it stands in the plans.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ConfigurationEntry {
    /// With all its values.
    Full(Box<Configuration>),
    /// Another's, with a previous stage.
    Inherited(Inherited),
}

/// The second stage of a cascade.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inherited {
    /// Configuration whose values hold.
    pub inherits_from: String,
    /// Configuration that predicts first.
    pub previous_stage: String,
}

/// One configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Configuration {
    /// Folder of the preprocessed data.
    pub data_identifier: String,
    /// Class that makes it.
    pub preprocessor_name: String,
    /// Samples per batch.
    pub batch_size: usize,
    /// Two or three axes.
    pub patch_size: Vec<usize>,
    /// Median size at this resolution.
    pub median_image_size_in_voxels: Vec<Value>,
    /// Spacing at this resolution.
    pub spacing: Vec<f64>,
    /// Classes by channel.
    pub normalization_schemes: Vec<String>,
    /// By channel: normalize inside the nonzero mask only.
    pub use_mask_for_norm: Vec<bool>,
    /// Function for images.
    pub resampling_fn_data: String,
    /// Function for labels.
    pub resampling_fn_seg: String,
    /// Its arguments.
    pub resampling_fn_data_kwargs: Map<String, Value>,
    /// Its arguments.
    pub resampling_fn_seg_kwargs: Map<String, Value>,
    /// Function for probabilities.
    pub resampling_fn_probabilities: String,
    /// Its arguments.
    pub resampling_fn_probabilities_kwargs: Map<String, Value>,
    /// The network.
    pub architecture: Architecture,
    /// Dice over the batch.
    pub batch_dice: bool,
    /// Configuration that continues this one's predictions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_stage: Option<String>,
}

/// The network of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Architecture {
    /// Class.
    pub network_class_name: String,
    /// Its arguments.
    pub arch_kwargs: Map<String, Value>,
    /// Arguments that name Python objects.
    #[serde(rename = "_kw_requires_import")]
    pub requires_import: [&'static str; 4],
}
