//! What is said at the beginning of a training: what is trained where, how, on how much data, and the disk it takes.

use std::path::Path;

use anyhow::{Result, ensure};
use nnunet_cli::doctor::free_space;
use nnunet_data::memory::readable;
use nnunet_data::records::{FOLDS, Split};
use nnunet_training::Engine;
use serde_json::{Value, json};

use super::job::Job;
use crate::devices;
use crate::v1::preprocessed_cases;

/// Single-precision arrays of a parameter in a checkpoint, at most: its value, and two of Adam's.
const ARRAYS: u64 = 3;
/// Checkpoints that are there at a time: the best, the latest, and the one being written.
const CHECKPOINTS: u64 = 3;

/// The facts about a training.
pub(super) struct Overview {
    /// One line each.
    pub(super) lines: Vec<String>,
    /// The same for programs.
    pub(super) values: Value,
}

/// Bytes that a training will write.
struct Disk {
    checkpoints: u64,
    unpacked: u64,
}

impl Overview {
    /// Of a training that is about to begin.
    pub(super) fn of(job: &Job<'_>, engine: &Engine, split: &Split) -> Self {
        let blueprint = &engine.trainer.blueprint;
        let stage = job.stage();
        let parameters: usize = engine.store.trainable().map(|parameter| parameter.tensor.numel()).sum();
        let batch = blueprint.batch_size.unwrap_or(stage.batch_size);
        let precision = format!("{:?}", engine.kind).to_lowercase();
        let disk = Disk::of(job, engine, split, parameters as u64);
        let free = free_space(&job.output);
        let patch = stage.patch_size.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
        let lines = vec![
            format!(
                "{}, {}, fold {} of {FOLDS}, trainer {}, plans {}",
                job.task, job.args.configuration, job.args.fold, job.args.trainer, job.args.plans
            ),
            format!("folder: {}", job.output.display()),
            format!("cases: {} for training, {} for validation", split.train.len(), split.val.len()),
            format!(
                "network: {}, {:.1} million parameters; patch {patch}, batch {batch}, {precision} on {}",
                blueprint.architecture.name,
                parameters as f64 / 1e6,
                devices::name(job.device)
            ),
            format!(
                "epochs: {} to {}, of {} batches each",
                engine.epoch, blueprint.max_num_epochs, blueprint.num_batches_per_epoch
            ),
            disk.describe(free),
        ];
        let values = json!({
            "task": job.task, "configuration": job.args.configuration, "fold": job.args.fold,
            "trainer": job.args.trainer, "plans": job.args.plans, "folder": job.output.display().to_string(),
            "training_cases": split.train.len(), "validation_cases": split.val.len(),
            "architecture": blueprint.architecture.name, "parameters": parameters, "patch_size": stage.patch_size,
            "batch_size": batch, "precision": precision, "device": devices::name(job.device),
            "first_epoch": engine.epoch, "epochs": blueprint.max_num_epochs,
            "batches_per_epoch": blueprint.num_batches_per_epoch,
            "disk_bytes": disk.total(), "free_disk_bytes": free,
        });
        Self { lines, values }
    }
}

impl Disk {
    fn of(job: &Job<'_>, engine: &Engine, split: &Split, parameters: u64) -> Self {
        let checkpoints = if job.args.disable_saving { 1 } else { CHECKPOINTS };
        let is_unpacked = !job.args.use_compressed_data && !engine.trainer.blueprint.dummy_load;
        let names = split.train.iter().chain(&split.val).filter(|_| is_unpacked);
        let data = job.data();
        Self {
            checkpoints: checkpoints * ARRAYS * 4 * parameters,
            unpacked: names.map(|name| preprocessed_cases::bytes_to_unpack(&data, name)).sum(),
        }
    }

    fn total(&self) -> u64 {
        self.checkpoints + self.unpacked
    }

    fn describe(&self, free: Option<u64>) -> String {
        let mut text = format!("disk: at most {} for checkpoints", readable(self.checkpoints));
        if self.unpacked > 0 {
            text += &format!(" and {} for unpacked cases", readable(self.unpacked));
        }
        if let Some(free) = free {
            text += &format!("; {} are free", readable(free));
        }
        if free.is_some_and(|free| free < self.total()) {
            text += ", which may not be enough";
        }
        text
    }
}

/// Checks that a training does not replace one that is complete.
///
/// # Errors
/// Returns an error if there is a final checkpoint, and the user has not chosen what to do about it.
pub(super) fn check_finished(job: &Job<'_>) -> Result<()> {
    let args = job.args;
    let is_chosen = args.continue_training || args.validation_only || args.find_lr || args.overwrite;
    ensure!(
        is_chosen || !is_finished(&job.output),
        "{} has a training that is complete; --overwrite trains it anew, -c only repeats its validation",
        job.output.display()
    );
    Ok(())
}

fn is_finished(output: &Path) -> bool {
    output.join("model_final_checkpoint.model").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_may_be_too_small_is_said_to_be() {
        let disk = Disk { checkpoints: 300 << 20, unpacked: 2 << 30 };
        let text = disk.describe(Some(1 << 30));
        assert!(
            text.contains("300 MB for checkpoints and 2.0 GB for unpacked cases; 1.0 GB are free"),
            "{text}"
        );
        assert!(text.ends_with("may not be enough"), "{text}");
        assert!(disk.describe(Some(3 << 30)).ends_with("are free"));
    }
}
