//! Reading a `summary.json` of v1 or v2.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_formats::json::{self, Json};

/// Metrics of one label or region in one case.
#[derive(Debug, Clone)]
pub struct LabelScores {
    /// As the file names it: `1`, or `(1, 2)` for a region of v2.
    pub label: String,
    /// Metrics by name, in the file's order.
    pub metrics: Vec<(String, f64)>,
}

/// Metrics of one case.
#[derive(Debug, Clone)]
pub struct CaseScores {
    /// The prediction, as the file names it.
    pub prediction: PathBuf,
    /// The reference, as the file names it.
    pub reference: PathBuf,
    /// By label.
    pub labels: Vec<LabelScores>,
}

impl LabelScores {
    /// A metric by name.
    #[must_use]
    pub fn get(&self, metric: &str) -> Option<f64> {
        self.metrics.iter().find(|(name, _)| name == metric).map(|(_, value)| *value)
    }
}

/// Reads the metrics of all cases of a `summary.json`, in the layout of v1 or v2.
///
/// # Errors
/// Returns an error if the file cannot be read or has neither layout.
pub fn read(path: &Path) -> Result<Vec<CaseScores>> {
    let document = json::load(path)?;
    let v1 = document.get("results").and_then(|results| results.get("all"));
    let v2 = document.get("metric_per_case");
    let cases = match (v1.and_then(Json::items), v2.and_then(Json::items)) {
        (Some(cases), _) => cases.iter().map(v1_case).collect::<Option<Vec<_>>>(),
        (None, Some(cases)) => cases.iter().map(v2_case).collect(),
        (None, None) => None,
    };
    cases.with_context(|| format!("{}: not a summary of evaluate_folder or of a validation", path.display()))
}

fn v1_case(case: &Json) -> Option<CaseScores> {
    let Json::Object(entries) = case else { return None };
    let labels = entries.iter().filter(|(key, _)| key != "reference" && key != "test");
    Some(CaseScores {
        prediction: case.get("test")?.as_str()?.into(),
        reference: case.get("reference")?.as_str()?.into(),
        labels: labels.map(label).collect::<Option<_>>()?,
    })
}

fn v2_case(case: &Json) -> Option<CaseScores> {
    let Json::Object(labels) = case.get("metrics")? else { return None };
    Some(CaseScores {
        prediction: case.get("prediction_file")?.as_str()?.into(),
        reference: case.get("reference_file")?.as_str()?.into(),
        labels: labels.iter().map(label).collect::<Option<_>>()?,
    })
}

fn label((key, metrics): &(String, Json)) -> Option<LabelScores> {
    let Json::Object(metrics) = metrics else { return None };
    let value = |(name, value): &(String, Json)| Some((name.clone(), value.as_f64()?));
    Some(LabelScores { label: key.clone(), metrics: metrics.iter().map(value).collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_read_and_others_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        let text = r#"{"results": {"all": [{"1": {"Dice": NaN}, "reference": "r/a.nii.gz", "test": "p/a.nii.gz"}]}}"#;
        std::fs::write(&path, text).unwrap();
        let read_v1 = read(&path).unwrap();
        assert_eq!(read_v1[0].prediction, Path::new("p/a.nii.gz"));
        assert!(read_v1[0].labels[0].get("Dice").unwrap().is_nan());
        let text = r#"{"metric_per_case": [{"metrics": {"(1, 2)": {"Dice": 0.5, "n_ref": 3}},
            "prediction_file": "a", "reference_file": "b"}]}"#;
        std::fs::write(&path, text).unwrap();
        let read_v2 = read(&path).unwrap();
        assert_eq!(read_v2[0].labels[0].label, "(1, 2)");
        assert_eq!(read_v2[0].labels[0].get("n_ref"), Some(3.0));
        std::fs::write(&path, "{}").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("summary.json"));
    }
}
