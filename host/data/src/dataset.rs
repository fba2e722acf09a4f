//! A raw task: `dataset.json` and the images and labels it lists.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_formats::json::{self, Json};

use crate::images;

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
        Ok(Self {
            folder: folder.to_owned(),
            modalities: modalities.into_iter().map(|(_, name)| name).collect(),
            classes: labels.iter().copied().filter(|label| *label > 0).collect(),
            labels,
            training: cases(key("training")?, &ending)
                .with_context(|| format!("{}: `training`", path.display()))?,
            test: file
                .get("test")
                .map_or(Ok(Vec::new()), |list| cases(list, &ending))
                .with_context(|| format!("{}: `test`", path.display()))?,
            ending,
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
        let folder = self.folder.join(part.folder());
        (0..self.modalities.len())
            .map(|channel| folder.join(format!("{case}_{channel:04}{}", self.ending)))
            .collect()
    }

    /// The label file of a training case.
    #[must_use]
    pub fn label(&self, case: &str) -> PathBuf {
        self.folder.join("labelsTr").join(format!("{case}{}", self.ending))
    }
}

/// `{"0": "x", "1": "y"}` in the order of the file.
fn numbered(json: &Json) -> Result<Vec<(i64, String)>> {
    let Json::Object(entries) = json else { bail!("not an object") };
    entries
        .iter()
        .map(|(key, value)| {
            let number = key.parse().with_context(|| format!("`{key}` is not a number"))?;
            Ok((number, value.as_str().with_context(|| format!("`{key}` is not text"))?.to_owned()))
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
            name.strip_suffix(ending)
                .map(str::to_owned)
                .with_context(|| format!("{path} is not a {ending} file"))
        })
        .collect()
}
