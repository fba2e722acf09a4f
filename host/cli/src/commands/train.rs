//! Arguments of `train`; the work is done where tensors are.

use std::mem::replace;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use nnunet_engine::config::Choices;

use super::device::DeviceChoice;
use crate::arguments::fold;

/// Headings of the help.
pub(super) const VALIDATION: &str = "Validation";
pub(super) const SPEED: &str = "Precision, speed and reproducibility";

/// Exit code of a training that was asked to stop and left everything ready to continue.
pub const STOPPED: u8 = 3;

/// Whether training steps on a GPU are recorded as CUDA graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CudaGraph {
    /// Where a step can be recorded.
    Auto,
    /// Never.
    Off,
}

/// What a training on a GPU does with its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Memory {
    /// Computes some values twice that normal keeps.
    Low,
    /// As fast as it can.
    Normal,
}

/// Arguments of v1's command.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// 2d, 3d_lowres, 3d_fullres or 3d_cascade_fullres.
    pub configuration: String,
    /// Name of the trainer; may be left out where `[use]` in nnunet.toml names one.
    pub trainer: String,
    /// Task, by name or number.
    pub task: String,
    /// Number of the fold, or all; numbers beyond splits_final.pkl give a random 80:20 split.
    #[arg(default_value = "", hide_default_value = true)]
    pub fold: String,
    /// Only validate the finished model.
    #[arg(help_heading = VALIDATION)]
    #[arg(long = "val", visible_alias = "validation_only")]
    pub validation_only: bool,
    /// Continue an interrupted training from the final or the latest checkpoint, whichever is newer, else from the best.
    #[arg(short = 'c', long = "continue_training")]
    pub continue_training: bool,
    /// Train a fold anew whose training is complete; its files are replaced.
    #[arg(long, conflicts_with_all = ["continue_training", "validation_only"])]
    pub overwrite: bool,
    /// Identifier of the plans.
    #[arg(short = 'p', default_value = crate::defaults::PLANS)]
    pub plans: String,
    /// Where the network is trained: auto (the first GPU that works, else the CPU), cpu, cuda or cuda:N.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Record training steps on a GPU as CUDA graphs, whose kernels are started together: auto (where a step can be
    /// recorded) or off. It has not been tried on a GPU yet.
    #[arg(help_heading = SPEED)]
    #[arg(long = "cuda_graph", default_value = "off", value_enum)]
    pub cuda_graph: CudaGraph,
    /// Memory of a training on a GPU: low takes less, and computes some values twice for it. It has not been tried on a GPU
    /// yet.
    #[arg(help_heading = SPEED)]
    #[arg(long, default_value = "normal", value_enum)]
    pub memory: Memory,
    /// A setting of the training or a parameter of the trainer, such as max_num_epochs=5 or optimizer.momentum=0.9; may be
    /// given several times. Kept in the checkpoint, so that -c needs it no more.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Train in single precision.
    #[arg(help_heading = SPEED)]
    #[arg(long)]
    pub fp32: bool,
    /// Read compressed cases instead of unpacking them.
    #[arg(help_heading = SPEED)]
    #[arg(long = "use_compressed_data")]
    pub use_compressed_data: bool,
    /// Write the predicted probabilities of the validation cases.
    #[arg(help_heading = VALIDATION)]
    #[arg(long)]
    pub npz: bool,
    /// With --val: use the best checkpoint; where there is none, the final or latest one.
    #[arg(help_heading = VALIDATION)]
    #[arg(long)]
    pub valbest: bool,
    /// Name of the validation folder.
    #[arg(help_heading = VALIDATION)]
    #[arg(long = "val_folder", default_value = "validation_raw")]
    pub val_folder: String,
    /// Skip validation at the end.
    #[arg(help_heading = VALIDATION)]
    #[arg(long = "disable_validation_inference")]
    pub disable_validation_inference: bool,
    /// Do not determine the postprocessing after validation.
    #[arg(help_heading = VALIDATION)]
    #[arg(long = "disable_postprocessing_on_folds")]
    pub disable_postprocessing_on_folds: bool,
    /// Do not write the final and best checkpoints; model_latest is removed at the end, as always.
    #[arg(long = "disable_saving")]
    pub disable_saving: bool,
    /// Instead of training: try learning rates from 1e-6 to 10 and draw lr_finder.png.
    #[arg(long = "find_lr")]
    pub find_lr: bool,
    /// Initialize the network with the weights of a checkpoint: all conv_blocks must have the same shapes, segmentation
    /// layers are used if they have. Not with -c or
    /// --val.
    #[arg(long = "pretrained_weights", value_name = "FILE")]
    pub pretrained_weights: Option<PathBuf>,
    /// Give the same result for any number of cores (libtorch uses one thread). Otherwise it depends on the number of
    /// cores.
    #[arg(help_heading = SPEED)]
    #[arg(long)]
    pub deterministic: bool,
    /// Keep existing validation predictions.
    #[arg(help_heading = VALIDATION)]
    #[arg(long = "val_disable_overwrite")]
    pub val_disable_overwrite: bool,
    /// 3d_lowres: do not predict the cases for the second stage of the cascade.
    #[arg(help_heading = VALIDATION)]
    #[arg(long = "disable_next_stage_pred")]
    pub disable_next_stage_pred: bool,
    /// The planned batch is that of each process that trains, not of all together.
    #[arg(skip)]
    pub batch_for_each_rank: bool,
}

impl Args {
    /// With three words the trainer is the project's.
    pub(super) fn complete(&mut self, choices: &Choices) -> Result<()> {
        if !self.fold.is_empty() {
            return self.name_fold();
        }
        let trainer = choices.trainer.clone().context(
            "train takes a configuration, a trainer, a task and a fold; the trainer may be left out where [use] in \
             nnunet.toml names one",
        )?;
        self.fold = replace(&mut self.task, replace(&mut self.trainer, trainer));
        self.name_fold()
    }

    /// `00` is the fold 0.
    fn name_fold(&mut self) -> Result<()> {
        self.fold = fold(&self.fold).map_err(|error| anyhow!("fold `{}`: {error}", self.fold))?;
        Ok(())
    }
}
