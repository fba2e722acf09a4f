//! The files of a v1 training: log in v1's words, and checkpoints.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use nnunet_data::folders::copy_file;
use nnunet_data::records::{self, Split, has_splits, listed_splits, splits_file};
use nnunet_data::training_images;
use nnunet_engine::session::Session;
use nnunet_training::{Engine, EpochOutcome};

use super::job::Job;
use super::{debug_json, info, saved};
use crate::fold_split;
use crate::fold_training::{CheckpointKind, FoldFiles, FoldSettings};
use crate::training_log::{TrainingLog, round};
use crate::v1::checkpoint;
use crate::v1::model_info::{ModelInfo, beside};

/// Files of the preprocessed task that a model's folder has copies of: names of labels, and what the images look like.
const COPIES: [&str; 2] = ["dataset.json", training_images::FILE];

/// The files of a run.
pub(super) struct V1Files<'a> {
    settings: &'a FoldSettings,
    info: ModelInfo,
    log: TrainingLog,
}

impl<'a> V1Files<'a> {
    /// Starts the log, and writes `debug.json`, `plans.pkl` and copies of files of the task.
    pub(super) fn begin(job: &'a Job<'_>, engine: &Engine, split: &Split, session: &Session) -> Result<Self> {
        let settings = &job.settings;
        let info = info::info(job, engine, session);
        let log = TrainingLog::create(&settings.output, "Starting... \n")?;
        let debug = settings.output.join("debug.json");
        let mut files = Self { settings, info, log };
        if job.args.continue_training {
            files.log(&format!(
                "loading checkpoint {} train= True",
                saved::newest(&settings.output)?.display()
            ));
        }
        if has_splits(&job.preprocessed) {
            let (path, listed) = (splits_file(&job.preprocessed), listed_splits(&job.preprocessed)?);
            let lines = fold_split::lines(&settings.fold, &path, &listed, split);
            lines.iter().for_each(|line| files.log(line));
        }
        files.log_split(split);
        let log = files.log.path().to_owned();
        debug_json::write(&debug, job, &engine.trainer, &files.info.plugins, session, &log)?;
        records::save(&settings.model.join("plans.pkl"), &records::plans_to_pickle(&job.plans))?;
        for name in COPIES {
            let from = job.preprocessed.join(name);
            if from.is_file() {
                copy_file(&from, &settings.model.join(name))?;
            }
        }
        files.log_learning_rate(engine.learning_rate()?);
        Ok(files)
    }

    fn log_split(&mut self, split: &Split) {
        let (training, validation) = (split.train.len(), split.val.len());
        self.log(&format!("This split has {training} training and {validation} validation cases."));
        if self.settings.fold != "all" && split.train.iter().any(|case| split.val.contains(case)) {
            self.log("WARNING: Some validation cases are also in the training set. Check splits_final.");
        }
        self.log(&format!("TRAINING KEYS:\n {:?}", split.train));
        self.log(&format!("VALIDATION KEYS:\n {:?}", split.val));
    }

    /// The learning rate of the next epoch.
    fn log_learning_rate(&mut self, rate: f64) {
        self.log(&format!("lr: {:?}", round(rate, 6)));
    }
}

impl FoldFiles for V1Files<'_> {
    fn log_path(&self) -> &Path {
        self.log.path()
    }

    fn log(&mut self, text: &str) {
        self.log.log(text);
    }

    fn epoch_begins(&mut self, epoch: usize, _learning_rate: f64) {
        self.log(&format!("\nepoch:  {epoch}"));
    }

    /// v1's lines, then what the steps spent their time on.
    fn epoch_ends(&mut self, outcome: &EpochOutcome) {
        let (report, times) = (&outcome.report, &outcome.times);
        let rounded: Vec<f64> = outcome.dice.iter().map(|value| round(*value, 4)).collect();
        self.log(&format!("train loss : {:.4}", report.train_loss));
        self.log(&format!("validation loss: {:.4}", report.validation_loss));
        self.log(&format!("Average global foreground Dice: {rounded:?}"));
        self.log("(estimated on patches; whole cases are measured at the end)");
        self.log_learning_rate(outcome.next_learning_rate);
        self.log(&format!(
            "waited for data {:.2} s, for copies {:.2} s; computed {:.2} s",
            times.data.as_secs_f64(),
            times.copies.as_secs_f64(),
            times.compute.as_secs_f64()
        ));
    }

    fn epoch_is_saved(&mut self, outcome: &EpochOutcome) {
        self.log(&format!("This epoch took {:.6} s\n", outcome.report.seconds));
    }

    fn checkpoint(&self, kind: CheckpointKind) -> PathBuf {
        self.settings.output.join(match kind {
            CheckpointKind::Latest => "model_latest.model",
            CheckpointKind::Best => "model_best.model",
            CheckpointKind::Final => "model_final_checkpoint.model",
        })
    }

    fn save(&mut self, kind: CheckpointKind, engine: &Engine) -> Result<()> {
        self.log(match kind {
            CheckpointKind::Latest => "saving scheduled checkpoint file...",
            CheckpointKind::Best | CheckpointKind::Final => "saving checkpoint...",
        });
        let start = Instant::now();
        checkpoint::save(&self.checkpoint(kind), engine, &self.info)?;
        self.log(&format!("done, saving took {:.2} seconds", start.elapsed().as_secs_f64()));
        Ok(())
    }

    fn remove_latest(&self) -> Result<()> {
        let latest = self.checkpoint(CheckpointKind::Latest);
        remove_if_there(&latest)?;
        remove_if_there(&beside(&latest))
    }
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}
