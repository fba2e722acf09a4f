//! The validation of the training that a new one replaces. It describes weights that are no longer there, and must not be
//! taken for that of the new ones.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The postprocessing that v1 determines on a fold's validation.
const POSTPROCESSING: &str = "postprocessing.json";
/// Names of validations; those with other names hold [`ARGUMENTS`].
const NAMES: [&str; 3] = ["validation", "validation_raw", "validation_raw_postprocessed"];
/// What v1 writes beside every validation.
const ARGUMENTS: &str = "validation_args.json";

/// Removes the validations of a fold, and what was determined on them; returns their names.
pub(super) fn remove(fold: &Path) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for path in validations(fold)? {
        std::fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        removed.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    let postprocessing = fold.join(POSTPROCESSING);
    match std::fs::remove_file(&postprocessing) {
        Ok(()) => removed.push(POSTPROCESSING.to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| postprocessing.display().to_string()),
    }
    Ok(removed)
}

fn validations(fold: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(fold).with_context(|| fold.display().to_string())?;
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let is_validation = |path: &PathBuf| has_name(path) || path.join(ARGUMENTS).is_file();
    let mut found: Vec<PathBuf> = folders.map(|entry| entry.path()).filter(is_validation).collect();
    found.sort();
    Ok(found)
}

fn has_name(path: &Path) -> bool {
    path.file_name().is_some_and(|name| NAMES.iter().any(|known| name == *known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validations_are_removed_and_nothing_else() {
        let fold = tempfile::tempdir().unwrap();
        let write = |file: &str| {
            let path = fold.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        let kept = ["model_final_checkpoint.model", "validation_notes/a.txt", "validation.txt"];
        kept.into_iter().for_each(write);
        let old = ["validation_raw/summary.json", "again/validation_args.json", "postprocessing.json"];
        old.into_iter().for_each(write);
        assert_eq!(remove(fold.path()).unwrap(), ["again", "validation_raw", "postprocessing.json"]);
        assert!(kept.iter().all(|file| fold.path().join(file).is_file()));
        assert!(old.iter().all(|file| !fold.path().join(file).exists()));
        assert!(remove(fold.path()).unwrap().is_empty());
    }
}
