//! An experiment logger: `epochs.csv` in the run's folder, one line per epoch.

use std::fs::{File, OpenOptions};
use std::io::Write;

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::{
    Component, EpochLog, Error, ExperimentLogger, Info, Kind, Registration, Result, RunInfo, inventory,
    parse_config,
};
use serde::{Deserialize, Serialize};

/// Parameters.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CsvConfig {
    /// Between two columns.
    separator: String,
}

impl Default for CsvConfig {
    fn default() -> Self {
        Self { separator: ",".to_owned() }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Logger, "CsvLogger", "A line per epoch in epochs.csv.")
        .with_config::<CsvConfig>()
        .with_example("[loggers.CsvLogger]\nseparator = \";\"");
    Component::logger(info, |config| Ok(Box::new(CsvLogger { config: parse_config(config)?, file: None })))
}));

struct CsvLogger {
    config: CsvConfig,
    file: Option<File>,
}

impl CsvLogger {
    fn line(&mut self, columns: &[String]) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line = columns.join(&self.config.separator);
        writeln!(file, "{line}").map_err(|error| Error::message(format!("epochs.csv: {error}")))
    }
}

impl ExperimentLogger for CsvLogger {
    fn run_begins(&mut self, run: &RunInfo) -> Result<()> {
        let path = run.folder.join("epochs.csv");
        let is_new = run.first_epoch == 0 || !path.is_file();
        let file = OpenOptions::new().create(true).append(!is_new).write(true).truncate(is_new).open(&path);
        self.file = Some(file.map_err(|error| Error::message(format!("{}: {error}", path.display())))?);
        let head = ["epoch", "train_loss", "validation_loss", "metric", "learning_rate"].map(str::to_owned);
        if is_new { self.line(&head) } else { Ok(()) }
    }

    fn epoch_ends(&mut self, epoch: &EpochLog<'_>) -> Result<()> {
        let report = &epoch.report;
        let numbers = [report.train_loss, report.validation_loss, report.metric, report.learning_rate];
        let columns = numbers.map(|number| format!("{number:.6}"));
        let all: Vec<String> = std::iter::once(report.epoch.to_string()).chain(columns).collect();
        self.line(&all)
    }
}
