//! The files of a v2 training: log in v2's words, and checkpoints.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_data::folders::{self, copy_file};
use nnunet_data::records::Split;
use nnunet_data::training_images;
use nnunet_data::v2::load_splits;
use nnunet_engine::session::Session;
use nnunet_formats::json::{self, Json};
use nnunet_training::{Engine, EpochOutcome, EpochRecord};
use serde_json::json;

use super::job::Job;
use super::state::{self, ModelFacts};
use crate::fold_split;
use crate::fold_training::{CheckpointKind, FoldFiles};
use crate::training_log::{TrainingLog, round};

/// The beginning of v2's logs.
const CITATION: &str = "\n#######################################################################\nPlease cite the \
    following paper when using nnU-Net:\nIsensee, F., Jaeger, P. F., Kohl, S. A., Petersen, J., & Maier-Hein, K. H. (2021). \
    nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation. Nature methods, 18(2), \
    203-211.\n#######################################################################\n \n";

/// Files of the data set that a model's folder has copies of; the plans have another name there.
const COPIES: [&str; 3] = ["dataset.json", "dataset_fingerprint.json", training_images::FILE];

/// The files of a run.
pub(super) struct V2Files<'a> {
    job: &'a Job<'a>,
    facts: ModelFacts,
    /// Labels or regions that have a foreground Dice.
    dice_classes: usize,
    log: TrainingLog,
}

impl<'a> V2Files<'a> {
    /// Starts the log, and writes what does not change: copies of plans and data set, and `debug.json`.
    pub(super) fn begin(job: &'a Job<'_>, engine: &Engine, split: &Split, session: &Session) -> Result<Self> {
        let log = TrainingLog::create(&job.settings.output, CITATION)?;
        let facts = ModelFacts::new(job, engine, session);
        let mut files = Self { job, facts, dice_classes: engine.dice_classes(), log };
        let continued = state::newest(&job.settings.output).filter(|_| job.args.continue_training);
        if let Some(path) = continued {
            files.log(&format!("loading checkpoint {}", path.display()));
        }
        files.log_split(split)?;
        let patch = serde_json::to_string(&job.configuration.patch_size)?;
        let dummy_2d = job.is_dummy_2d();
        files.log(&format!("do_dummy_2d_data_aug: {}", if dummy_2d { "True" } else { "False" }));
        files.log(&format!(
            "This is the configuration used by this training:\nConfiguration name: {}, patch_size: {patch}\n",
            job.settings.configuration
        ));
        files.write_unchanging(engine, session)?;
        Ok(files)
    }

    fn log_split(&mut self, split: &Split) -> Result<()> {
        let (training, validation) = (split.train.len(), split.val.len());
        let path = self.job.preprocessed.join("splits_final.json");
        if path.is_file() {
            let lines = fold_split::lines(&self.job.settings.fold, &path, &load_splits(&path)?, split);
            lines.iter().for_each(|line| self.log(line));
        }
        self.log(&format!("This split has {training} training and {validation} validation cases."));
        if split.train.iter().any(|case| split.val.contains(case)) && self.job.settings.fold != "all" {
            self.log("WARNING: Some validation cases are also in the training set. Check splits_final.json.");
        }
        Ok(())
    }

    fn write_unchanging(&self, engine: &Engine, session: &Session) -> Result<()> {
        let (job, model) = (self.job, &self.job.settings.model);
        copy_file(&job.plans_file, &model.join("plans.json"))?;
        for name in COPIES {
            let from = job.preprocessed.join(name);
            if from.is_file() {
                copy_file(&from, &model.join(name))?;
            }
        }
        let mut all = serde_json::to_value(&engine.trainer.blueprint)?;
        if let Some(all) = all.as_object_mut() {
            let configuration =
                job.plans_json.pointer(&format!("/configurations/{}", job.settings.configuration));
            all.insert("trainer".to_owned(), json!(engine.trainer.names.last()));
            all.insert("parents".to_owned(), json!(engine.trainer.names));
            all.insert("configuration_name".to_owned(), json!(job.settings.configuration));
            all.insert("configuration".to_owned(), json!(configuration));
            all.insert("fold".to_owned(), json!(job.settings.fold));
            all.insert(
                "plugins".to_owned(),
                json!(session.plugins.iter().map(|plugin| &plugin.about.name).collect::<Vec<_>>()),
            );
            all.insert("made_with".to_owned(), json!(self.facts.plugins));
            all.insert("nnunet_version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        }
        Ok(json::save(&job.settings.output.join("debug.json"), &Json::from(all))?)
    }
}

impl FoldFiles for V2Files<'_> {
    fn log_path(&self) -> &Path {
        self.log.path()
    }

    fn log(&mut self, text: &str) {
        self.log.log(text);
    }

    fn epoch_begins(&mut self, epoch: usize, learning_rate: f64) {
        self.log("");
        self.log(&format!("Epoch {epoch}"));
        self.log(&format!("Current learning rate: {:?}", round(learning_rate, 5)));
    }

    fn epoch_ends(&mut self, outcome: &EpochOutcome) {
        let report = &outcome.report;
        let dice = EpochRecord::dice_of_all(&outcome.classes, &outcome.dice, self.dice_classes);
        let dice: Vec<f64> = dice.into_iter().map(|value| round(value, 4)).collect();
        self.log(&format!("train_loss {:?}", round(report.train_loss, 4)));
        self.log(&format!("val_loss {:?}", round(report.validation_loss, 4)));
        self.log(&format!("Pseudo dice {dice:?}"));
        self.log(&format!("Epoch time: {:?} s", round(report.seconds, 2)));
    }

    /// v2's first epoch is the best so far.
    fn is_best(&self, outcome: &EpochOutcome) -> bool {
        outcome.best || outcome.report.epoch == 0
    }

    fn checkpoint(&self, kind: CheckpointKind) -> PathBuf {
        self.job.settings.output.join(state::file_name(kind))
    }

    fn save(&mut self, kind: CheckpointKind, engine: &Engine) -> Result<()> {
        if kind == CheckpointKind::Best {
            let best = round(engine.history.best_metric_ma.unwrap_or(f64::NAN), 4);
            self.log(&format!("Yayy! New best EMA pseudo Dice: {best:?}"));
        }
        if !self.job.settings.saves {
            self.log("No checkpoint written, checkpointing is disabled");
            return Ok(());
        }
        folders::create(&self.job.settings.output)?;
        state::save(&self.checkpoint(kind), engine, &self.facts)
    }

    fn training_ends(&mut self) {
        self.log("Training done.");
    }

    fn remove_latest(&self) -> Result<()> {
        let latest = self.checkpoint(CheckpointKind::Latest);
        for path in [state::safetensors_beside(&latest), latest] {
            if path.is_file() {
                std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(())
    }
}
