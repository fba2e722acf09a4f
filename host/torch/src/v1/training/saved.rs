//! The checkpoints that a run has saved.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_cli::report;
use nnunet_data::models::has_checkpoint;

use crate::checkpoints;

/// The checkpoint that is validated: the final one, or the best with v1's fallback to any.
pub(super) fn finished(output: &Path, best: bool) -> Result<PathBuf> {
    let file = output.join(if best { "model_best.model" } else { "model_final_checkpoint.model" });
    if file.is_file() {
        return Ok(file);
    }
    ensure!(has_checkpoint(output), "{} is not trained: start it without -val", output.display());
    ensure!(best, "there is no {}; finish the training first (-c)", file.display());
    let other = newest(output)?;
    report::line(&format!("there is no model_best.model; validating {}", other.display()));
    Ok(other)
}

/// The checkpoint that a run is continued from.
pub(super) fn newest(output: &Path) -> Result<PathBuf> {
    let states = ["model_latest.model", "model_final_checkpoint.model"].map(|name| output.join(name));
    checkpoints::newest(states, output.join("model_best.model")).with_context(|| {
        format!("there is no checkpoint in {} to continue from; start it without -c", output.display())
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_run_goes_on_from_the_state_that_was_written_last() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let write = |name: &str, seconds: u64| {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(now + Duration::from_secs(seconds)).unwrap();
        };
        let found = || newest(folder.path()).ok().map(|path| path.file_name().unwrap().to_owned());
        assert_eq!(found(), None);
        for (name, seconds, newest) in [
            ("model_best.model", 9, "model_best.model"),
            ("model_final_checkpoint.model", 1, "model_final_checkpoint.model"),
            ("model_latest.model", 2, "model_latest.model"),
            ("model_final_checkpoint.model", 3, "model_final_checkpoint.model"),
        ] {
            write(name, seconds);
            assert_eq!(found().unwrap(), newest);
        }
    }
}
