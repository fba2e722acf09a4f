//! The models that v1's authors have published.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use nnunet_plugin_core::suggestion::did_you_mean;
use serde::Deserialize;

/// The models by name.
const TABLE: &str = include_str!("pretrained.json");

/// A published model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// What is segmented, and for which challenge.
    pub subject: String,
    /// Labels.
    pub targets: String,
    /// Channels, in order.
    pub inputs: Vec<String>,
    /// Where the data come from; empty when unknown.
    pub link: String,
    /// Number of the record at Zenodo.
    record: u64,
    /// Archives; empty: one, with the model's name.
    #[serde(default)]
    files: Vec<String>,
    /// Name of the model.
    #[serde(skip)]
    pub name: String,
}

impl Published {
    /// Where the archives lie; all of them belong to the model.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let url = |file: &str| format!("https://zenodo.org/record/{}/files/{file}?download=1", self.record);
        match self.files.as_slice() {
            [] => vec![url(&format!("{}.zip", self.name))],
            files => files.iter().map(|file| url(file)).collect(),
        }
    }

    /// A few lines about it.
    #[must_use]
    pub fn description(&self) -> String {
        let inputs = self.inputs.iter().enumerate().map(|(i, input)| format!("{i}: {input}"));
        let inputs: Vec<String> = inputs.collect();
        let mut lines = vec![
            self.subject.clone(),
            format!("Labels: {}", self.targets),
            format!("Channels: {}", inputs.join(", ")),
        ];
        if !self.link.is_empty() {
            lines.push(format!("Data: {}", self.link));
        }
        lines.join("\n")
    }
}

/// All published models, in the order of their names.
///
/// # Errors
/// Returns an error only if the table in the program is damaged.
pub fn published() -> Result<Vec<Published>> {
    let table: BTreeMap<String, Published> = serde_json::from_str(TABLE)?;
    Ok(table.into_iter().map(|(name, model)| Published { name, ..model }).collect())
}

/// One of them; numbers do as well as names.
///
/// # Errors
/// Returns an error for an unknown name.
pub fn published_named(name: &str) -> Result<Published> {
    let all = published()?;
    let names: Vec<String> = all.iter().map(|model| model.name.clone()).collect();
    let id = name.parse::<u32>().map_or(name.to_owned(), |id| format!("Task{id:03}_"));
    let found =
        all.into_iter().find(|model| model.name == name || (id != name && model.name.starts_with(&id)));
    found.with_context(|| {
        format!(
            "there is no published model `{name}`; `nnunet print_available_pretrained_models` lists them{}",
            did_you_mean(name, names.iter().map(String::as_str))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_channels_and_archives() {
        let all = published().unwrap();
        assert_eq!(all.len(), 27);
        for model in all {
            assert!(!model.inputs.is_empty() && !model.targets.is_empty(), "{}", model.name);
            assert!(model.urls().iter().all(|url| url.ends_with(".zip?download=1")), "{}", model.name);
        }
    }

    #[test]
    fn models_are_found_by_name_and_by_number() {
        let one = published_named("Task029_LiTS").unwrap();
        assert_eq!(one.urls(), ["https://zenodo.org/record/4003545/files/Task029_LITS.zip?download=1"]);
        assert_eq!(published_named("29").unwrap(), one);
        assert!(published_named("Task029").is_err());
        let mistyped = published_named("Task004_Hipocampus").unwrap_err().to_string();
        assert!(mistyped.ends_with("did you mean `Task004_Hippocampus`?"), "{mistyped}");
    }
}
