//! The training log: in a file, and for the user.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_cli::report;
use nnunet_data::folders;
use nnunet_engine::{clock, run_log};

/// A run's log file.
pub(crate) struct TrainingLog {
    path: PathBuf,
    file: File,
}

impl TrainingLog {
    /// A new `training_log_<date>.txt` in a folder, which begins with a text. That of a run that was started in the same
    /// second is added to.
    pub(crate) fn create(folder: &Path, first: &str) -> Result<Self> {
        let path = folder.join(format!("training_log_{}.txt", clock::now("%Y_%-m_%-d_%H_%M_%S")));
        let mut file = Self::open(&path)?;
        write!(file, "{first}")?;
        let lines_of_plugins = file.try_clone().with_context(|| path.display().to_string())?;
        run_log::set(Box::new(move |text| add(&lines_of_plugins, text)));
        Ok(Self { path, file })
    }

    /// The newest log of a folder, to add to; a new one where there is none.
    pub(crate) fn newest(folder: &Path) -> Result<Self> {
        let names = folders::file_names(folder, ".txt")?;
        let logs =
            names.iter().filter(|name| name.starts_with("training_log_")).map(|name| folder.join(name));
        let Some(path) = logs.max_by_key(|path| path.metadata().and_then(|file| file.modified()).ok()) else {
            return Self::create(folder, "");
        };
        let file = Self::open(&path)?;
        Ok(Self { path, file })
    }

    /// A file to add to.
    pub(crate) fn open(path: &Path) -> Result<File> {
        OpenOptions::new().append(true).create(true).open(path).with_context(|| path.display().to_string())
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
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
pub(crate) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10.0_f64.powi(decimals);
    (value * scale).round_ties_even() / scale
}
