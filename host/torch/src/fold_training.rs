//! The training of a fold, as the versions of nnU-Net differ in it. [`FoldTraining`] knows the data and what follows from
//! the plans; [`FoldFiles`] writes the files of a run. Both families implement both traits, and training knows nothing
//! else of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use nnunet_data::label_names::LabelNames;
use nnunet_data::records::Split;
use nnunet_engine::session::Session;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice};
use nnunet_plugin_api::{AugmentationContext, NetworkSpec};
use nnunet_trainers::Resolved;
use nnunet_training::{CaseSource, Engine, EpochOutcome};

/// What the user asked for, and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct FoldSettings {
    /// Name of the data set, v1's task.
    pub(crate) dataset: String,
    pub(crate) configuration: String,
    pub(crate) trainer: String,
    /// Name of the plans.
    pub(crate) plans: String,
    pub(crate) fold: String,
    /// The model's folder.
    pub(crate) model: PathBuf,
    /// The fold's folder, inside the model's.
    pub(crate) output: PathBuf,
    /// Folder of the final validation.
    pub(crate) validation: PathBuf,
    pub(crate) device: Device,
    /// The flag that continues a training.
    pub(crate) continue_flag: &'static str,
    /// The flag that only validates.
    pub(crate) validation_flag: &'static str,
    pub(crate) validation_only: bool,
    /// Write the best and the final checkpoint.
    pub(crate) saves: bool,
    /// Validate whole cases at the end.
    pub(crate) validates: bool,
    /// A batch has so many times the planned number of samples.
    pub(crate) batches: usize,
    /// One thread in libtorch.
    pub(crate) deterministic: bool,
    /// Single precision, whatever the trainer says.
    pub(crate) single_precision: bool,
    /// Look for a learning rate instead of training.
    pub(crate) find_lr: bool,
    /// Record training steps as CUDA graphs.
    pub(crate) cuda_graphs: bool,
    /// Less memory on a GPU, and more kernels.
    pub(crate) low_memory: bool,
}

/// What batches follow from.
pub(crate) struct BatchSettings {
    pub(crate) batch_size: usize,
    /// Chooses cases and patches.
    pub(crate) sampler: ComponentChoice,
    /// Channels of the images.
    pub(crate) channels: usize,
    pub(crate) context: AugmentationContext,
    /// Strides between the resolutions of the network, the highest first.
    pub(crate) strides: Vec<Vec<usize>>,
    /// Label of the voxels that nothing is learned from.
    pub(crate) ignore_label: Option<u8>,
}

/// The sampler of a blueprint; where it names none, that of the version that trains.
pub(crate) fn sampler(blueprint: &Blueprint, of_version: &str) -> ComponentChoice {
    let default = if blueprint.probabilistic_oversampling { "v2Probabilistic" } else { of_version };
    blueprint.sampler.clone().unwrap_or_else(|| ComponentChoice::named(default))
}

/// The training of a fold.
pub(crate) trait FoldTraining {
    fn settings(&self) -> &FoldSettings;

    /// Checks that a run does not replace one that is complete, unless the user wants that.
    ///
    /// # Errors
    /// Returns an error if it would.
    fn check_finished(&self) -> Result<()> {
        Ok(())
    }

    /// The names of the labels.
    fn label_names(&self) -> LabelNames {
        LabelNames::default()
    }

    /// Bytes that will be written to unpack cases.
    fn bytes_to_unpack(&self, _split: &Split) -> u64 {
        0
    }

    /// Warns of plugins that changed since the data was preprocessed; a run that continues needs those it began with.
    ///
    /// # Errors
    /// Returns an error if a plugin is missing.
    fn check_plugins(&self, session: &Session) -> Result<()>;

    /// The trainer with all its parents.
    ///
    /// # Errors
    /// Returns an error if the trainer is unknown, cannot be made, or belongs to another version.
    fn trainer(&self, session: &Session) -> Result<Resolved>;

    /// Sets what a trainer leaves to plans and data set.
    ///
    /// # Errors
    /// Returns an error if they do not fit the trainer.
    fn complete(&self, _blueprint: &mut Blueprint, _session: &Session) -> Result<()> {
        Ok(())
    }

    /// Names of all preprocessed cases, sorted.
    ///
    /// # Errors
    /// Returns an error if there are none.
    fn case_names(&self) -> Result<Vec<String>>;

    /// The cases of the fold, where the trainer does not say.
    ///
    /// # Errors
    /// Returns an error if the split cannot be read or names cases that are not preprocessed.
    fn split(&self) -> Result<Split>;

    /// What must be there before the network is built: in a cascade the predictions of the first stage.
    ///
    /// # Errors
    /// Returns an error if it cannot be made.
    fn prepare(&self, trainer: &Resolved, split: &Split, session: &Session) -> Result<()>;

    /// The specification of the network.
    ///
    /// # Errors
    /// Returns an error if the plans name none.
    fn network_spec(&self, blueprint: &Blueprint) -> Result<NetworkSpec>;

    /// Whether the Dice is computed over the whole batch, unless the trainer says.
    fn batch_dice(&self) -> bool;

    fn batch_settings(&self, blueprint: &Blueprint) -> BatchSettings;

    /// Refuses heads of trainers where they are not supported.
    ///
    /// # Errors
    /// Returns an error that says what to do.
    fn check_head(&self) -> Result<()> {
        Ok(())
    }

    /// Preprocessed cases.
    ///
    /// # Errors
    /// Returns an error if a case is missing or damaged.
    fn cases(&self, names: &[String], blueprint: &Blueprint) -> Result<Arc<dyn CaseSource>>;

    /// Weights to validate, to continue with, or to start from; without any of them the random ones stay.
    ///
    /// # Errors
    /// Returns an error that names the checkpoint that is missing, damaged, or of another network.
    fn load_weights(&self, engine: &mut Engine) -> Result<()>;

    /// Starts the files of a run, and writes those that do not change.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    fn begin<'a>(
        &'a self,
        engine: &Engine,
        split: &Split,
        session: &Session,
    ) -> Result<Box<dyn FoldFiles + 'a>>;

    /// Predicts the validation cases whole and evaluates them; false when the user stopped it. Cases that are done are
    /// kept.
    ///
    /// # Errors
    /// Returns an error that names the case.
    fn validate(&self, engine: &mut Engine, split: &Split) -> Result<bool>;

    /// After the validation: in a cascade the first stage predicts for the second.
    ///
    /// # Errors
    /// Returns an error that names the case.
    fn predict_next_stage(&self, engine: &Engine, split: &Split) -> Result<()>;
}

/// Checkpoints of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckpointKind {
    /// Written from time to time, and when a run is stopped; removed at the end.
    Latest,
    /// Of the best moving average of the metric.
    Best,
    /// After the last epoch.
    Final,
}

/// The files of a run: log and checkpoints.
pub(crate) trait FoldFiles {
    /// The log.
    fn log_path(&self) -> &Path;

    /// A line of the log.
    fn log(&mut self, text: &str);

    fn epoch_begins(&mut self, epoch: usize, learning_rate: f64);

    /// The results of an epoch, before its checkpoints are written.
    fn epoch_ends(&mut self, outcome: &EpochOutcome);

    /// After the checkpoints of an epoch.
    fn epoch_is_saved(&mut self, _outcome: &EpochOutcome) {}

    /// Whether the epoch is the best so far.
    fn is_best(&self, outcome: &EpochOutcome) -> bool {
        outcome.best
    }

    /// The file of a checkpoint.
    fn checkpoint(&self, kind: CheckpointKind) -> PathBuf;

    /// Writes a checkpoint, and says so in the log.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    fn save(&mut self, kind: CheckpointKind, engine: &Engine) -> Result<()>;

    /// After the last checkpoint.
    fn training_ends(&mut self) {}

    /// Removes the latest checkpoint with what belongs to it.
    ///
    /// # Errors
    /// Returns an I/O error.
    fn remove_latest(&self) -> Result<()>;
}
