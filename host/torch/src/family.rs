//! The differences between the versions of nnU-Net. [`ModelFamily`] finds and loads a model; [`CaseProcessing`] is
//! everything that happens to a case before and after the model's networks. Both families implement both traits, and
//! prediction knows nothing else of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use ndarray::{Array3, Array4, ArrayView3};
use nnunet_cli::commands::predict::Args;
use nnunet_data::export;
use nnunet_data::training_images::TrainingImages;
use nnunet_engine::session::Session;
use nnunet_formats::Geometry;
use nnunet_formats::pickle::Value;
use nnunet_inference::{ExportResampler, SegmentationHeads, SlidingWindow};
use nnunet_plugin_api::tch::{Device, Tensor};
use nnunet_plugin_api::vocabulary::{CaseProperties, Precision};
use nnunet_plugin_api::{Network, TaskHead};

use crate::case::{Case, FileNaming, PreparedCase, ProbabilityFormat, ResampledData};

/// A version of nnU-Net.
pub(crate) trait ModelFamily: Sync {
    /// Whether a folder holds a model of this family, complete or not.
    fn detects(&self, folder: &Path) -> bool;

    /// For the second stage of a cascade: the arguments that predict the first one. None for other models, and where
    /// the user names a folder of its label maps.
    ///
    /// # Errors
    /// Returns an error if the first stage is needed and cannot be predicted.
    fn first_stage(&self, args: &Args, folder: &Path) -> Result<Option<Args>>;

    /// Reads plans and checkpoints, and builds the networks.
    ///
    /// # Errors
    /// Returns an error that names the file that is missing, damaged or of a kind that is not supported.
    fn load(&self, request: &LoadRequest<'_>) -> Result<LoadedModel>;
}

/// What to load, and for what.
pub(crate) struct LoadRequest<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) args: &'a Args,
    pub(crate) session: &'a Session,
    pub(crate) device: Device,
    pub(crate) precision: Precision,
}

/// A model that is ready to predict.
pub(crate) struct LoadedModel {
    /// One network per fold.
    pub(crate) networks: Vec<Box<dyn Network>>,
    /// The files that the networks were read from.
    pub(crate) checkpoints: Vec<PathBuf>,
    /// Name of the trainer.
    pub(crate) trainer: String,
    /// The postprocessing of label maps, for the user.
    pub(crate) postprocessing: String,
    pub(crate) window: SlidingWindow,
    /// Channels of the network's input.
    pub(crate) input_channels: usize,
    /// Features of the network's first resolution.
    pub(crate) features: usize,
    pub(crate) processing: Box<dyn CaseProcessing>,
    /// What is known of the images it was trained on.
    pub(crate) training_images: TrainingImages,
}

/// A model's processing before and after its networks. Networks stay on one thread; these methods run on several.
pub(crate) trait CaseProcessing: CaseExport {
    /// How the images in a folder, or one image, are named.
    fn file_naming(&self, input: &Path) -> FileNaming;

    /// Where an image lies that is read from a file with this header.
    fn as_read(&self, file: &Geometry) -> Geometry {
        *file
    }

    /// Size of the network's grid, in transposed order, for an image with this header.
    fn network_size(&self, image: &Geometry) -> [usize; 3];

    /// Whether scores can only be resampled when the whole volume is there.
    fn needs_whole_volume(&self) -> bool;

    /// Writes the files that belong beside the label maps, before the first case.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    fn write_model_files(&self, output: &Path) -> Result<()>;

    /// Reads and preprocesses a case.
    ///
    /// # Errors
    /// Returns an error if an image cannot be read, or does not fit the model.
    fn preprocess(&self, case: &Case) -> Result<PreparedCase>;

    /// Called once, after the last case.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    fn finish(&self, _output: &Path, _elapsed: Duration) -> Result<()> {
        Ok(())
    }
}

/// A model's processing after its networks: from scores to a label map on disk.
pub(crate) trait CaseExport: Sync {
    /// The meaning of the network's outputs: labels or regions.
    fn output_head(&self) -> &SegmentationHeads;

    /// What the outputs mean, if the model has a head of its own.
    fn head(&self) -> Option<&TaskHead> {
        None
    }

    /// What is resampled to the grid of the cropped case.
    fn resampled_data(&self) -> ResampledData {
        ResampledData::Scores
    }

    /// Whether a component resamples scores, for which the program has no interpolation: class by class, whole.
    fn resamples_by_component(&self) -> bool {
        false
    }

    /// Resamples the scores of one class, whole, from the network's grid to the cropped case's.
    ///
    /// # Errors
    /// Returns the error of the component that resamples.
    fn resample_class(
        &self,
        class: ArrayView3<'_, f32>,
        grids: &ExportResampler,
        _case: &CaseProperties,
    ) -> Result<Array3<f32>> {
        Ok(grids.whole(class))
    }

    /// Whether probabilities are written, and how.
    fn probability_format(&self) -> Option<ProbabilityFormat>;

    /// Changes scores, (classes, z, y, x), on the grid of the cropped case before they become labels; `resampled` is
    /// false where that grid is the network's.
    ///
    /// # Errors
    /// Returns the error of the head.
    fn finish_scores(&self, _scores: &mut Array4<f32>, _resampled: bool) -> Result<()> {
        Ok(())
    }

    /// As [`CaseExport::finish_scores`], for scores on a GPU of which only labels are taken.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn finish_score_tensor(&self, scores: Tensor, _resampled: bool) -> nnunet_plugin_api::Result<Tensor> {
        Ok(scores)
    }

    /// The properties written beside probabilities.
    ///
    /// # Errors
    /// Returns an error if the case lacks a property.
    fn probability_properties(&self, case: &CaseProperties) -> Result<Value>;

    /// Writes labels of the cropped case as a label map of the whole image.
    ///
    /// # Errors
    /// Returns an error if postprocessing fails or the file cannot be written.
    fn write_labels(&self, labels: Array3<u16>, case: &CaseProperties, output: &Path) -> Result<()>;

    /// Writes numbers of the cropped case, of a head that gives no labels, as an image of the whole case.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    fn write_values(&self, values: Array3<f32>, case: &CaseProperties, output: &Path) -> Result<()> {
        export::write_labels(output, values.view(), case)
    }
}
