//! What is said at the beginning of a training: what is trained where, how, on how much data, and the disk it takes.

use nnunet_cli::doctor::free_space;
use nnunet_data::memory::readable;
use nnunet_data::records::Split;
use nnunet_training::Engine;
use serde_json::{Value, json};

use crate::devices;
use crate::fold_training::FoldTraining;
use crate::network;
use crate::ranks;

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
    pub(super) fn of(fold: &dyn FoldTraining, engine: &Engine, split: &Split) -> Self {
        let (settings, blueprint) = (fold.settings(), &engine.trainer.blueprint);
        let batches = fold.batch_settings(blueprint);
        let parameters: usize = engine.store.trainable().map(|parameter| parameter.tensor.numel()).sum();
        let (batch, patch) = (batches.batch_size, &batches.context.patch);
        let (precision, device) = (network::precision_name(engine.kind), devices::name(settings.device));
        let unpacked = if blueprint.dummy_load { 0 } else { fold.bytes_to_unpack(split) };
        let disk = Disk { checkpoints: CHECKPOINTS * ARRAYS * 4 * parameters as u64, unpacked };
        let free = free_space(&settings.output);
        let sizes = patch.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
        let mut lines = vec![
            format!(
                "{}, {}, fold {}, trainer {}, plans {}",
                settings.dataset, settings.configuration, settings.fold, settings.trainer, settings.plans
            ),
            format!("folder: {}", settings.output.display()),
            format!("cases: {} for training, {} for validation", split.train.len(), split.val.len()),
            format!(
                "network: {}, {:.1} million parameters; patch {sizes}, batch {batch}, {precision} on {device}",
                blueprint.architecture.name,
                parameters as f64 / 1e6,
            ),
            epochs(engine.epoch, blueprint.max_num_epochs, blueprint.num_batches_per_epoch),
            disk.describe(free),
        ];
        lines.extend(ranks::current().map(|ranks| exchanged(ranks.size(), 4 * parameters as u64)));
        let values = json!({
            "task": settings.dataset, "configuration": settings.configuration, "fold": settings.fold,
            "trainer": settings.trainer, "plans": settings.plans,
            "folder": settings.output.display().to_string(), "training_cases": split.train.len(),
            "validation_cases": split.val.len(), "architecture": blueprint.architecture.name,
            "parameters": parameters, "patch_size": patch, "batch_size": batch, "precision": precision,
            "device": device, "first_epoch": engine.epoch, "epochs": blueprint.max_num_epochs,
            "batches_per_epoch": blueprint.num_batches_per_epoch, "disk_bytes": disk.total(),
            "free_disk_bytes": free,
        });
        Self { lines, values }
    }
}

/// How many epochs there are, and how many of them a training that continues has done.
fn epochs(done: usize, all: usize, batches: usize) -> String {
    let count = if done == 0 { all.to_string() } else { format!("{done} of {all} are done") };
    format!("epochs: {count}; {batches} batches each")
}

/// What each of several processes that share batches sends and receives: twice the share of all others.
fn exchanged(processes: usize, gradients: u64) -> String {
    let bytes = gradients * 2 * (processes as u64 - 1) / processes as u64;
    format!(
        "processes: {processes}; each sends {} of gradients in a step, and receives as much",
        readable(bytes)
    )
}

impl Disk {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_processes_send_less_than_twice_the_gradients() {
        let [two, many] = [2, 32].map(|processes| exchanged(processes, 128 << 20));
        assert_eq!(two, "processes: 2; each sends 128 MB of gradients in a step, and receives as much");
        assert!(many.contains("each sends 248 MB"), "{many}");
    }

    #[test]
    fn epochs_that_are_done_are_counted() {
        assert_eq!(epochs(0, 4, 250), "epochs: 4; 250 batches each");
        assert_eq!(epochs(2, 4, 250), "epochs: 2 of 4 are done; 250 batches each");
    }

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
