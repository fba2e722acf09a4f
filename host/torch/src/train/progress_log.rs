//! The numbers of a run in machine-readable form: `training_log_*.jsonl`, and TensorBoard's event file.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use nnunet_cli::report;
use nnunet_formats::tfevents::EventFile;
use nnunet_training::{EpochOutcome, History};
use serde_json::{Value, json};

use super::label_dice::{self, LabelDice};
use crate::training_log::TrainingLog;

/// Both files of a run.
pub(super) struct ProgressLog {
    lines: File,
    events: EventFile,
}

impl ProgressLog {
    /// Beside the log.
    pub(super) fn create(log: &Path, output: &Path) -> Result<Self> {
        let path = log.with_extension("jsonl");
        let lines = TrainingLog::open(&path)?;
        Ok(Self { lines, events: EventFile::create(output, now())? })
    }

    /// A line about something other than an epoch.
    pub(super) fn note(&mut self, event: &str, what: Value) {
        self.line(json!({ "event": event, "time": now(), "what": what }));
    }

    /// The results of an epoch.
    pub(super) fn epoch(
        &mut self,
        outcome: &EpochOutcome,
        history: &History,
        labels: &LabelDice,
    ) -> Result<()> {
        let mut values = values(outcome, history);
        values.extend(outcome.metrics.iter().map(|(name, value)| (name.as_str(), *value)));
        let mut line = json!({
            "event": "epoch", "time": now(), "epoch": outcome.report.epoch, "best": outcome.best,
            "dice": outcome.dice,
        });
        for (name, value) in &values {
            line[*name] = json!(value);
        }
        line[label_dice::KEY] = labels.last_as_json();
        report::event("epoch", &line);
        self.line(line);
        let by_label: Vec<(String, f64)> =
            labels.last().into_iter().map(|(name, dice)| (format!("dice/{name}"), dice)).collect();
        let by_label = by_label.iter().map(|(name, dice)| (name.as_str(), *dice));
        let all: Vec<(&str, f64)> = values.iter().copied().chain(by_label).collect();
        Ok(self.events.scalars(now(), outcome.report.epoch as u64, &all)?)
    }

    fn line(&mut self, value: Value) {
        // As the log: a full disk shows when the checkpoint is written.
        let _ = writeln!(self.lines, "{value}");
    }
}

fn values(outcome: &EpochOutcome, history: &History) -> Vec<(&'static str, f64)> {
    let (report, times) = (&outcome.report, &outcome.times);
    vec![
        ("train_loss", report.train_loss),
        ("validation_loss", report.validation_loss),
        ("metric", report.metric),
        ("metric_moving_average", history.metric_ma.unwrap_or(f64::NAN)),
        ("learning_rate", report.learning_rate),
        ("seconds", report.seconds),
        ("seconds_waiting_for_data", times.data.as_secs_f64()),
        ("seconds_copying", times.copies.as_secs_f64()),
        ("seconds_computing", times.compute.as_secs_f64()),
    ]
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
