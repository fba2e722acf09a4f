//! The training log in v1's words: in a file, and for the user.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use nnunet_host::report;

/// A run's log file.
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// A new `training_log_<date>.txt` in a folder.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("training_log_{}.txt", report::now("%Y_%-m_%-d_%H_%M_%S")));
        let mut file = File::create(&path).with_context(|| path.display().to_string())?;
        writeln!(file, "Starting... ")?;
        Ok(Self { file })
    }

    /// An entry with its time.
    pub(crate) fn log(&mut self, text: &str) {
        report::line(text);
        // The log is for people; a full disk shows when the checkpoint is written.
        let _ = writeln!(self.file, "{}: {text} ", report::now("%Y-%m-%d %H:%M:%S.%6f"));
    }
}
