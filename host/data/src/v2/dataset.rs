//! `dataset.json` of v2.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_export::SegmentationHeads;
use nnunet_preprocessing::v2::Class;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::load;
use crate::images;

/// Channels and labels of `dataset.json`.
#[derive(Debug, Deserialize)]
pub struct Dataset {
    /// Names by number.
    #[serde(alias = "modality", deserialize_with = "channels")]
    pub channel_names: BTreeMap<String, Value>,
    #[serde(deserialize_with = "labels")]
    labels: Vec<(String, Label)>,
    regions_class_order: Option<Vec<u8>>,
    /// Of all images and label maps.
    pub file_ending: String,
    /// Number of training cases.
    #[serde(rename = "numTraining")]
    pub training_cases: Option<usize>,
    /// Reader instead of the one for the ending.
    pub overwrite_image_reader_writer: Option<String>,
    /// Files of the training cases, where they are not in imagesTr and labelsTr.
    #[serde(rename = "dataset", default)]
    pub listed: Map<String, Value>,
}

/// The name under `labels` whose voxels nothing is learned from.
const IGNORE: &str = "ignore";

#[derive(Debug, Clone)]
enum Label {
    One(i64),
    Several(Vec<i64>),
}

impl Label {
    /// A number or a list of numbers, of which each may be written as text or as a float, as v2's `int()` takes them.
    fn from_json(value: &Value) -> Option<Self> {
        match value.as_array() {
            Some(all) => all.iter().map(whole).collect::<Option<Vec<i64>>>().map(Label::Several),
            None => whole(value).map(Label::One),
        }
    }

    fn values(&self) -> Vec<i64> {
        match self {
            Label::One(value) => vec![*value],
            Label::Several(values) => values.clone(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Label::One(value) => Class::Label(*value),
            Label::Several(values) => Class::Region(values.clone()),
        }
    }
}

/// In the order of the file, which is that of the network's outputs.
fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Label)>, D::Error> {
    let map = Map::deserialize(deserializer)?;
    let wrong = |name: &str, value: &Value| {
        serde::de::Error::custom(format!("labels: {name} = {value} is not a number or a list of numbers"))
    };
    let of = |(name, value): (String, Value)| match Label::from_json(&value) {
        Some(label) => Ok((name, label)),
        None => Err(wrong(&name, &value)),
    };
    map.into_iter().map(of).collect()
}

fn whole(value: &Value) -> Option<i64> {
    let is_whole = |number: &f64| number.fract() == 0.0 && number.abs() < f64::from(i32::MAX);
    match value {
        Value::String(text) => text.trim().parse().ok(),
        _ => value.as_i64().or_else(|| value.as_f64().filter(is_whole).map(|number| number as i64)),
    }
}

/// Names by number, or in a list.
fn channels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Object(map) => Ok(map.into_iter().collect()),
        Value::Array(names) => {
            Ok(names.into_iter().enumerate().map(|(number, name)| (number.to_string(), name)).collect())
        }
        other => Err(serde::de::Error::custom(format!("channel_names = {other} are not names by number"))),
    }
}

/// Label maps have 16 bits at most.
const MOST_LABELS: usize = 1 << 16;
/// v2 writes 16 bits from so many labels on, background included.
const WIDE: usize = 256;

/// Whether v2 writes label maps of 16 bits for these outputs.
#[must_use]
pub fn is_wide(heads: &SegmentationHeads) -> bool {
    matches!(heads, SegmentationHeads::Labels(count) if *count >= WIDE)
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
        let labels = self.labels.iter().filter(|(name, _)| name != IGNORE);
        let all: BTreeSet<i64> = labels.flat_map(|(_, label)| label.values()).collect();
        all.into_iter().filter(|value| *value != 0).count()
    }

    /// Names of the channels in the order of their numbers.
    #[must_use]
    pub fn channels(&self) -> Vec<String> {
        let mut names: Vec<(&String, &Value)> = self.channel_names.iter().collect();
        names.sort_by_key(|(number, _)| number.parse::<usize>().unwrap_or(usize::MAX));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        names.into_iter().map(|(_, name)| text(name)).collect()
    }

    /// Number of names under `labels`, background and `ignore` among them.
    #[must_use]
    pub fn label_names(&self) -> usize {
        self.labels.len()
    }

    /// All label values, ascending; with that of `ignore`, where there is one, or without it.
    #[must_use]
    pub fn label_values(&self, with_ignore: bool) -> Vec<i64> {
        let labels = self.labels.iter().filter(|(name, _)| with_ignore || name != IGNORE);
        labels.flat_map(|(_, label)| label.values()).collect::<BTreeSet<i64>>().into_iter().collect()
    }

    /// Whether labels are overlapping regions.
    #[must_use]
    pub fn has_regions(&self) -> bool {
        let learned = self.labels.iter().filter(|(name, _)| name != IGNORE);
        learned.into_iter().any(|(_, label)| matches!(label, Label::Several(values) if values.len() > 1))
    }

    /// Label of the voxels that nothing is learned from.
    #[must_use]
    pub fn ignore_label(&self) -> Option<i64> {
        let found = self.labels.iter().find(|(name, _)| name == IGNORE)?;
        found.1.values().first().copied()
    }

    /// Every region, or every foreground label.
    #[must_use]
    pub fn foreground(&self) -> Vec<Class> {
        if !self.has_regions() {
            let labels = self.label_values(false).into_iter();
            return labels.filter(|value| *value != 0).map(Class::Label).collect();
        }
        let regions = self.labels.iter().filter(|(name, _)| name != IGNORE).map(|(_, label)| label);
        regions.filter(|label| label.values().iter().any(|value| *value != 0)).map(Label::class).collect()
    }

    /// What positions are sampled of: every region, or every foreground label; and, with voxels to be ignored, of
    /// everything else together.
    #[must_use]
    pub fn sampled_classes(&self) -> Vec<Class> {
        let mut classes = self.foreground();
        if self.ignore_label().is_some() {
            classes.push(Class::Region(self.annotated_labels()));
        }
        classes
    }

    /// All labels that are not ignored, and -1 outside of the nonzero mask: the key under which v2 keeps positions of
    /// annotated voxels.
    #[must_use]
    pub fn annotated_labels(&self) -> Vec<i64> {
        std::iter::once(-1).chain(self.label_values(false)).collect()
    }

    /// What a network's outputs mean.
    ///
    /// # Errors
    /// Returns an error for regions without an order, or with one of another length.
    pub fn heads(&self) -> Result<SegmentationHeads> {
        let labels = || self.labels.iter().filter(|(name, _)| name != IGNORE).map(|(_, label)| label);
        if !self.has_regions() {
            // Two names of one value are one output.
            let count = self.label_values(false).len();
            ensure!(
                count <= MOST_LABELS,
                "dataset.json has {count} labels; label maps hold at most {MOST_LABELS}"
            );
            return Ok(SegmentationHeads::Labels(count));
        }
        let is_foreground = |label: &&Label| label.values().iter().any(|value| *value != 0);
        let order = self
            .regions_class_order
            .clone()
            .context("dataset.json has regions but no regions_class_order")?;
        ensure!(
            order.len() == labels().filter(is_foreground).count(),
            "dataset.json: regions_class_order needs one entry for each region"
        );
        Ok(SegmentationHeads::Regions(order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let heads = |labels: &str| dataset(labels).heads().unwrap();
        assert_eq!(heads(r#""labels":{"background":"0","a":"1","b":"2"}"#), SegmentationHeads::Labels(3));
        assert_eq!(heads(r#""labels":{"background":0,"a":1.0,"b":2.0}"#), SegmentationHeads::Labels(3));
        assert_eq!(heads(r#""labels":{"background":0,"a":1,"b":2,"tail":2}"#), SegmentationHeads::Labels(3));
        let text = r#"{"channel_names":["T1","T2"],"file_ending":".nii.gz","labels":{"background":0,"a":1}}"#;
        assert_eq!(serde_json::from_str::<Dataset>(text).unwrap().channels(), ["T1", "T2"]);
        let error = serde_json::from_str::<Dataset>(&text.replace("\"a\":1", "\"a\":0.5")).unwrap_err();
        assert!(error.to_string().contains("a = 0.5"), "{error}");
    }

    #[test]
    fn label_maps_are_as_wide_as_those_of_v2() {
        let heads = |count: usize| {
            let many: Vec<String> = (0..count).map(|label| format!("\"l{label}\":{label}")).collect();
            dataset(&format!("\"labels\":{{{}}}", many.join(","))).heads()
        };
        assert!(!is_wide(&heads(255).unwrap()) && is_wide(&heads(256).unwrap()));
        let error = heads(70_000).unwrap_err();
        assert!(error.to_string().contains("70000 labels"), "{error}");
    }

    #[test]
    fn positions_are_sampled_of_regions_and_of_all_that_is_not_ignored() {
        let plain = dataset(r#""labels":{"background":0,"b":2,"a":1}"#);
        assert_eq!(plain.sampled_classes(), [Class::Label(1), Class::Label(2)]);
        let ignore = dataset(r#""labels":{"background":0,"a":1,"ignore":2}"#);
        assert_eq!(ignore.sampled_classes(), [Class::Label(1), Class::Region(vec![-1, 0, 1])]);
        let regions = dataset(r#""labels":{"background":0,"whole":[1,2],"core":[2],"x":3}"#);
        let wanted = [Class::Region(vec![1, 2]), Class::Region(vec![2]), Class::Label(3)];
        assert_eq!(regions.sampled_classes(), wanted);
        assert_eq!(ignore.label_values(true), [0, 1, 2]);
    }

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
        assert_eq!(plain, SegmentationHeads::Labels(2));
        let regions = r#""labels":{"background":0,"all":[1,2],"b":[2]},"regions_class_order":[1,2]"#;
        assert_eq!(heads(regions).unwrap(), SegmentationHeads::Regions(vec![1, 2]));
        assert!(heads(r#""labels":{"background":0,"all":[1,2]}"#).is_err());
    }
}
