//! Names of labels and regions, from the `dataset.json` nearest to a file.

use std::path::Path;

use nnunet_formats::json::{self, Json};

/// Names by label, or by labels of a region.
#[derive(Debug, Clone, Default)]
pub struct LabelNames(Vec<(Vec<i64>, String)>);

impl LabelNames {
    /// The names in the first `dataset.json` that lies in one of the folders, or in one of the two folders above it.
    /// Empty if there is none: names are for people, and nothing depends on them.
    #[must_use]
    pub fn near(folders: &[&Path]) -> Self {
        let all = folders.iter().flat_map(|folder| folder.ancestors().take(3));
        let file = all.map(|folder| folder.join("dataset.json")).find(|path| path.is_file());
        file.map(|path| Self::load(&path)).unwrap_or_default()
    }

    /// The names in a `dataset.json`; empty if it cannot be read.
    #[must_use]
    pub fn load(file: &Path) -> Self {
        json::load(file).map(|document| Self::of(&document)).unwrap_or_default()
    }

    /// The names of a `dataset.json` of v1 (names by label) or v2 (labels by name).
    #[must_use]
    pub fn of(document: &Json) -> Self {
        let Some(Json::Object(labels)) = document.get("labels") else { return Self::default() };
        let names = labels.iter().filter_map(|(key, value)| match (key.parse::<i64>(), value.as_str()) {
            (Ok(label), Some(name)) => Some((vec![label], name.to_owned())),
            _ => Some((integers(value)?, key.clone())),
        });
        Self(names.collect())
    }

    /// Name of what a summary calls `key`: a label (`1`), or the labels of a region (`(1, 2)`).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let digits = |c: char| !c.is_ascii_digit() && c != '-';
        let labels: Vec<i64> = key.split(digits).filter_map(|part| part.parse().ok()).collect();
        self.0.iter().find(|(found, _)| *found == labels).map(|(_, name)| name.as_str())
    }

    /// The key with its name in brackets, or the key alone.
    #[must_use]
    pub fn shown(&self, key: &str) -> String {
        self.get(key).map_or_else(|| key.to_owned(), |name| format!("{key} ({name})"))
    }
}

fn integers(value: &Json) -> Option<Vec<i64>> {
    match value {
        Json::Int(label) => Some(vec![*label]),
        Json::Float(label) if label.fract() == 0.0 => Some(vec![*label as i64]),
        Json::Array(items) => {
            items.iter().map(integers).collect::<Option<Vec<_>>>().map(|labels| labels.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_generations_are_found() {
        let v1 = json::parse(r#"{"labels": {"0": "background", "1": "liver", "2": "2"}}"#).unwrap();
        let v1 = LabelNames::of(&v1);
        assert_eq!((v1.get("1"), v1.get("2"), v1.get("3")), (Some("liver"), Some("2"), None));
        let v2 = json::parse(r#"{"labels": {"background": 0, "whole": [1, 2], "core": [2]}}"#).unwrap();
        let v2 = LabelNames::of(&v2);
        assert_eq!((v2.get("(1, 2)"), v2.get("2"), v2.get("1")), (Some("whole"), Some("core"), None));
        assert_eq!(v2.shown("(1, 2)"), "(1, 2) (whole)");
    }

    #[test]
    fn the_file_may_lie_above_the_labels() {
        let folder = tempfile::tempdir().unwrap();
        let labels = folder.path().join("gt_segmentations");
        std::fs::create_dir(&labels).unwrap();
        assert!(LabelNames::near(&[&labels]).get("1").is_none());
        std::fs::write(folder.path().join("dataset.json"), r#"{"labels": {"1": "liver"}}"#).unwrap();
        assert_eq!(LabelNames::near(&[&labels]).get("1"), Some("liver"));
    }
}
