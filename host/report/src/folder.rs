//! Finding what a folder offers: results of predictions, or folds of a model of v1 or v2.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nnunet_data::models;

/// One part of a report: a folder of predictions or a fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Name of the folder.
    pub(crate) title: String,
    /// The folder, which may hold `progress.png` and settings.
    pub(crate) folder: PathBuf,
    /// Metrics by case, if there are any.
    pub(crate) summary: Option<PathBuf>,
}

/// Where a summary lies, from the folder of predictions or of a fold: the validation after postprocessing is not among
/// them, since it exists for few models only.
const SUMMARIES: [&str; 3] = ["summary.json", "validation_raw/summary.json", "validation/summary.json"];

/// The parts of a report of `folder`.
pub(crate) fn sections(folder: &Path) -> Result<Vec<Section>> {
    ensure!(folder.is_dir(), "{} is not a folder", folder.display());
    let mut folds: Vec<PathBuf> = std::fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && is_fold(path))
        .collect();
    folds.sort();
    let mut sections: Vec<Section> = folds.iter().map(|fold| section(fold)).collect();
    if sections.is_empty() || folder.join("summary.json").is_file() {
        sections.insert(0, section(folder));
    }
    sections.retain(|section| section.summary.is_some() || section.folder.join("progress.png").is_file());
    ensure!(
        !sections.is_empty(),
        "{} has no summary.json and no fold with results; for predictions, run `nnunet evaluate_folder` first",
        folder.display()
    );
    Ok(sections)
}

fn is_fold(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "all" || name.to_string_lossy().starts_with("fold_"))
}

fn section(folder: &Path) -> Section {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = absolute.file_name().unwrap_or(absolute.as_os_str()).to_string_lossy();
    let is_unfinished = models::has_checkpoint(folder) && models::is_unfinished(folder);
    let title = format!("{name}{}", if is_unfinished { " (its training is not finished)" } else { "" });
    let summary = SUMMARIES.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    Section { title, folder: folder.to_owned(), summary }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_and_folds_of_both_generations_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let error = sections(folder.path()).unwrap_err().to_string();
        assert!(error.contains("evaluate_folder"), "{error}");
        for name in ["fold_1/validation", "fold_0/validation_raw", "other"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("summary.json"), "{}").unwrap();
        }
        let titles = |folder: &Path| -> Vec<String> {
            sections(folder).unwrap().into_iter().map(|section| section.title).collect()
        };
        assert_eq!(titles(folder.path()), ["fold_0", "fold_1"]);
        assert_eq!(titles(&folder.path().join("other")), ["other"]);
    }
}
