//! The first stage of a v2 cascade: its label maps become input channels of the second stage, one for each label.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_cli::commands::predict::Args;

use super::checkpoint::{self, Checkpoint};
use super::plans_check;
use crate::cascade;
use crate::case::Case;

/// The arguments that predict the first stage with the model beside this one's folder; none for a model without a first
/// stage, or when a folder of label maps is named with -l.
///
/// # Errors
/// Returns an error if there is no model of the first stage beside this one.
pub(super) fn first_stage(args: &Args, folder: &Path) -> Result<Option<Args>> {
    if args.lowres.is_some() {
        return Ok(None);
    }
    let plans = plans_check::load(folder)?;
    if !plans.has_cascade() {
        return Ok(None);
    }
    let files = checkpoint::files(folder, &args.folds, args.checkpoint.as_deref())?;
    let configuration = plans_check::configuration(&plans, Checkpoint::open(&files[0])?.configuration()?)?;
    let Some(stage) = &configuration.previous_stage else { return Ok(None) };
    Ok(Some(Args {
        model_folder: Some(beside(folder, stage)?),
        dataset: None,
        configuration: None,
        ..cascade::first_stage(args, stage)?
    }))
}

/// Label maps of the first stage.
pub(super) struct FirstStageLabels {
    folder: PathBuf,
    /// Labels that become channels.
    pub(super) count: usize,
}

impl FirstStageLabels {
    /// The folder named with -l, or the one that [`first_stage`] fills.
    ///
    /// # Errors
    /// Returns an error if the folder does not exist.
    pub(super) fn new(args: &Args, stage: &str, count: usize) -> Result<Self> {
        let folder = cascade::folder(args, stage);
        ensure!(
            folder.is_dir(),
            "the cascade needs label maps of {stage}; there is no folder {}: name one with -l",
            folder.display()
        );
        Ok(Self { folder, count })
    }

    /// The label map of a case.
    ///
    /// # Errors
    /// Returns an error if there is none.
    pub(super) fn file(&self, case: &Case) -> Result<PathBuf> {
        let path = self.folder.join(case.output_name());
        ensure!(path.is_file(), "there is no label map {} of the first stage", path.display());
        Ok(path)
    }
}

/// The folder of the same trainer and plans with another configuration.
fn beside(model: &Path, stage: &str) -> Result<PathBuf> {
    // A relative path such as `.` has no name.
    let model = model.canonicalize().with_context(|| model.display().to_string())?;
    let name = model.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let found = name.rsplit_once("__").map(|(start, _)| model.with_file_name(format!("{start}__{stage}")));
    match found {
        Some(found) if found.is_dir() => Ok(found),
        _ => bail!(
            "{} needs label maps of {stage}, and there is no model of it beside: name a folder of them with -l",
            model.display()
        ),
    }
}
