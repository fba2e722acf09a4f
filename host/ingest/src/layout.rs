//! Names of data sets, and `dataset.json`.

use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::labels::Label;

/// The versions of nnU-Net, by the layout of their data sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Version 1: `Task001_Name`.
    V1,
    /// Version 2: `Dataset001_Name`.
    V2,
}

/// The name of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The whole name.
    pub full: String,
    /// The version it is for.
    pub generation: Generation,
}

impl FromStr for Name {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || format!("`{text}` is neither Task001_Name (version 1) nor Dataset001_Name (version 2)");
        let v1 = text.strip_prefix("Task").map(|rest| (rest, Generation::V1));
        let v2 = || text.strip_prefix("Dataset").map(|rest| (rest, Generation::V2));
        let (rest, generation) = v1.or_else(v2).with_context(wrong)?;
        let (number, name) = rest.split_once('_').with_context(wrong)?;
        let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        ensure!(is_number && is_name, wrong());
        Ok(Self { full: text.to_owned(), generation })
    }
}

impl Name {
    /// The content of `dataset.json`.
    pub(crate) fn description(
        &self,
        channels: &[String],
        labels: &[Label],
        training: &[String],
        tests: &[String],
    ) -> Value {
        let numbered: Map<String, Value> =
            channels.iter().enumerate().map(|(number, name)| (number.to_string(), json!(name))).collect();
        match self.generation {
            Generation::V1 => {
                let names: Map<String, Value> =
                    labels.iter().map(|label| (label.label.to_string(), json!(label.name))).collect();
                let pair = |case: &String| json!({ "image": format!("./imagesTr/{case}.nii.gz"), "label": format!("./labelsTr/{case}.nii.gz") });
                json!({
                    "name": self.full.get("Task001_".len()..),
                    "description": "", "reference": "", "licence": "", "release": "1.0", "tensorImageSize": "4D",
                    "modality": numbered, "labels": names,
                    "numTraining": training.len(), "numTest": tests.len(),
                    "training": training.iter().map(pair).collect::<Vec<_>>(),
                    "test": tests.iter().map(|case| format!("./imagesTs/{case}.nii.gz")).collect::<Vec<_>>(),
                })
            }
            Generation::V2 => {
                let numbers: Map<String, Value> =
                    labels.iter().map(|label| (label.name.clone(), json!(label.label))).collect();
                json!({
                    "channel_names": numbered, "labels": numbers,
                    "numTraining": training.len(), "file_ending": ".nii.gz",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_for_which_version_they_are() {
        let generation = |text: &str| text.parse::<Name>().map(|name| name.generation);
        assert_eq!(generation("Task001_Cells").unwrap(), Generation::V1);
        assert_eq!(generation("Dataset012_My-Cells").unwrap(), Generation::V2);
        for wrong in ["Cells", "Task1_Cells", "Task001_", "Task001", "Dataset001_a/b", "Dataset0011_x"] {
            assert!(generation(wrong).unwrap_err().to_string().contains("is neither"), "{wrong}");
        }
    }
}
