//! `postprocessing.json`, and what it says done to a folder.

use std::path::Path;

use anyhow::{Context, Result};
use nnunet_engine::progress;
use nnunet_formats::json::{self, Json};
use nnunet_plugin_core::{LabelVolume, Postprocessor};
use nnunet_postprocessing::{Classes, LargestComponent, LargestComponentConfig};

use crate::label_names::LabelNames;
use crate::{failures, folders, images};

/// What a postprocessing does, for people, by what it keeps the largest components of.
pub(crate) fn described(kept: &[String]) -> String {
    match kept {
        [] => "no postprocessing improves the Dice".to_owned(),
        kept => format!("keep the largest component of {}", kept.join(", ")),
    }
}

/// What v1 keeps in `postprocessing.json`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Postprocessing {
    /// What to treat, in order, and from which size components stay (mm3).
    pub config: LargestComponentConfig,
}

impl Postprocessing {
    /// Reads the file.
    ///
    /// # Errors
    /// Returns an error for a file without `for_which_classes`, or with sizes that do not belong to them.
    pub fn load(path: &Path) -> Result<Self> {
        let file = json::load(path)?;
        let classes = file.get("for_which_classes").and_then(Json::items);
        let classes =
            classes.with_context(|| format!("{}: `for_which_classes` is missing", path.display()))?;
        let for_which_classes = classes.iter().map(classes_from).collect::<Option<Vec<_>>>();
        let for_which_classes =
            for_which_classes.with_context(|| format!("{}: `for_which_classes`", path.display()))?;
        let text = file.get("min_valid_object_sizes").and_then(Json::as_str).unwrap_or("None");
        let min_valid_object_sizes = sizes_from(text, &for_which_classes)
            .with_context(|| format!("{}: `min_valid_object_sizes`", path.display()))?;
        Ok(Self { config: LargestComponentConfig { for_which_classes, min_valid_object_sizes } })
    }

    /// What it does, for people: `keep the largest component of 1 (liver) and 2 (tumor) together, 2 (tumor)`.
    #[must_use]
    pub fn describe(&self, names: &LabelNames) -> String {
        let shown = |label: &u8| names.shown(&label.to_string());
        let entry = |classes: &Classes| match classes {
            Classes::One(label) => shown(label),
            Classes::Joint(labels) => {
                format!("{} together", labels.iter().map(shown).collect::<Vec<_>>().join(" and "))
            }
        };
        let all: Vec<String> = self.config.for_which_classes.iter().map(entry).collect();
        described(&all)
    }

    /// `for_which_classes` as v1 writes it.
    pub(super) fn classes_json(&self) -> Json {
        let number = |class: &u8| Json::Int(i64::from(*class));
        let entry = |classes: &Classes| match classes {
            Classes::One(class) => number(class),
            Classes::Joint(classes) => Json::Array(classes.iter().map(number).collect()),
        };
        Json::Array(self.config.for_which_classes.iter().map(entry).collect())
    }

    /// `min_valid_object_sizes` as v1 writes it: a Python literal in a string.
    pub(super) fn sizes_text(&self) -> String {
        let Some(sizes) = &self.config.min_valid_object_sizes else { return "None".to_owned() };
        let key = |classes: &Classes| match classes {
            Classes::One(class) => class.to_string(),
            Classes::Joint(classes) if classes.len() == 1 => format!("({},)", classes[0]),
            Classes::Joint(classes) => {
                format!("({})", classes.iter().map(u8::to_string).collect::<Vec<_>>().join(", "))
            }
        };
        let pairs = self.config.for_which_classes.iter().zip(sizes);
        let pairs: Vec<String> =
            pairs.map(|(classes, size)| format!("{}: {}", key(classes), json::float_repr(*size))).collect();
        format!("{{{}}}", pairs.join(", "))
    }
}

fn classes_from(json: &Json) -> Option<Classes> {
    let class = |json: &Json| Some(json.as_f64()?).filter(|n| (0.0..256.0).contains(n)).map(|n| n as u8);
    match json.items() {
        Some(items) => Some(Classes::Joint(items.iter().map(class).collect::<Option<_>>()?)),
        None => class(json).map(Classes::One),
    }
}

/// Reads `None` or `{1: 3.0, (1, 2): 5.5}`; the sizes in the order of `classes`.
fn sizes_from(text: &str, classes: &[Classes]) -> Result<Option<Vec<f64>>> {
    if text == "None" {
        return Ok(None);
    }
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.with_context(|| format!("`{text}` is neither None nor a dictionary"))?.trim();
    let mut found: Vec<(Vec<u8>, f64)> = Vec::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':').with_context(|| format!("`{rest}` has no size"))?;
        let (size, after) = after.split_once(',').unwrap_or((after, ""));
        let numbers = key.trim().trim_start_matches('(').trim_end_matches(')').split(',').map(str::trim);
        let numbers = numbers.filter(|number| !number.is_empty()).map(str::parse).collect::<Result<_, _>>();
        found.push((numbers.with_context(|| format!("`{key}`"))?, size.trim().parse()?));
        rest = after.trim();
    }
    let size = |classes: &Classes| {
        let wanted = match classes {
            Classes::One(class) => std::slice::from_ref(class),
            Classes::Joint(classes) => classes,
        };
        found.iter().find(|(key, _)| key == wanted).map(|(_, size)| *size)
    };
    let sizes = classes.iter().map(size).collect::<Option<Vec<_>>>();
    sizes.map(Some).with_context(|| format!("`{text}` lacks a size of for_which_classes"))
}

impl Postprocessor for Postprocessing {
    fn apply(&self, volume: &mut LabelVolume) -> nnunet_plugin_core::Result<()> {
        LargestComponent::new(self.config.clone()).apply(volume)
    }
}

/// Applies a postprocessor to every label map of a folder.
///
/// # Errors
/// Returns one error that lists all files that could not be read, processed or written.
pub fn apply_to_folder(from: &Path, to: &Path, postprocessor: &dyn Postprocessor) -> Result<()> {
    let names = images::list(from)?;
    folders::create(to)?;
    let bar = progress::start(names.len(), "postprocessing");
    let process = |name: &String| -> Result<()> {
        let path = from.join(name);
        let mut volume = read_volume(&path)?;
        postprocessor.apply(&mut volume).with_context(|| path.display().to_string())?;
        images::write_labels(&to.join(name), volume.labels.view(), &images::read_geometry(&path)?)?;
        bar.inc(1);
        Ok(())
    };
    failures::each("cases failed", &names, process)?;
    Ok(())
}

/// A label map with its voxel size.
pub(super) fn read_volume(path: &Path) -> Result<LabelVolume> {
    Ok(LabelVolume {
        labels: images::read_labels(path)?,
        spacing: images::read_geometry(path)?.spacing_zyx(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_described_by_their_names() {
        let names = json::parse(r#"{"labels": {"1": "liver"}}"#).unwrap();
        let describe = |classes: &[Classes]| {
            let config = LargestComponentConfig { for_which_classes: classes.to_vec(), ..Default::default() };
            Postprocessing { config }.describe(&LabelNames::of(&names))
        };
        assert_eq!(describe(&[]), "no postprocessing improves the Dice");
        let both = [Classes::Joint(vec![1, 2]), Classes::One(2)];
        assert_eq!(describe(&both), "keep the largest component of 1 (liver) and 2 together, 2");
    }

    #[test]
    fn sizes_survive_the_python_literal() {
        let config = LargestComponentConfig {
            for_which_classes: vec![Classes::Joint(vec![1, 2]), Classes::One(2)],
            min_valid_object_sizes: Some(vec![1490.0, 0.5]),
        };
        let text = Postprocessing { config: config.clone() }.sizes_text();
        assert_eq!(text, "{(1, 2): 1490.0, 2: 0.5}");
        assert_eq!(sizes_from(&text, &config.for_which_classes).unwrap(), config.min_valid_object_sizes);
        assert_eq!(sizes_from("None", &config.for_which_classes).unwrap(), None);
        assert!(sizes_from("{3: 1.0}", &config.for_which_classes).is_err());
        assert!(sizes_from("import os", &config.for_which_classes).is_err());
    }
}
