//! Commands of v2 that do not exist here yet. Their arguments are v2's, so that scripts get this answer and not one about
//! an unknown flag.
#![allow(dead_code, reason = "the arguments are checked and not used yet")]

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::commands::device::DeviceChoice;

/// Arguments of `nnUNetv2_train`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Train {
    /// Data set, by number or name.
    dataset: String,
    /// Configuration of the plans.
    configuration: String,
    /// Fold, from 0, or all.
    fold: String,
    /// Name of the trainer.
    #[arg(long = "tr", default_value = "nnUNetTrainer", value_name = "NAME")]
    trainer: String,
    /// Name of the plans.
    #[arg(short = 'p', default_value = "nnUNetPlans", value_name = "NAME")]
    plans: String,
    /// Checkpoint to start from.
    #[arg(long, value_name = "FILE")]
    pretrained_weights: Option<PathBuf>,
    /// Number of GPUs.
    #[arg(long, default_value_t = 1, value_name = "N")]
    num_gpus: usize,
    /// Write the probabilities of the final validation too.
    #[arg(long)]
    npz: bool,
    /// Continue the training.
    #[arg(long = "c")]
    continue_training: bool,
    /// Only the final validation.
    #[arg(long)]
    val: bool,
    /// The final validation of the best checkpoint instead of the last one.
    #[arg(long)]
    val_best: bool,
    /// Write no checkpoints.
    #[arg(long)]
    disable_checkpointing: bool,
    /// Where the network runs.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
}

pub(super) fn refuse(name: &str) -> Result<()> {
    bail!(
        "nnUNetv2_{name} is not available yet; use the command of nnU-Net v2, which reads the data and plans made here"
    )
}
