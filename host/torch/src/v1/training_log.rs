//! The training log in v1's words: in a file, and for the user.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_cli::report;
use nnunet_data::folders;
use nnunet_data::records::Split;
use nnunet_engine::clock;
use nnunet_training::EpochOutcome;

/// A run's log file.
pub(crate) struct TrainingLog {
    path: PathBuf,
    file: File,
}

impl TrainingLog {
    /// A new `training_log_<date>.txt` in a folder.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("training_log_{}.txt", clock::now("%Y_%-m_%-d_%H_%M_%S")));
        let mut file = File::create(&path).with_context(|| path.display().to_string())?;
        writeln!(file, "Starting... ")?;
        Ok(Self { path, file })
    }

    /// The newest log of a folder, to add to; a new one where there is none.
    pub(crate) fn newest(folder: &Path) -> Result<Self> {
        let names = folders::file_names(folder, ".txt")?;
        let logs =
            names.iter().filter(|name| name.starts_with("training_log_")).map(|name| folder.join(name));
        let Some(path) = logs.max_by_key(|path| path.metadata().and_then(|file| file.modified()).ok()) else {
            return Self::create(folder);
        };
        let file = OpenOptions::new().append(true).open(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, file })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The results of an epoch: v1's lines, then ours: the Dice by label with its name, and what the time was spent on.
    pub(crate) fn epoch(&mut self, outcome: &EpochOutcome, by_label: &[(&str, f64)]) {
        let (report, times) = (&outcome.report, &outcome.times);
        let rounded: Vec<f64> = outcome.dice.iter().map(|value| round(*value, 4)).collect();
        self.log(&format!("train loss : {:.4}", report.train_loss));
        self.log(&format!("validation loss: {:.4}", report.validation_loss));
        self.log(&format!("Average global foreground Dice: {rounded:?}"));
        self.log("(estimated on patches; whole cases are measured at the end)");
        self.learning_rate(outcome.next_learning_rate);
        let shown = by_label.iter().map(|(name, dice)| format!("{name} {dice:.4}")).collect::<Vec<_>>();
        if !shown.is_empty() {
            self.log(&format!("Dice by label: {}", shown.join(", ")));
        }
        self.log(&format!(
            "waited for data {:.2} s, for copies {:.2} s; computed {:.2} s",
            times.data.as_secs_f64(),
            times.copies.as_secs_f64(),
            times.compute.as_secs_f64()
        ));
    }

    /// The cases of a run.
    pub(crate) fn split(&mut self, split: &Split) {
        let (training, validation) = (split.train.len(), split.val.len());
        self.log(&format!("This split has {training} training and {validation} validation cases."));
        self.log(&format!("TRAINING KEYS:\n {:?}", split.train));
        self.log(&format!("VALIDATION KEYS:\n {:?}", split.val));
    }

    /// The learning rate of the next epoch.
    pub(crate) fn learning_rate(&mut self, rate: f64) {
        self.log(&format!("lr: {:?}", round(rate, 6)));
    }

    /// An entry with its time.
    pub(crate) fn log(&mut self, text: &str) {
        report::line(text);
        // The log is for people; a full disk shows when the checkpoint is written.
        let _ = writeln!(self.file, "{}: {text} ", clock::now("%Y-%m-%d %H:%M:%S.%6f"));
    }
}

/// As `np.round`.
fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10.0_f64.powi(decimals);
    (value * scale).round_ties_even() / scale
}
