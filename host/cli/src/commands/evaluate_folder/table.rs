//! `--csv`: the metrics of all cases and labels as one table.

use std::path::Path;

use anyhow::{Context, Result};
use nnunet_data::images;
use nnunet_data::label_names::LabelNames;
use nnunet_data::summary::{self, CaseScores, EXTENDED_FILE, LabelScores};
use nnunet_formats::atomic;

/// Columns of volumes, and the counts of voxels that they are computed from.
const VOLUMES: [(&str, &str); 2] =
    [("Volume Reference (ml)", "Total Positives Reference"), ("Volume Test (ml)", "Total Positives Test")];

/// Writes the metrics of both summaries in the folder of the predictions; metrics that are not defined are empty.
pub(super) fn write(file: &Path, predictions: &Path, names: &LabelNames) -> Result<()> {
    let cases = summary::read(&predictions.join("summary.json"))?;
    let extended = summary::read(&predictions.join(EXTENDED_FILE))?;
    let mut table = csv::Writer::from_writer(Vec::new());
    for (i, (case, more)) in cases.iter().zip(&extended).enumerate() {
        let milliliters = voxel_volume(&case.prediction)?;
        for (label, more) in case.labels.iter().zip(&more.labels) {
            if i == 0 && label.label == case.labels[0].label {
                table.write_record(header(label, more))?;
            }
            table.write_record(row(case, label, more, names, milliliters))?;
        }
    }
    let bytes = table.into_inner().with_context(|| file.display().to_string())?;
    Ok(atomic::write_bytes(file, &bytes)?)
}

fn header(label: &LabelScores, more: &LabelScores) -> Vec<String> {
    let metrics = label.metrics.iter().chain(&more.metrics).map(|(name, _)| name.as_str());
    let volumes = VOLUMES.iter().map(|(name, _)| *name);
    ["case", "label", "name"].into_iter().chain(metrics).chain(volumes).map(str::to_owned).collect()
}

fn row(
    case: &CaseScores,
    label: &LabelScores,
    more: &LabelScores,
    names: &LabelNames,
    milliliters: f64,
) -> Vec<String> {
    let name = case.prediction.file_name().unwrap_or_default().to_string_lossy();
    let texts = [images::stem(&name), label.label.as_str(), names.get(&label.label).unwrap_or_default()]
        .map(str::to_owned);
    let metrics = label.metrics.iter().chain(&more.metrics).map(|(_, value)| *value);
    let volumes = VOLUMES.iter().map(|(_, count)| label.get(count).unwrap_or(f64::NAN) * milliliters);
    let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    texts.into_iter().chain(metrics.chain(volumes).map(number)).collect()
}

/// Volume of a voxel, ml.
fn voxel_volume(image: &Path) -> Result<f64> {
    let millimeters = images::read_geometry(image)?.spacing_zyx();
    Ok(millimeters.iter().product::<f64>() / 1000.0)
}
