//! v2's folders, and how a data set is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_plugin_core::suggestion::did_you_mean;

use crate::folders::{subfolders, there_are};

/// The three roots, from v2's environment variables; each is asked for only when a command needs it.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    raw: Option<PathBuf>,
    preprocessed: Option<PathBuf>,
    results: Option<PathBuf>,
}

/// Folders of one data set.
#[derive(Debug, Clone)]
pub struct DatasetFolders {
    /// Name of the data set.
    pub name: String,
    /// Raw data.
    pub raw: PathBuf,
    /// Fingerprint, plans and preprocessed cases.
    pub preprocessed: PathBuf,
}

impl Folders {
    /// From `nnUNet_raw`, `nnUNet_preprocessed` and `nnUNet_results`.
    #[must_use]
    pub fn from_environment() -> Self {
        let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            raw: folder("nnUNet_raw"),
            preprocessed: folder("nnUNet_preprocessed"),
            results: folder("nnUNet_results"),
        }
    }

    /// Raw data sets.
    ///
    /// # Errors
    /// Returns an error if the environment variable is not set.
    pub fn raw(&self) -> Result<&Path> {
        wanted(&self.raw, "nnUNet_raw", "raw data sets")
    }

    /// Preprocessed data sets.
    ///
    /// # Errors
    /// Returns an error if the environment variable is not set.
    pub fn preprocessed(&self) -> Result<&Path> {
        wanted(&self.preprocessed, "nnUNet_preprocessed", "preprocessed data sets")
    }

    /// Trained models.
    ///
    /// # Errors
    /// Returns an error if the environment variable is not set.
    pub fn results(&self) -> Result<&Path> {
        wanted(&self.results, "nnUNet_results", "trained models")
    }

    /// The folders of a data set given by name or number.
    ///
    /// # Errors
    /// As [`Folders::dataset_name`]; a root that is not set.
    pub fn dataset(&self, dataset: &str) -> Result<DatasetFolders> {
        let name = self.dataset_name(dataset)?;
        Ok(DatasetFolders {
            raw: self.raw()?.join(&name),
            preprocessed: self.preprocessed()?.join(&name),
            name,
        })
    }

    /// The name of a data set given as name (`Dataset004_X`) or number (`4`, `004`).
    ///
    /// # Errors
    /// Returns an error if there is no data set with this number, or more than one; for a name that no data set has, where
    /// there are data sets: the nearest name, and those there are.
    pub fn dataset_name(&self, dataset: &str) -> Result<String> {
        if dataset.starts_with("Dataset") {
            self.check_known(dataset)?;
            return Ok(dataset.to_owned());
        }
        let Ok(id) = dataset.parse::<u32>() else {
            bail!("`{dataset}` is neither the name of a data set (Dataset004_X) nor a number");
        };
        let found = self.with_id(id);
        match found.iter().collect::<Vec<_>>().as_slice() {
            [one] => Ok((*one).clone()),
            [] => bail!("no data set with id {id} in {}{}", self.searched(), there_are(&self.all())),
            several => {
                bail!("data set id {id} is ambiguous: {several:?} in {}; rename all but one", self.searched())
            }
        }
    }

    /// Names of all data sets with a number.
    #[must_use]
    pub fn with_id(&self, id: u32) -> BTreeSet<String> {
        let prefix = format!("Dataset{id:03}");
        // Not a longer number that begins alike.
        let is_it = |name: &String| {
            name.strip_prefix(&prefix)
                .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        };
        let roots = [&self.preprocessed, &self.raw, &self.results].into_iter().flatten();
        roots.flat_map(|root| subfolders(root)).filter(is_it).collect()
    }

    fn check_known(&self, dataset: &str) -> Result<()> {
        let known = self.all();
        ensure!(
            known.is_empty() || known.contains(dataset),
            "there is no data set `{dataset}` in {}{}{}",
            self.searched(),
            there_are(&known),
            did_you_mean(dataset, known.iter().map(String::as_str))
        );
        Ok(())
    }

    /// Names of all data sets.
    fn all(&self) -> BTreeSet<String> {
        let roots = [&self.preprocessed, &self.raw, &self.results].into_iter().flatten();
        roots.flat_map(|root| subfolders(root)).filter(|name| name.starts_with("Dataset")).collect()
    }

    fn searched(&self) -> String {
        let shown = |name: &str, value: &Option<PathBuf>| {
            format!(
                "{name}={}",
                value.as_ref().map_or("(not set)".to_owned(), |path| path.display().to_string())
            )
        };
        let all = [
            shown("nnUNet_raw", &self.raw),
            shown("nnUNet_preprocessed", &self.preprocessed),
            shown("nnUNet_results", &self.results),
        ];
        all.join(", ")
    }
}

fn wanted<'a>(folder: &'a Option<PathBuf>, variable: &str, what: &str) -> Result<&'a Path> {
    folder.as_deref().with_context(|| {
        format!(
            "the environment variable {variable} (folder of the {what}) is not set; export {variable}=FOLDER"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_sets_have_numbers_and_names() {
        let root = tempfile::tempdir().unwrap();
        for name in ["Dataset005_A", "Dataset0051_B", "Dataset006_C", "Dataset006_D"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let folders = Folders { raw: Some(root.path().into()), ..Folders::default() };
        for word in ["5", "005", "Dataset005_A"] {
            assert_eq!(folders.dataset_name(word).unwrap(), "Dataset005_A");
        }
        assert!(folders.dataset_name("6").unwrap_err().to_string().contains("ambiguous"));
        let missing = folders.dataset_name("7").unwrap_err().to_string();
        assert!(
            missing.contains("no data set with id 7") && missing.contains("; there are Dataset0051_B"),
            "{missing}"
        );
        let mistyped = folders.dataset_name("Dataset0051_BB").unwrap_err().to_string();
        assert!(mistyped.contains("did you mean `Dataset0051_B`?"), "{mistyped}");
        assert_eq!(
            Folders::default().dataset_name("Dataset005_B").unwrap(),
            "Dataset005_B",
            "nothing is known"
        );
        assert!(folders.dataset("5").unwrap_err().to_string().contains("nnUNet_preprocessed"));
    }
}
