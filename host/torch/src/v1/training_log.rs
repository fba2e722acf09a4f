//! The training log in v1's format: in a file, and for the user.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_cli::report;
use nnunet_data::records::Split;
use nnunet_engine::{clock, run_log};
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
        let lines_of_plugins = file.try_clone().with_context(|| path.display().to_string())?;
        run_log::set(Box::new(move |text| add(&lines_of_plugins, text)));
        Ok(Self { path, file })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What came out of an epoch: v1's lines, then the stall meter's.
    pub(crate) fn epoch(&mut self, outcome: &EpochOutcome) {
        let (report, times) = (&outcome.report, &outcome.times);
        let rounded: Vec<f64> = outcome.dice.iter().map(|value| round(*value, 4)).collect();
        self.log(&format!("train loss : {:.4}", report.train_loss));
        self.log(&format!("validation loss: {:.4}", report.validation_loss));
        self.log(&format!("Average global foreground Dice: {rounded:?}"));
        self.log("(estimated on patches; whole cases are measured at the end)");
        self.learning_rate(outcome.next_learning_rate);
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
        add(&self.file, text);
    }
}

fn add(mut file: &File, text: &str) {
    let line = format!("{}: {text} \n", clock::now("%Y-%m-%d %H:%M:%S.%6f"));
    // The log is for people; a full disk shows when the checkpoint is written.
    let _ = file.write_all(line.as_bytes());
}

/// As `np.round`.
fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10.0_f64.powi(decimals);
    (value * scale).round_ties_even() / scale
}
