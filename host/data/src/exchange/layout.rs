//! Where the files of an archive of models belong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Parts of the name of v1's checkpoints: configuration, task, trainer and plans, fold, file.
const PARTS: usize = 5;
/// The folder of what was found for ensembles.
const ENSEMBLES: &str = "ensembles";

/// Of the names in an archive those that belong to models, and what they become: a folder around all of them is left out,
/// as are notes and what macOS leaves in archives.
///
/// # Errors
/// Returns an error if there is no checkpoint, or if models would not be found or not be complete where they come to lie.
pub(super) fn files(names: &[PathBuf]) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let names: Vec<&PathBuf> = names.iter().filter(|name| !is_of_macos(name)).collect();
    let around = around(&names)?;
    let inside = |name: &&PathBuf| Some(((*name).clone(), name.strip_prefix(&around).ok()?.to_owned()));
    let mut files: BTreeMap<PathBuf, PathBuf> = names.iter().filter_map(inside).collect();
    let all: Vec<PathBuf> = files.values().cloned().collect();
    let models = models(&all);
    files.retain(|_, name| name.starts_with(ENSEMBLES) || models.iter().any(|model| name.starts_with(model)));
    check_complete(&all)?;
    Ok(files)
}

/// Folders above the folds that hold a checkpoint.
pub(super) fn models(names: &[PathBuf]) -> Vec<&Path> {
    let mut models: Vec<&Path> =
        names.iter().filter(|name| is_checkpoint(name)).filter_map(|name| name.parent()?.parent()).collect();
    models.sort_unstable();
    models.dedup();
    models
}

fn is_checkpoint(name: &Path) -> bool {
    is_of_v1(name) || name.extension().is_some_and(|ending| ending == "pth")
}

fn is_of_v1(name: &Path) -> bool {
    name.extension().is_some_and(|ending| ending == "model")
}

fn is_of_macos(name: &Path) -> bool {
    let mut parts = name.iter().map(|part| part.to_string_lossy());
    parts.any(|part| part == "__MACOSX" || part == ".DS_Store" || part.starts_with("._"))
}

/// The folder around all models, often `nnUNet`; mostly there is none.
fn around(names: &[&PathBuf]) -> Result<PathBuf> {
    let checkpoints = names.iter().filter(|name| is_checkpoint(name));
    let around: BTreeSet<PathBuf> = checkpoints.map(|name| around_one(name)).collect::<Result<_>>()?;
    ensure!(!around.is_empty(), "it holds no checkpoint (.model or .pth): not an exported model");
    ensure!(around.len() == 1, "its models lie in several folders: {around:?}");
    around.into_iter().next().context("no folder")
}

fn around_one(checkpoint: &Path) -> Result<PathBuf> {
    let parts: Vec<_> = checkpoint.iter().map(|part| part.to_string_lossy()).collect();
    if !is_of_v1(checkpoint) {
        let dataset = parts.iter().position(|part| part.starts_with("Dataset"));
        return Ok(checkpoint.iter().take(dataset.unwrap_or(0)).collect());
    }
    let before = parts.len().checked_sub(PARTS);
    let is_model = |before: &usize| parts[before + 1].starts_with("Task") && parts[before + 2].contains("__");
    let before = before.filter(is_model).with_context(|| {
        format!(
            "{}: the checkpoint of a model lies in CONFIGURATION/TaskXXX_NAME/TRAINER__PLANS/fold_X",
            checkpoint.display()
        )
    })?;
    Ok(checkpoint.iter().take(before).collect())
}

/// Checks that v1's models have what a prediction reads.
fn check_complete(names: &[PathBuf]) -> Result<()> {
    let there: BTreeSet<&Path> = names.iter().map(PathBuf::as_path).collect();
    for checkpoint in names.iter().filter(|name| is_of_v1(name)) {
        let description = checkpoint.with_extension("model.pkl");
        let plans = checkpoint.ancestors().nth(2).map(|model| model.join("plans.pkl"));
        for needed in [Some(description), plans].into_iter().flatten() {
            ensure!(there.contains(needed.as_path()), "{} is missing", needed.display());
        }
    }
    Ok(())
}
