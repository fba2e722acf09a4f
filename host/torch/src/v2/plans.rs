//! Plans of a v2 model: what prediction takes of `plans.json`.

use anyhow::{Context, Result, ensure};
use nnunet_data::v2::{Dataset, PlansFile, Reader, ResamplingPlan};
use nnunet_plugin_api::vocabulary::IntensityStatistics;
use serde::Deserialize;

use super::network_plan::NetworkPlan;

/// Plans of a model.
#[derive(Debug)]
pub(super) struct Plans {
    pub(super) transpose_forward: [usize; 3],
    pub(super) transpose_backward: [usize; 3],
    pub(super) reader: Reader,
    file: PlansFile,
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
    /// What resamples images, the label maps of a cascade's first stage, and scores.
    #[serde(flatten)]
    pub(super) resampling: ResamplingPlan,
    /// Of a cascade: the configuration whose labels are further channels.
    pub(super) previous_stage: Option<String>,
    #[serde(flatten)]
    pub(super) network: NetworkPlan,
}

impl Plans {
    /// Takes over a file.
    ///
    /// # Errors
    /// Returns an error if one order of axes does not undo the other.
    pub(super) fn new(file: PlansFile) -> Result<Self> {
        let (forward, backward) = (file.transpose_forward, file.transpose_backward);
        let backward = backward.context("missing field `transpose_backward`")?;
        let undone = (0..3).all(|axis| backward.get(axis).and_then(|at| forward.get(*at)) == Some(&axis));
        ensure!(
            undone,
            "transpose_forward {forward:?} and transpose_backward {backward:?} are not inverse to each other"
        );
        Ok(Self { transpose_forward: forward, transpose_backward: backward, reader: file.reader, file })
    }

    /// Foreground intensities of a channel, in the terms of normalizations.
    pub(super) fn intensities(&self, channel: usize) -> Option<IntensityStatistics> {
        self.file.intensities_of(channel)
    }

    /// Whether any configuration is the second stage of a cascade.
    pub(super) fn has_cascade(&self) -> bool {
        self.file.has_cascade()
    }

    /// A configuration with everything it inherits.
    pub(super) fn configuration(&self, name: &str) -> Result<Configuration> {
        self.file.configuration_as(name)
    }
}

impl Configuration {
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
