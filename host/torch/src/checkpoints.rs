//! Which checkpoint files are there.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nnunet_data::models::{is_complete, is_unfinished};

/// The message about a checkpoint that is not there: names those of the same fold that are.
pub(crate) fn missing(file: &Path) -> String {
    let others = others(file);
    let hint = match &others[..] {
        [] => format!("is that fold trained?{}", trained_folds(file)),
        names => format!("the fold has {}: name one of them with -chk", names.join(", ")),
    };
    format!("there is no checkpoint {}; {hint}", file.display())
}

/// The checkpoint that a training is continued from: the one of the final and the latest that was written last, else the
/// best. A run that finishes removes the latest one: a later one beside the final is that of a run that was started anew
/// and stopped.
pub(crate) fn newest(states: [PathBuf; 2], best: PathBuf) -> Option<PathBuf> {
    let written = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
    let last = states.into_iter().filter(|path| path.is_file()).max_by_key(written);
    last.or_else(|| Some(best).filter(|path| path.is_file()))
}

/// Returns an error if a fold has a complete training, which a new one would replace. `flag` continues a training.
pub(crate) fn check_none_is_complete(fold: &Path, flag: &str) -> Result<()> {
    let shown = fold.display();
    ensure!(
        !is_complete(fold) || is_unfinished(fold),
        "{shown} has a training that is complete; --overwrite trains it anew, {flag} only repeats its validation"
    );
    ensure!(
        !is_complete(fold),
        "{shown} has a training that is complete, and a newer one that was stopped; {flag} continues the newer one, \
         --overwrite begins another"
    );
    Ok(())
}

/// The folds of the model that have a checkpoint, as `-f` takes them.
fn trained_folds(file: &Path) -> String {
    let Some(model) = file.parent().and_then(Path::parent) else { return String::new() };
    let entries = std::fs::read_dir(model).into_iter().flatten().flatten();
    let folds = entries.filter(|entry| !others(&entry.path().join("any")).is_empty());
    let names = folds.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_fold = |name: &String| name.starts_with("fold_") || name == "all";
    let mut names: Vec<String> = names.filter(is_fold).map(|name| name.replace("fold_", "")).collect();
    names.sort();
    if names.is_empty() { String::new() } else { format!(" There are the folds {}", names.join(", ")) }
}

/// Checkpoints beside a file, by the name that --chk takes.
fn others(file: &Path) -> Vec<String> {
    let entries = file.parent().and_then(|fold| std::fs::read_dir(fold).ok()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let of_v1 = |name: &String| name.strip_suffix(".model").map(str::to_owned);
    let of_v2 = |name: &String| name.ends_with(".pth").then(|| name.clone());
    let mut names: Vec<String> = names.filter_map(|name| of_v1(&name).or_else(|| of_v2(&name))).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_checkpoints_of_the_fold_are_named() {
        let fold = tempfile::tempdir().unwrap();
        let message = |name: &str| missing(&fold.path().join(name));
        assert!(message("model_final_checkpoint.model").ends_with("is that fold trained?"));
        std::fs::write(fold.path().join("model_best.model"), "").unwrap();
        std::fs::write(fold.path().join("model_best.model.pkl"), "").unwrap();
        assert!(message("model_final_checkpoint.model").contains("the fold has model_best: name"));
    }

    #[test]
    fn the_trained_folds_of_the_model_are_named() {
        let model = tempfile::tempdir().unwrap();
        for fold in ["fold_1", "fold_0", "gt_niftis"] {
            std::fs::create_dir(model.path().join(fold)).unwrap();
            std::fs::write(model.path().join(fold).join("model_best.model"), "").unwrap();
        }
        let text = missing(&model.path().join("fold_7/model_final_checkpoint.model"));
        assert!(text.ends_with("is that fold trained? There are the folds 0, 1"), "{text}");
    }
}
