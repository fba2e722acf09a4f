//! A summary with what else is known of its cases: the metrics of the extended one, and volumes.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{CaseScores, EXTENDED_FILE, LabelScores, read};
use crate::images;

/// Volumes, and the counts of voxels that they are computed from, in v1 and v2.
const VOLUMES: [(&str, [&str; 2]); 2] = [
    ("Volume Reference (ml)", ["Total Positives Reference", "n_ref"]),
    ("Volume Test (ml)", ["Total Positives Test", "n_pred"]),
];

/// Reads a summary of v1 or v2. Its labels get the metrics of the extended summary beside it, if there is one, and their
/// volumes, which are NaN where the prediction cannot be read.
///
/// # Errors
/// Returns an error if a summary cannot be read.
pub fn read_complete(path: &Path) -> Result<Vec<CaseScores>> {
    let mut cases = read(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let extended = folder.join(EXTENDED_FILE);
    let extended = if extended.is_file() { read(&extended)? } else { Vec::new() };
    for case in &mut cases {
        let more = extended.iter().find(|more| more.prediction.file_name() == case.prediction.file_name());
        let milliliters = voxel_volume(&prediction_of(case, folder)).unwrap_or(f64::NAN);
        for label in &mut case.labels {
            let more = more.and_then(|more| more.labels.iter().find(|other| other.label == label.label));
            label.metrics.extend(more.into_iter().flat_map(|more| more.metrics.clone()));
            label.metrics.extend(volumes(label, milliliters));
        }
    }
    Ok(cases)
}

/// The prediction of a case. It is looked for beside the summary first, since folders are moved.
#[must_use]
pub fn prediction_of(case: &CaseScores, folder: &Path) -> PathBuf {
    let beside = case.prediction.file_name().map(|name| folder.join(name)).filter(|path| path.is_file());
    beside.unwrap_or_else(|| case.prediction.clone())
}

fn volumes(label: &LabelScores, milliliters: f64) -> Vec<(String, f64)> {
    let volume = |(name, counts): &(&str, [&str; 2])| {
        let voxels = counts.iter().find_map(|count| label.get(count))?;
        // Without the digits of a product that mean nothing.
        Some(((*name).to_owned(), (voxels * milliliters * 1e6).round() / 1e6))
    };
    VOLUMES.iter().filter_map(volume).collect()
}

/// Volume of a voxel, ml.
fn voxel_volume(image: &Path) -> Result<f64> {
    Ok(images::read_geometry(image)?.spacing_zyx().iter().product::<f64>() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_metrics_are_those_of_the_same_case_and_label() {
        let folder = tempfile::tempdir().unwrap();
        let case = |name: &str, metric: &str, values: [f64; 2]| {
            let [one, two] = values.map(|value| format!(r#"{{"{metric}": {value}}}"#));
            format!(
                r#"{{"1": {one}, "2": {two}, "reference": "r/{name}.nii.gz", "test": "p/{name}.nii.gz"}}"#
            )
        };
        let write = |file: &str, cases: [String; 2]| {
            let text = format!(r#"{{"results": {{"all": [{}]}}}}"#, cases.join(","));
            std::fs::write(folder.path().join(file), text).unwrap();
        };
        let counts = "Total Positives Test";
        write("summary.json", [case("a", counts, [1.0, 2.0]), case("b", counts, [3.0, 4.0])]);
        write(EXTENDED_FILE, [case("b", "NSD", [0.3, 0.4]), case("a", "NSD", [0.1, 0.2])]);
        let read = read_complete(&folder.path().join("summary.json")).unwrap();
        assert_eq!(read[0].labels[1].get("NSD"), Some(0.2));
        assert_eq!(read[1].labels[0].get("NSD"), Some(0.3));
        assert!(read[0].labels[0].get("Volume Test (ml)").unwrap().is_nan(), "there is no image");
        assert!(read[0].labels[0].get("Volume Reference (ml)").is_none(), "there is no count");
    }
}
