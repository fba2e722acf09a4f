//! The steps from a raw task to preprocessed cases, over all cases of the task.

mod crop;
mod fingerprint;
mod plan;
mod preprocess;
mod verify;

use std::path::PathBuf;

use anyhow::{Result, bail};
use rayon::prelude::*;

use crate::report;

pub use crop::{crop_case, crop_task};
pub use fingerprint::analyze;
pub use plan::plan;
pub use preprocess::preprocess_task;
pub use verify::verify;

/// Folders of one task.
#[derive(Debug, Clone)]
pub struct TaskFolders {
    /// Name of the task.
    pub name: String,
    /// Raw data.
    pub raw: PathBuf,
    /// Cropped cases.
    pub cropped: PathBuf,
    /// Preprocessed cases.
    pub preprocessed: PathBuf,
}

/// Does something with every case. A case that fails does not stop the others; all failures are reported together.
fn for_each_case<T: Send>(
    what: &str,
    cases: &[String],
    work: impl Fn(&str) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let bar = report::bar(cases.len(), what);
    let results: Vec<Result<T>> = cases
        .par_iter()
        .map(|case| {
            let done = work(case);
            bar.inc(1);
            done
        })
        .collect();
    bar.finish_and_clear();
    let failed: Vec<String> = cases
        .iter()
        .zip(&results)
        .filter_map(|(case, result)| result.as_ref().err().map(|error| format!("  {case}: {error:#}")))
        .collect();
    if !failed.is_empty() {
        bail!("{what}: {} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
    }
    results.into_iter().collect()
}
