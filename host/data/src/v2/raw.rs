//! A raw data set of v2: `dataset.json` and the files of its training cases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{Dataset, Reader};
use crate::dataset as v1;
use crate::folders::file_names;

/// A training case.
#[derive(Debug, Clone)]
pub struct CaseFiles {
    /// Name.
    pub name: String,
    /// Images, in the order of their channels.
    pub images: Vec<PathBuf>,
    /// Label map.
    pub label: PathBuf,
}

/// A raw data set.
#[derive(Debug)]
pub struct RawDataset {
    /// Its folder.
    pub folder: PathBuf,
    /// `dataset.json`.
    pub description: Dataset,
    /// What reads its images.
    pub reader: Reader,
    /// Training cases, by name.
    pub cases: Vec<CaseFiles>,
}

#[derive(Deserialize)]
struct Listed {
    images: Vec<String>,
    label: String,
}

impl RawDataset {
    /// Reads a data set's `dataset.json` and looks for its training cases.
    ///
    /// # Errors
    /// Returns an error if a folder or file is missing, if there are no cases, or if no reader supports the images.
    pub fn load(folder: &Path) -> Result<Self> {
        ensure!(folder.is_dir(), "there is no raw data set at {}", folder.display());
        let description = Dataset::load(folder)?;
        let cases = if description.listed.is_empty() {
            found(folder, &description)?
        } else {
            listed(folder, &description)?
        };
        ensure!(!cases.is_empty(), "{} has no training cases", folder.display());
        let named = description.overwrite_image_reader_writer.as_deref();
        let example = cases.first().and_then(|case| case.images.first());
        let reader = Reader::determine(named, &description.file_ending, example.map(PathBuf::as_path))?;
        Ok(Self { folder: folder.to_owned(), description, reader, cases })
    }

    /// Names of the training cases.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.cases.iter().map(|case| case.name.clone()).collect()
    }

    /// The files of a case.
    ///
    /// # Errors
    /// Returns an error if there is no such case.
    pub fn case(&self, name: &str) -> Result<&CaseFiles> {
        self.cases.iter().find(|case| case.name == name).with_context(|| format!("no case {name}"))
    }

    /// The same data set as a task of v1, to be checked.
    ///
    /// # Errors
    /// Returns an error if the folder of test images cannot be read.
    pub fn as_task(&self) -> Result<v1::Dataset> {
        let Dataset { file_ending, .. } = &self.description;
        // Pictures may hold several channels in a file.
        let files = self.cases.iter().map(|case| case.images.len()).min().unwrap_or(0);
        let mut modalities = self.description.channels();
        if self.reader == Reader::Pictures {
            modalities.truncate(files);
        }
        let labels = self.description.label_values(true);
        let files = |case: &CaseFiles| (case.name.clone(), (case.images.clone(), case.label.clone()));
        let is_listed = !self.description.listed.is_empty();
        let tests = self.folder.join("imagesTs");
        Ok(v1::Dataset {
            folder: self.folder.clone(),
            modalities,
            classes: labels.iter().copied().filter(|label| *label > 0).collect(),
            labels,
            training: self.names(),
            test: if tests.is_dir() { names(&tests, file_ending)? } else { Vec::new() },
            ending: file_ending.clone(),
            label_names: BTreeMap::new(),
            has_colors: self.reader == Reader::Pictures,
            listed: if is_listed { self.cases.iter().map(files).collect() } else { BTreeMap::new() },
        })
    }
}

/// Length of `_0000`.
const CHANNEL: usize = 5;

/// Names of the cases whose images lie in a folder.
fn names(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let files = file_names(folder, ending)?;
    let case = |file: &String| {
        let stem = file.strip_suffix(ending)?;
        stem.get(..stem.len().checked_sub(CHANNEL)?).map(str::to_owned)
    };
    Ok(files.iter().filter_map(case).collect::<BTreeSet<String>>().into_iter().collect())
}

fn found(folder: &Path, description: &Dataset) -> Result<Vec<CaseFiles>> {
    let (images, ending) = (folder.join("imagesTr"), &description.file_ending);
    let files = file_names(&images, ending)?;
    let is_channel = |rest: &str| {
        rest.len() == CHANNEL && rest.starts_with('_') && rest[1..].bytes().all(|b| b.is_ascii_digit())
    };
    let of = |case: &str| -> Vec<PathBuf> {
        let is_its = |file: &&String| {
            let rest = file.strip_prefix(case).and_then(|rest| rest.strip_suffix(ending.as_str()));
            rest.is_some_and(is_channel)
        };
        files.iter().filter(is_its).map(|file| images.join(file)).collect()
    };
    let label = |case: &str| folder.join("labelsTr").join(format!("{case}{ending}"));
    let cases = names(&images, ending)?.into_iter();
    Ok(cases.map(|name| CaseFiles { images: of(&name), label: label(&name), name }).collect())
}

fn listed(folder: &Path, description: &Dataset) -> Result<Vec<CaseFiles>> {
    let of = |(name, value): (&String, &Value)| {
        let Listed { images, label } = serde_json::from_value(value.clone())
            .with_context(|| format!("{}: `dataset`: {name}", folder.join("dataset.json").display()))?;
        let images = images.iter().map(|path| absolute(folder, path)).collect();
        Ok(CaseFiles { name: name.clone(), images, label: absolute(folder, &label) })
    };
    let mut cases = description.listed.iter().map(of).collect::<Result<Vec<_>>>()?;
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

/// A path of `dataset.json`: relative to the data set, with environment variables.
fn absolute(folder: &Path, path: &str) -> PathBuf {
    let joined = folder.join(expanded(path));
    std::path::absolute(&joined).unwrap_or(joined)
}

/// `$NAME` and `${NAME}` replaced; unknown names stay.
fn expanded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let (name, len) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (&rest[..len], len)
            }
        };
        match std::env::var(name) {
            Ok(value) => out.push_str(&value),
            Err(_) => out.push_str(&format!("${}", &rest[..len])),
        }
        rest = &rest[len..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_by_their_channels() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("imagesTr");
        std::fs::create_dir(&images).unwrap();
        for name in ["b_0000.nii.gz", "a_0001.nii.gz", "a_0000.nii.gz", "a_1_0000.nii.gz", "._a_0000.nii.gz"]
        {
            std::fs::write(images.join(name), "").unwrap();
        }
        let json = r#"{"channel_names":{"0":"x"},"labels":{"background":0},"numTraining":3,"file_ending":".nii.gz"}"#;
        std::fs::write(folder.path().join("dataset.json"), json).unwrap();
        let found = RawDataset::load(folder.path()).unwrap();
        let seen: Vec<(String, usize)> =
            found.cases.iter().map(|case| (case.name.clone(), case.images.len())).collect();
        assert_eq!(seen, [("a".to_owned(), 2), ("a_1".to_owned(), 1), ("b".to_owned(), 1)]);
        assert_eq!(found.reader, Reader::SimpleItk);
    }

    #[test]
    fn listed_files_may_lie_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let json = r#"{"channel_names":{"0":"x"},"labels":{"background":0},"file_ending":".nii.gz",
            "overwrite_image_reader_writer":"NibabelIOWithReorient",
            "dataset":{"b":{"images":["../c.nii.gz"],"label":"/x/l.nii.gz"},
                "a":{"images":["${NOT_SET_HERE}/i.nii.gz"],"label":"l.nii.gz"}}}"#;
        std::fs::write(folder.path().join("dataset.json"), json).unwrap();
        let found = RawDataset::load(folder.path()).unwrap();
        assert_eq!(found.reader, Reader::NibabelTurned);
        assert_eq!(found.names(), ["a", "b"]);
        assert_eq!(found.cases[1].label, Path::new("/x/l.nii.gz"));
        assert_eq!(found.cases[0].label, folder.path().join("l.nii.gz"));
        assert!(found.cases[0].images[0].ends_with("${NOT_SET_HERE}/i.nii.gz"));
    }
}
