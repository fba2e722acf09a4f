//! A zip of trained models of v2 (v2 `export_pretrained_model`).

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::archive::write;
use crate::folders::{file_names, subfolders};
use crate::models::{in_v2, nearest};
use crate::training_images;

/// Files of a model without which it cannot predict.
const NEEDED: [&str; 2] = ["plans.json", "dataset.json"];
/// Files that describe how a fold was trained.
const OF_FOLD: [&str; 4] =
    ["debug.json", "progress.png", "network_architecture.pdf", "validation/summary.json"];
/// Results of the cross-validation.
const OF_CROSS_VALIDATION: [&str; 3] = ["summary.json", "postprocessing.pkl", "postprocessing.json"];

/// What to export.
#[derive(Debug, Clone)]
pub struct ExportV2 {
    /// `nnUNet_results`; names in the archive are relative to it.
    pub results: PathBuf,
    /// Name of the data set.
    pub dataset: String,
    /// Start of the models' names, `TRAINER__PLANS`.
    pub model: String,
    /// Configurations.
    pub configurations: Vec<String>,
    /// Folds: numbers, or `all`.
    pub folds: Vec<String>,
    /// Names of the checkpoints.
    pub checkpoints: Vec<String>,
    /// A configuration that is missing is an error.
    pub strict: bool,
    /// Label maps of the cross-validation too.
    pub cross_validation: bool,
}

impl ExportV2 {
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for configuration in &self.configurations {
            let model = Path::new(&self.dataset).join(format!("{}__{configuration}", self.model));
            if self.results.join(&model).is_dir() {
                self.model_files(&model, &mut files)?;
            } else {
                ensure!(
                    !self.strict,
                    "there is no model at {}; {}. Name the configurations with -c, or leave missing ones out with \
                     --not_strict",
                    self.results.join(&model).display(),
                    self.nearest(configuration)
                );
                tracing::info!("{configuration} has no model and is left out");
            }
        }
        ensure!(!files.is_empty(), "there is no model of {} to export", self.dataset);
        self.ensemble_files(&mut files)?;
        let of_dataset = ["inference_information.json", "inference_instructions.txt"];
        files.extend(self.there(Path::new(&self.dataset), &of_dataset));
        Ok(files)
    }

    /// The models that may be meant instead of one that is not there.
    fn nearest(&self, configuration: &str) -> String {
        let (trainer, plans) = self.model.split_once("__").unwrap_or((self.model.as_str(), ""));
        nearest(&[&self.dataset, configuration, trainer, plans], &in_v2(&self.results))
    }

    /// The results of ensembles whose members are all exported.
    fn ensemble_files(&self, files: &mut Vec<PathBuf>) -> Result<()> {
        let folder = Path::new(&self.dataset).join("ensembles");
        let mut names = subfolders(&self.results.join(&folder));
        names.sort();
        for name in names.iter().filter(|name| self.has_members(name)) {
            self.results_of(&folder.join(name), files)?;
        }
        Ok(())
    }

    /// Whether the models of `ensemble___MODEL___MODEL___FOLDS` are exported.
    fn has_members(&self, ensemble: &str) -> bool {
        let parts: Vec<&str> = ensemble.split("___").collect();
        let [_, members @ .., _] = parts.as_slice() else { return false };
        let is_exported = |member: &&str| {
            let configuration = member.strip_prefix(&self.model).and_then(|rest| rest.strip_prefix("__"));
            configuration.is_some_and(|name| self.configurations.iter().any(|own| own == name))
        };
        !members.is_empty() && members.iter().all(is_exported)
    }

    /// What a collected cross-validation or an ensemble has led to.
    fn results_of(&self, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
        if !self.cross_validation {
            files.extend(self.there(folder, &OF_CROSS_VALIDATION));
        } else if self.results.join(folder).is_dir() {
            files.extend(self.all_files(folder)?);
        }
        Ok(())
    }

    fn model_files(&self, model: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
        for fold in &self.folds {
            let fold = model.join(format!("fold_{fold}"));
            for checkpoint in &self.checkpoints {
                let path = self.results.join(&fold).join(checkpoint);
                ensure!(
                    path.is_file(),
                    "{} is missing; train that fold, or name others with -f",
                    path.display()
                );
                files.push(fold.join(checkpoint));
            }
            files.extend(self.there(&fold, &OF_FOLD));
            if self.cross_validation {
                files.extend(self.predictions(&fold.join("validation"))?);
            }
        }
        let folds = self.folds.join("_");
        self.results_of(&model.join(format!("crossval_results_folds_{folds}")), files)?;
        for name in NEEDED {
            let path = self.results.join(model).join(name);
            ensure!(path.is_file(), "{} is missing", path.display());
            files.push(model.join(name));
        }
        files.extend(self.there(model, &["dataset_fingerprint.json", training_images::FILE]));
        Ok(())
    }

    /// Those files of a folder that exist.
    fn there(&self, folder: &Path, names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(|name| folder.join(name)).filter(|file| self.results.join(file).is_file()).collect()
    }

    /// What a fold's validation holds, but for probabilities and the summary, which is listed already.
    fn predictions(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        if !self.results.join(folder).is_dir() {
            return Ok(Vec::new());
        }
        let mut files = self.all_files(folder)?;
        let is_other = |path: &Path| {
            path.ends_with("summary.json")
                || path.extension().is_some_and(|ending| ending == "npz" || ending == "pkl")
        };
        files.retain(|path| !is_other(path));
        Ok(files)
    }

    /// The files of a folder, without its folders.
    fn all_files(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let names = file_names(&self.results.join(folder), "")?;
        let paths = names.into_iter().map(|name| folder.join(name));
        Ok(paths.filter(|path| self.results.join(path).is_file()).collect())
    }
}

/// Writes the archive; returns how many files it holds.
///
/// # Errors
/// Returns an error for models, folds or checkpoints that are missing, or an I/O error.
pub fn export_v2(what: &ExportV2, to: &Path) -> Result<usize> {
    let files = what.files()?;
    write(&files, &what.results, &[], to)?;
    Ok(files.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::install;

    #[test]
    fn what_is_exported_can_be_installed() {
        let results = tempfile::tempdir().unwrap();
        let model = "Dataset004_X/nnUNetTrainer__nnUNetPlans__2d";
        for file in
            ["plans.json", "dataset.json", "fold_0/checkpoint_final.pth", "fold_0/validation/summary.json"]
        {
            let path = results.path().join(model).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let what = ExportV2 {
            results: results.path().into(),
            dataset: "Dataset004_X".into(),
            model: "nnUNetTrainer__nnUNetPlans".into(),
            configurations: vec!["2d".into(), "3d_fullres".into()],
            folds: vec!["0".into()],
            checkpoints: vec!["checkpoint_final.pth".into()],
            strict: false,
            cross_validation: false,
        };
        let zip = results.path().join("x.zip");
        assert_eq!(export_v2(&what, &zip).unwrap(), 4);
        let other = tempfile::tempdir().unwrap();
        let installed = install(&zip, other.path(), false).unwrap();
        assert_eq!(installed, [other.path().join(model)]);
        let [ours, other] = ["2d", "3d_lowres"].map(|second| {
            format!("ensemble___nnUNetTrainer__nnUNetPlans__2d___nnUNetTrainer__nnUNetPlans__{second}___0")
        });
        assert!(what.has_members(&ours) && !what.has_members(&other) && !what.has_members("something"));
        assert!(export_v2(&ExportV2 { strict: true, ..what.clone() }, &zip).is_err());
        assert!(export_v2(&ExportV2 { folds: vec!["1".into()], ..what }, &zip).is_err());
    }
}
