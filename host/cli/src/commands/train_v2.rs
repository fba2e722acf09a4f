//! `nnUNetv2_train`; the work is done where tensors are.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::arguments::fold;
use crate::commands::device::DeviceChoice;
use crate::commands::train::{Memory, SPEED, VALIDATION};

/// Arguments of `nnUNetv2_train`.
#[derive(Debug, Clone, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data set, by number or name.
    pub dataset: String,
    /// Configuration of the plans.
    pub configuration: String,
    /// Fold, from 0, or all; numbers beyond splits_final.json give a random 80:20 split.
    #[arg(value_parser = fold)]
    pub fold: String,
    /// Name of the trainer.
    #[arg(long = "tr", default_value = "nnUNetTrainer", value_name = "NAME")]
    pub trainer: String,
    /// Name of the plans.
    #[arg(short = 'p', default_value = "nnUNetPlans", value_name = "NAME")]
    pub plans: String,
    /// Checkpoint to start from: all weights but those of the segmentation layers must be there and fit. Not with --c or
    /// --val.
    #[arg(long, value_name = "FILE")]
    pub pretrained_weights: Option<PathBuf>,
    /// Number of GPUs. There is a process for each, and they share the batches.
    #[arg(help_heading = SPEED)]
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub num_gpus: usize,
    /// Write the probabilities of the final validation too.
    #[arg(help_heading = VALIDATION)]
    #[arg(long)]
    pub npz: bool,
    /// Continue the training from the final or the latest checkpoint, whichever is newer, else from the best.
    #[arg(long = "c")]
    pub continue_training: bool,
    /// Train a fold anew whose training is complete; its files are replaced.
    #[arg(long, conflicts_with_all = ["continue_training", "val"])]
    pub overwrite: bool,
    /// Only the final validation of a finished training.
    #[arg(help_heading = VALIDATION)]
    #[arg(long)]
    pub val: bool,
    /// The final validation of the best checkpoint instead of the last one.
    #[arg(help_heading = VALIDATION)]
    #[arg(long)]
    pub val_best: bool,
    /// Write no checkpoints.
    #[arg(long)]
    pub disable_checkpointing: bool,
    /// Write the weights of every checkpoint as safetensors too, in a file beside it.
    #[arg(long)]
    pub safetensors: bool,
    /// Where the network is trained: auto (the first GPU that works, else the CPU), cpu, cuda or cuda:N.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Memory of a training on a GPU: low takes less, and computes some values twice for it. It has not been tried on a GPU
    /// yet.
    #[arg(help_heading = SPEED)]
    #[arg(long, default_value = "normal", value_enum)]
    pub memory: Memory,
    /// A setting of the training or a parameter of the trainer, such as max_num_epochs=5 or optimizer.momentum=0.9; may be
    /// given several times. Kept in the checkpoint, so that --c needs it no more.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Train in single precision.
    #[arg(help_heading = SPEED)]
    #[arg(long)]
    pub fp32: bool,
    /// Give the same result for any number of cores (libtorch uses one thread). Otherwise it depends on the number of
    /// cores.
    #[arg(help_heading = SPEED)]
    #[arg(long)]
    pub deterministic: bool,
}

impl Args {
    /// Refuses flags that contradict each other, as v2 does.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(!(self.continue_training && self.val), "--c and --val exclude each other");
        ensure!(
            !(self.val_best && self.disable_checkpointing),
            "--val_best validates the best checkpoint, which --disable_checkpointing does not write"
        );
        let starts_anew = !self.continue_training && !self.val;
        ensure!(
            self.pretrained_weights.is_none() || starts_anew,
            "-pretrained_weights is for the beginning of a training, not for --c and --val"
        );
        ensure!(
            !(self.safetensors && self.disable_checkpointing),
            "--safetensors writes checkpoints, and --disable_checkpointing none"
        );
        ensure!(self.num_gpus > 0, "-num_gpus must be at least 1");
        Ok(())
    }
}
