//! `dataset.json` of v2.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_inference::Heads;
use serde::Deserialize;
use serde_json::Value;

use super::load;
use crate::images;

/// Channels and labels of `dataset.json`.
#[derive(Debug, Deserialize)]
pub struct Dataset {
    /// Names by number.
    #[serde(alias = "modality")]
    pub channel_names: BTreeMap<String, Value>,
    labels: BTreeMap<String, Label>,
    regions_class_order: Option<Vec<u8>>,
    /// Of all images and label maps.
    pub file_ending: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Label {
    One(i64),
    Several(Vec<i64>),
}

impl Dataset {
    /// Reads a folder's `dataset.json`.
    ///
    /// # Errors
    /// As [`load`]; images of a format that nothing reads.
    pub fn load(folder: &Path) -> Result<Self> {
        let dataset: Self = load(&folder.join("dataset.json"))?;
        let ending = &dataset.file_ending;
        ensure!(
            images::ending(ending) == Some(ending),
            "images of this model end in {ending}, which no format reads; a plugin could"
        );
        Ok(dataset)
    }

    /// Number of labels that are neither background nor to be ignored.
    #[must_use]
    pub fn foreground_labels(&self) -> usize {
        let values = |label: &Label| match label {
            Label::One(value) => vec![*value],
            Label::Several(values) => values.clone(),
        };
        let labels = self.labels.iter().filter(|(name, _)| *name != "ignore");
        let all: BTreeSet<i64> = labels.flat_map(|(_, label)| values(label)).collect();
        all.into_iter().filter(|value| *value != 0).count()
    }

    /// What a network's outputs mean.
    ///
    /// # Errors
    /// Returns an error for regions without an order, or with one of another length.
    pub fn heads(&self) -> Result<Heads> {
        let labels = || self.labels.iter().filter(|(name, _)| *name != "ignore").map(|(_, label)| label);
        if !labels().any(|label| matches!(label, Label::Several(values) if values.len() > 1)) {
            return Ok(Heads::Labels(labels().count()));
        }
        let is_foreground = |label: &&Label| match label {
            Label::One(value) => *value != 0,
            Label::Several(values) => values.iter().any(|value| *value != 0),
        };
        let order = self
            .regions_class_order
            .clone()
            .context("dataset.json has regions but no regions_class_order")?;
        ensure!(
            order.len() == labels().filter(is_foreground).count(),
            "dataset.json: regions_class_order needs one entry for each region"
        );
        Ok(Heads::Regions(order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(labels: &str) -> Dataset {
        let text = format!(r#"{{"channel_names":{{"0":"MRI"}},"file_ending":".nii.gz",{labels}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_cascade_counts_labels_and_not_regions() {
        let plain = dataset(r#""labels":{"background":0,"a":1,"b":2,"ignore":3}"#);
        assert_eq!(plain.foreground_labels(), 2);
        let regions = dataset(r#""labels":{"background":0,"all":[1,2,3],"b":[2,3]}"#);
        assert_eq!(regions.foreground_labels(), 3);
    }

    #[test]
    fn heads_follow_from_labels_and_regions() {
        let heads = |labels: &str| dataset(labels).heads();
        let plain = heads(r#""labels":{"background":0,"a":1,"ignore":2}"#).unwrap();
        assert_eq!(plain, Heads::Labels(2));
        let regions = r#""labels":{"background":0,"all":[1,2],"b":[2]},"regions_class_order":[1,2]"#;
        assert_eq!(heads(regions).unwrap(), Heads::Regions(vec![1, 2]));
        assert!(heads(r#""labels":{"background":0,"all":[1,2]}"#).is_err());
    }
}
