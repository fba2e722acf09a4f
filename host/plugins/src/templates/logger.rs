//! MyLogger: an experiment logger for nnunet. `[loggers.MyLogger]` in nnunet.toml switches it on.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use nnunet_plugin_api::{
    Component, EpochLog, Error, ExperimentLogger, Info, Kind, Registration, Result, RunInfo, export_plugin,
    inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Logger, "MyLogger", "A line of losses.csv for every epoch.");
    Component::logger(info, |_config| Ok(Box::new(MyLogger::default())))
}));

#[derive(Default)]
struct MyLogger {
    file: PathBuf,
}

impl ExperimentLogger for MyLogger {
    fn run_begins(&mut self, run: &RunInfo) -> Result<()> {
        self.file = run.folder.join("losses.csv");
        Ok(())
    }

    fn epoch_ends(&mut self, epoch: &EpochLog<'_>) -> Result<()> {
        let report = &epoch.report;
        let failed = |error| Error::message(format!("{}: {error}", self.file.display()));
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file).map_err(failed)?;
        writeln!(file, "{},{},{}", report.epoch, report.train_loss, report.validation_loss).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::vocabulary::EpochReport;

    use super::*;

    #[test]
    fn an_epoch_is_a_line() {
        let file = std::env::temp_dir().join(format!("losses-{}.csv", std::process::id()));
        let mut logger = MyLogger { file: file.clone() };
        logger.epoch_ends(&EpochLog::new(EpochReport::default(), &[])).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "0,0,0\n");
        std::fs::remove_file(file).unwrap();
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
