//! A raw task: `dataset.json` and the images and labels it lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_formats::json::{self, Json};

use crate::folders::without_ending;
use crate::images;

/// Label maps are written with one byte a voxel.
pub const LARGEST_LABEL: i64 = u8::MAX as i64;

/// The two parts of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Cases with labels.
    Training,
    /// Cases without.
    Test,
}

impl Part {
    /// Folder of its images.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Part::Training => "imagesTr",
            Part::Test => "imagesTs",
        }
    }
}

/// The content of `dataset.json`.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The raw task's folder.
    pub folder: PathBuf,
    /// Modality names by channel.
    pub modalities: Vec<String>,
    /// Foreground label values, in the order of the file.
    pub classes: Vec<i64>,
    /// All label values, in the order of the file.
    pub labels: Vec<i64>,
    /// Names of the training cases, as listed.
    pub training: Vec<String>,
    /// Names of the test cases, as listed.
    pub test: Vec<String>,
    /// Ending of all images and labels; `.nii.gz` unless the key `file_ending` says otherwise, as in v2.
    pub ending: String,
    /// Images and label map of training cases that do not lie in imagesTr and labelsTr (only in v2).
    pub listed: BTreeMap<String, (Vec<PathBuf>, PathBuf)>,
    /// Images may be pictures that hold several channels each (only in v2).
    pub has_colors: bool,
    /// Names of label files that differ from that of their case: by case, without the ending.
    pub(crate) label_names: BTreeMap<String, String>,
}

impl Dataset {
    /// Reads a raw task's `dataset.json`.
    ///
    /// # Errors
    /// Returns an error for a missing folder or file, or a key that is missing or of the wrong type.
    pub fn load(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            bail!("there is no raw task at {}", folder.display());
        }
        let path = folder.join("dataset.json");
        let file = json::load(&path)?;
        let key = |name: &str| {
            file.get(name).with_context(|| format!("{}: the key `{name}` is missing", path.display()))
        };
        let labels = numbered(key("labels")?).with_context(|| format!("{}: `labels`", path.display()))?;
        let mut modalities =
            numbered(key("modality")?).with_context(|| format!("{}: `modality`", path.display()))?;
        modalities.sort_by_key(|(channel, _)| *channel);
        let ending =
            file.get("file_ending").and_then(Json::as_str).unwrap_or(images::DEFAULT_ENDING).to_owned();
        let labels: Vec<i64> = labels.into_iter().map(|(value, _)| value).collect();
        let training =
            cases(key("training")?, &ending).with_context(|| format!("{}: `training`", path.display()))?;
        Ok(Self {
            label_names: label_names(key("training")?, &training, &ending),
            folder: folder.to_owned(),
            modalities: modalities.into_iter().map(|(_, name)| name).collect(),
            classes: labels.iter().copied().filter(|label| *label > 0).collect(),
            labels,
            training,
            test: file
                .get("test")
                .filter(|list| **list != Json::Null)
                .map_or(Ok(Vec::new()), |list| cases(list, &ending))
                .with_context(|| format!("{}: `test`", path.display()))?,
            ending,
            listed: BTreeMap::new(),
            has_colors: false,
        })
    }

    /// The cases of a part.
    #[must_use]
    pub fn cases(&self, part: Part) -> &[String] {
        match part {
            Part::Training => &self.training,
            Part::Test => &self.test,
        }
    }

    /// The image files of a training case, by channel.
    #[must_use]
    pub fn images(&self, case: &str) -> Vec<PathBuf> {
        self.images_of(Part::Training, case)
    }

    /// The image files of a case, by channel.
    #[must_use]
    pub fn images_of(&self, part: Part, case: &str) -> Vec<PathBuf> {
        if let (Part::Training, Some((images, _))) = (part, self.listed.get(case)) {
            return images.clone();
        }
        let folder = self.folder.join(part.folder());
        (0..self.modalities.len())
            .map(|channel| self.file(&folder, &format!("{case}_{channel:04}")))
            .collect()
    }

    /// The label file of a training case: the one that `dataset.json` pairs with its image.
    #[must_use]
    pub fn label(&self, case: &str) -> PathBuf {
        if let Some((_, label)) = self.listed.get(case) {
            return label.clone();
        }
        let name = self.label_names.get(case).map_or(case, String::as_str);
        self.file(&self.folder.join("labelsTr"), name)
    }

    /// A file of a folder; its ending may be in capitals.
    fn file(&self, folder: &Path, stem: &str) -> PathBuf {
        let path = folder.join(format!("{stem}{}", self.ending));
        let capitals = folder.join(format!("{stem}{}", self.ending.to_uppercase()));
        if !path.exists() && capitals.exists() { capitals } else { path }
    }

    /// Cases whose label file has another name, with that name without its ending.
    pub fn labels_of_other_names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.label_names.iter().map(|(case, label)| (case.as_str(), label.as_str()))
    }

    /// Whether a modality is CT.
    #[must_use]
    pub fn has_ct(&self) -> bool {
        self.modalities.iter().any(|name| name.eq_ignore_ascii_case("ct"))
    }

    /// A path below the task's folder without that folder.
    pub(crate) fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder).unwrap_or(path).to_owned()
    }

    /// Whether planning can start.
    ///
    /// # Errors
    /// Returns an error if there are no training cases, or labels that a label map cannot hold.
    pub fn check(&self) -> Result<()> {
        let path = self.folder.join("dataset.json");
        if self.training.is_empty() {
            bail!("{}: the list `training` is empty; list the training cases", path.display());
        }
        if let Some(label) = self.labels.iter().find(|label| !(0..=LARGEST_LABEL).contains(*label)) {
            bail!("{}: label {label} is not one of 0 to {LARGEST_LABEL}", path.display());
        }
        Ok(())
    }
}

/// `{"0": "x", "1": "y"}` in the order of the file.
fn numbered(json: &Json) -> Result<Vec<(i64, String)>> {
    if let Json::Array(names) = json {
        let named = names.iter().enumerate().map(|(number, name)| (number.to_string(), name.clone()));
        return numbered(&Json::Object(named.collect()));
    }
    let Json::Object(entries) = json else { bail!("not an object") };
    entries
        .iter()
        .map(|(key, value)| {
            let number = key.parse().with_context(|| format!("`{key}` is not a number"))?;
            let name = match value {
                Json::Str(name) => name.clone(),
                // Names are for people; v1 does not read those of labels.
                Json::Null => String::new(),
                Json::Int(name) => name.to_string(),
                _ => bail!("`{key}` is not text"),
            };
            Ok((number, name))
        })
        .collect()
}

/// Case names of a list of paths or of `{"image": path, "label": path}`.
fn cases(json: &Json, ending: &str) -> Result<Vec<String>> {
    let items = json.items().context("not a list")?;
    items
        .iter()
        .map(|item| {
            let path =
                item.as_str().or_else(|| item.get("image")?.as_str()).context("an entry without an image")?;
            let name = path.rsplit('/').next().unwrap_or(path);
            without_ending(name, ending)
                .map(str::to_owned)
                .with_context(|| format!("{path} is not a {ending} file"))
        })
        .collect()
}

/// Names of label files that differ from those of their cases.
fn label_names(json: &Json, cases: &[String], ending: &str) -> BTreeMap<String, String> {
    let named = |(item, case): (&Json, &String)| {
        let path = item.get("label")?.as_str()?;
        let label = without_ending(path.rsplit('/').next().unwrap_or(path), ending)?;
        (label != case && !is_channel_of(case, label)).then(|| (case.clone(), label.to_owned()))
    };
    json.items().unwrap_or_default().iter().zip(cases).filter_map(named).collect()
}

/// Whether a listed name is a label's name with a channel: a frequent error of its own.
fn is_channel_of(listed: &str, label: &str) -> bool {
    let channel = listed.strip_prefix(label).and_then(|rest| rest.strip_prefix('_'));
    channel.is_some_and(|channel| channel.len() == 4 && channel.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        let read = |text: &str| numbered(&json::parse(text).unwrap());
        let named = |names: [&str; 2]| vec![(0, names[0].to_owned()), (1, names[1].to_owned())];
        assert_eq!(read(r#"{"0": "T1", "1": "T2"}"#).unwrap(), named(["T1", "T2"]));
        assert_eq!(read(r#"["T1", "T2"]"#).unwrap(), named(["T1", "T2"]));
        assert_eq!(read(r#"{"0": null, "1": 7}"#).unwrap(), named(["", "7"]));
        assert!(read(r#"{"a": "T1"}"#).is_err() && read(r#"{"0": [1]}"#).is_err());
    }
}
