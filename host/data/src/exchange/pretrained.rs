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
    let with_number = |id: u32| {
        let start = format!("Task{id:03}_");
        all.iter().find(|model| model.name.starts_with(&start))
    };
    let found = match name.parse() {
        Ok(id) => with_number(id),
        Err(_) => all.iter().find(|model| model.name == name),
    };
    found.cloned().with_context(|| {
        let number = name.strip_prefix("Task").and_then(|rest| rest.split('_').next()?.parse().ok());
        let near = number.and_then(with_number).map_or_else(
            || did_you_mean(name, all.iter().map(|model| model.name.as_str())),
            |model| format!("; did you mean `{}`?", model.name),
        );
        format!(
            "there is no published model `{name}`{near}{} `nnunet print_available_pretrained_models` lists them",
            if near.is_empty() { ";" } else { "" }
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
        for (name, meant) in [
            ("Task029", "; did you mean `Task029_LiTS`? `nnunet print_available"),
            ("Task04", "; did you mean `Task004_Hippocampus`?"),
            ("Task004_Hipocampus", "; did you mean `Task004_Hippocampus`?"),
            ("Hippocampus", "; did you mean `Task004_Hippocampus`?"),
            ("xyz", "`xyz`; `nnunet print_available"),
        ] {
            let message = published_named(name).unwrap_err().to_string();
            assert!(message.contains(meant), "{message}");
        }
    }
}
