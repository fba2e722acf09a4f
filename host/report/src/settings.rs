//! What the files beside the results say about how they were made.

use std::path::Path;

use serde_json::{Map, Value};

/// Files with settings: `predictions.json` of a prediction, `debug.json` of a training, and v2's record of a prediction.
const FILES: [&str; 3] = ["predictions.json", "debug.json", "predict_from_raw_data_args.json"];
/// What people look for first.
const FIRST: [&str; 14] = [
    "program",
    "model",
    "fold",
    "device",
    "precision",
    "max_num_epochs",
    "num_epochs",
    "epoch",
    "current_epoch",
    "num_batches_per_epoch",
    "num_iterations_per_epoch",
    "initial_lr",
    "batch_size",
    "patch_size",
];
/// Longer values are cut, characters.
const LONGEST: usize = 400;

/// Settings by name; those that are empty are left out. A file that is missing or damaged gives none.
pub(crate) fn of(folder: &Path) -> Vec<(String, String)> {
    let mut all: Vec<_> = FILES.iter().filter_map(|name| read(&folder.join(name))).flatten().collect();
    all.sort_by_key(|(key, _)| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()));
    all
}

fn read(path: &Path) -> Option<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path).ok()?;
    let Value::Object(entries) = serde_json::from_str(&text).ok()? else { return None };
    // `cases` has its own table.
    let settings = entries.into_iter().filter(|(key, value)| key != "cases" && !is_empty(value));
    Some(settings.map(|(key, value)| (key, shown(&value))).collect())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text == "None",
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The cases of `predictions.json`.
fn cases(folder: &Path) -> Map<String, Value> {
    let text = std::fs::read_to_string(folder.join("predictions.json")).unwrap_or_default();
    let mut document: Value = serde_json::from_str(&text).unwrap_or_default();
    match document.get_mut("cases").map(Value::take) {
        Some(Value::Object(cases)) => cases,
        _ => Map::new(),
    }
}

/// Differences of cases from the training images, from `predictions.json`.
pub(crate) fn unlike_training(folder: &Path) -> Vec<(String, String)> {
    let differences = |(name, case): (String, Value)| {
        let all = case.get("unlike_training")?.as_array()?;
        let texts: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
        Some((name, texts.join("; ")))
    };
    cases(folder).into_iter().filter_map(differences).collect()
}

/// Seconds of a case by stage, from `predictions.json`.
pub(crate) fn timings(folder: &Path) -> Vec<(String, Vec<Option<f64>>)> {
    let seconds = |case: &Value| -> Vec<Option<f64>> {
        let stage = |name: &str| case.get("seconds")?.get(name)?.as_f64();
        STAGES.iter().map(|name| stage(name)).collect()
    };
    cases(folder).into_iter().map(|(name, case)| (name, seconds(&case))).collect()
}

/// The stages of a prediction.
pub(crate) const STAGES: [&str; 3] = ["preprocess", "network", "export"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_seconds_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of(folder.path()).is_empty() && timings(folder.path()).is_empty());
        let text = r#"{"all_tr_losses": [], "checkpoints": [1], "device": "cpu",
            "cases": {"a": {"seconds": {"network": 1.5}, "unlike_training": ["x", "y"]}}}"#;
        std::fs::write(folder.path().join("predictions.json"), text).unwrap();
        let settings = of(folder.path());
        assert_eq!(settings[0], ("device".to_owned(), "cpu".to_owned()));
        assert_eq!(settings.len(), 2);
        assert_eq!(unlike_training(folder.path()), [("a".to_owned(), "x; y".to_owned())]);
        assert_eq!(timings(folder.path()), [("a".to_owned(), vec![None, Some(1.5), None])]);
    }
}
