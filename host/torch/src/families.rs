//! The families of models, and which one a folder's model is of.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::family::ModelFamily;
use crate::{v1, v2};

/// Every family. The first that detects a folder's model loads it.
const FAMILIES: [&dyn ModelFamily; 2] = [&v2::V2, &v1::V1];

/// The family of a folder's model.
///
/// # Errors
/// Returns an error if there is no such folder, or no model in it.
pub(crate) fn of(folder: &Path) -> Result<&'static dyn ModelFamily> {
    ensure!(folder.is_dir(), "there is no model at {}; train it first (nnunet train)", folder.display());
    FAMILIES.into_iter().find(|family| family.detects(folder)).with_context(|| {
        if has_checkpoint(folder) {
            let model = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            let model = model.parent().unwrap_or(folder).display().to_string();
            return format!("{} is one fold of a model; name the folder above it, {model}, instead", folder.display());
        }
        format!(
            "{} is not a model's folder: nnU-Net v1 has fold_*/*.model there, nnU-Net v2 plans.json, dataset.json and \
             fold_*/checkpoint_*.pth",
            folder.display()
        )
    })
}

/// Whether a checkpoint lies in the folder itself.
fn has_checkpoint(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut endings = entries.filter_map(|entry| Some(entry.path().extension()?.to_owned()));
    endings.any(|ending| ending == "model" || ending == "pth")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{\"configurations\": {}}").unwrap();
        }
        folder
    }

    #[test]
    fn each_family_finds_its_models() {
        let detected = |files: &[&str]| {
            let folder = folder(files);
            FAMILIES.map(|family| family.detects(folder.path()))
        };
        assert_eq!(detected(&["fold_0/model_final_checkpoint.model"]), [false, true]);
        assert_eq!(detected(&["all/model_best.model"]), [false, true]);
        assert_eq!(detected(&["plans.json", "dataset.json", "fold_0/checkpoint_final.pth"]), [true, false]);
        // Incomplete models are found too, so that the error can say what is missing.
        assert_eq!(detected(&["fold_all/checkpoint_best.pth"]), [true, false]);
        assert_eq!(detected(&["plans.json", "dataset.json"]), [true, false]);
        assert_eq!(detected(&["readme.txt"]), [false, false]);
    }

    #[test]
    fn a_fold_in_place_of_a_model_is_told() {
        let folder = folder(&["m/fold_0/checkpoint_final.pth"]);
        let error = of(&folder.path().join("m/fold_0")).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("one fold of a model") && error.contains("/m, instead"), "{error}");
    }

    #[test]
    fn other_folders_are_refused() {
        let folder = folder(&["readme.txt"]);
        let message = |path: &Path| of(path).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message(folder.path()).contains("is not a model's folder"));
        assert!(message(&folder.path().join("missing")).contains("there is no model at"));
    }
}
