//! Writes the repaired copy of a task. The original is never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::atomic;
use nnunet_formats::json::{self, Json};
use nnunet_formats::nifti::Pair;

use super::repair::{Repair, Repairs};
use crate::dataset::{Dataset, LARGEST_LABEL, Part};
use crate::{folders, images};

impl Repairs {
    /// Writes the repaired copy to the new folder `to`, with `repairs.json`, which lists the repairs.
    ///
    /// # Errors
    /// Returns an error if the folder exists, if no case would be left, or if a file cannot be copied or changed.
    pub fn write(&self, to: &Path) -> Result<()> {
        ensure!(!to.exists(), "{} exists already; name another folder with -o", to.display());
        let kept = self.dataset.training.iter().any(|case| !self.drops(case));
        ensure!(kept, "no training case can be kept; nothing was written");
        ensure!(
            self.dataset.listed.is_empty(),
            "`dataset` in dataset.json names files outside of this folder; repair them there"
        );
        let parent = to.parent().context("the folder of a task needs a parent folder")?;
        folders::create(parent)?;
        atomic::folder(to, |temporary| self.write_into(temporary))
    }

    fn write_into(&self, to: &Path) -> Result<()> {
        for part in [Part::Training, Part::Test] {
            let cases: BTreeSet<&String> = self.dataset.cases(part).iter().collect();
            for case in cases.into_iter().filter(|case| part == Part::Test || !self.drops(case)) {
                self.copy_case(part, case, to)?;
            }
        }
        let description = json::load(&self.dataset.folder.join("dataset.json"))?;
        json::save(&to.join("dataset.json"), &self.describe(description))?;
        let done = self.repairs.iter().map(|repair| Json::Str(repair.to_string())).collect();
        let map = self.label_map().into_iter().flatten();
        let map = map.map(|(from, to)| (from.to_string(), Json::Int(*to))).collect();
        let kept = vec![
            ("original".to_owned(), Json::Str(self.dataset.folder.display().to_string())),
            ("label_map".to_owned(), Json::Object(map)),
            ("repairs".to_owned(), Json::Array(done)),
        ];
        Ok(json::save(&to.join("repairs.json"), &Json::Object(kept))?)
    }

    /// Copies the files of a case that exist under the names they should have.
    fn copy_case(&self, part: Part, case: &str, to: &Path) -> Result<()> {
        for path in self.dataset.images_of(part, case) {
            let target = self.dataset.relative(&path);
            let source = self.source(&target);
            if self.dataset.folder.join(&source).is_file() {
                self.copy(&source, &to.join(target), None)?;
            }
        }
        if part == Part::Training {
            let label = self.dataset.relative(&self.dataset.label(case));
            self.copy(&label, &to.join(&label), self.label_map())?;
        }
        Ok(())
    }

    /// Where the file that should have a name is.
    fn source(&self, target: &Path) -> PathBuf {
        let renamed = self.repairs.iter().find_map(|repair| match repair {
            Repair::Rename(from, name) if name == target => Some(from.clone()),
            _ => None,
        });
        renamed.unwrap_or_else(|| target.to_owned())
    }

    /// Copies a file; with changes where a repair is for it, or, for label maps, where labels are remapped.
    fn copy(&self, file: &Path, target: &Path, map: Option<&BTreeMap<i64, i64>>) -> Result<()> {
        let from = self.dataset.folder.join(file);
        folders::create(target.parent().unwrap_or(target))?;
        let header = self.repairs.iter().find_map(|repair| match repair {
            Repair::CopyHeader(label, image) if label == file => {
                Some(self.dataset.folder.join(self.source(image)))
            }
            _ => None,
        });
        let clear =
            self.repairs.iter().any(|repair| matches!(repair, Repair::ClearNotFinite(path) if path == file));
        if header.is_none() && map.is_none() && !clear {
            std::fs::copy(&from, target).with_context(|| from.display().to_string())?;
            return copy_beside(&from, target);
        }
        let mut image = images::read(&from)?;
        if let Some(path) = header {
            image.geometry = images::read_geometry(&path)?;
        }
        if clear {
            image.data.mapv_inplace(|value| if value.is_finite() { value } else { 0.0 });
        }
        if !file.starts_with("labelsTr") {
            return images::write_image(target, image.data.view(), &image.geometry);
        }
        let new = |value: f32| match map.and_then(|map| map.get(&(value as i64))) {
            Some(new) if value.fract() == 0.0 => *new as f32,
            _ => value,
        };
        let is_label = |value: &f32| value.fract() == 0.0 && (0.0..=LARGEST_LABEL as f32).contains(value);
        image.data.mapv_inplace(new);
        if let Some(bad) = image.data.iter().find(|value| !is_label(value)) {
            bail!("{}: {bad} is not a label from 0 to {LARGEST_LABEL}", from.display());
        }
        let labels = image.data.mapv(|value| value as u8);
        images::write_labels(target, labels.view(), &image.geometry)
    }

    /// `dataset.json` without dropped cases, each case once and without a channel, with labels renumbered.
    fn describe(&self, description: Json) -> Json {
        let Json::Object(entries) = description else { return description };
        let entries = entries.into_iter().map(|(key, value)| {
            let value = match (key.as_str(), value) {
                ("training", Json::Array(items)) => Json::Array(self.kept(items, &self.dataset.training)),
                ("test", Json::Array(items)) => {
                    Json::Array(renamed(items, &self.dataset.test, &self.dataset))
                }
                ("numTraining", Json::Int(_)) => Json::Null,
                ("labels", Json::Object(labels)) => Json::Object(self.renumbered(labels)),
                (_, value) => value,
            };
            (key, value)
        });
        let mut entries: Vec<(String, Json)> = entries.collect();
        let listed =
            entries.iter().find(|(key, _)| key == "training").and_then(|(_, list)| Some(list.items()?.len()));
        // v2 lists no cases.
        let cases: BTreeSet<&String> =
            self.dataset.training.iter().filter(|case| !self.drops(case)).collect();
        for (_, value) in entries.iter_mut().filter(|(key, _)| key == "numTraining") {
            *value = Json::Int(listed.unwrap_or(cases.len()) as i64);
        }
        Json::Object(entries)
    }

    fn kept(&self, items: Vec<Json>, cases: &[String]) -> Vec<Json> {
        let mut seen = BTreeSet::new();
        let items = renamed(items, cases, &self.dataset).into_iter().zip(cases);
        items.filter(|(_, case)| !self.drops(case) && seen.insert(*case)).map(|(item, _)| item).collect()
    }

    /// The declared labels become 0, 1, 2, ... in their order, as those in the label maps.
    fn renumbered(&self, labels: Vec<(String, Json)>) -> Vec<(String, Json)> {
        if self.label_map().is_none() {
            return labels;
        }
        let declared: BTreeSet<i64> = self.dataset.labels.iter().copied().collect();
        let new: BTreeMap<i64, i64> = declared.into_iter().zip(0..).collect();
        let renumber = |value: String| {
            value.parse().ok().and_then(|old: i64| new.get(&old)).map_or(value, ToString::to_string)
        };
        labels.into_iter().map(|(key, value)| (renumber(key), renumbered_value(value, &new))).collect()
    }
}

/// The values that stand behind v2's names: a number, or a list of them. v1's names stay.
fn renumbered_value(value: Json, new: &BTreeMap<i64, i64>) -> Json {
    match value {
        Json::Int(old) => Json::Int(new.get(&old).copied().unwrap_or(old)),
        Json::Array(items) => {
            Json::Array(items.into_iter().map(|item| renumbered_value(item, new)).collect())
        }
        other => other,
    }
}

/// Entries of a list of cases with the corrected names of the cases; labels keep theirs.
fn renamed(items: Vec<Json>, cases: &[String], dataset: &Dataset) -> Vec<Json> {
    let rename = |path: String, case: &String| {
        let (folder, name) =
            path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (folder, name));
        let new = format!("{case}{}", dataset.ending);
        if name == new {
            return path.clone();
        }
        if folder.is_empty() { new } else { format!("{folder}/{new}") }
    };
    let entry = |item: Json, case: &String| match item {
        Json::Str(path) => Json::Str(rename(path, case)),
        Json::Object(entries) => Json::Object(
            entries
                .into_iter()
                .map(|(key, value)| match value {
                    Json::Str(path) if key == "image" => (key, Json::Str(rename(path, case))),
                    Json::Str(_) if key == "label" => {
                        let name =
                            dataset.label(case).file_name().map(|name| name.to_string_lossy().into_owned());
                        (key, Json::Str(format!("./labelsTr/{}", name.unwrap_or_default())))
                    }
                    value => (key, value),
                })
                .collect(),
        ),
        other => other,
    };
    items.into_iter().zip(cases).map(|(item, case)| entry(item, case)).collect()
}

/// Copies what belongs to an image and is in another file: the spacing of a stack of pictures, the voxels of a `.hdr`
/// file.
fn copy_beside(from: &Path, to: &Path) -> Result<()> {
    if let (Some(from), Some(to)) = (Pair::of(from), Pair::of(to)) {
        std::fs::copy(&from.voxels, to.voxels).with_context(|| from.voxels.display().to_string())?;
        std::fs::copy(&from.header, to.header).with_context(|| from.header.display().to_string())?;
        return Ok(());
    }
    let (beside, copy) = (from.with_extension("json"), to.with_extension("json"));
    if beside.is_file() {
        std::fs::copy(&beside, copy).with_context(|| beside.display().to_string())?;
    }
    Ok(())
}
