//! `--csv`: the metrics of all cases and labels as one table.

use std::path::Path;

use anyhow::{Context, Result, bail};
use nnunet_data::images;
use nnunet_data::label_names::LabelNames;
use nnunet_data::summary::{self, CaseScores, LabelScores};
use nnunet_formats::atomic;

/// Writes the metrics of a summary, of the extended one beside it, and volumes; metrics that are not defined are empty.
pub(crate) fn write(file: &Path, summary: &Path, names: &LabelNames) -> Result<()> {
    let cases = summary::read_complete(summary)?;
    let mut table = csv::Writer::from_writer(Vec::new());
    if let Some(first) = cases.iter().flat_map(|case| &case.labels).next() {
        let metrics = first.metrics.iter().map(|(name, _)| name.as_str());
        table.write_record(["case", "label", "name"].into_iter().chain(metrics))?;
    }
    for (case, label) in cases.iter().flat_map(|case| case.labels.iter().map(move |label| (case, label))) {
        table.write_record(row(case, label, names))?;
    }
    let bytes = table.into_inner().with_context(|| file.display().to_string())?;
    Ok(atomic::write_bytes(file, &bytes)?)
}

/// Checks that a table can be written there, before the work is done.
///
/// # Errors
/// Returns an error if the file's folder does not exist.
pub(crate) fn check(file: Option<&Path>) -> Result<()> {
    let folder = file.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => bail!("--csv: there is no folder {}", folder.display()),
        None => Ok(()),
    }
}

fn row(case: &CaseScores, label: &LabelScores, names: &LabelNames) -> Vec<String> {
    let name = case.prediction.file_name().unwrap_or_default().to_string_lossy();
    let texts = [images::stem(&name), label.label.as_str(), names.get(&label.label).unwrap_or_default()];
    let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    let metrics = label.metrics.iter().map(|(_, value)| number(*value));
    texts.map(str::to_owned).into_iter().chain(metrics).collect()
}
