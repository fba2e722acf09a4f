//! The second stage of a v2 cascade: its input has a channel for each label of the previous stage.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_cli::commands::predict::Args;
use nnunet_engine::session::Session;

use crate::cascade;
use crate::predict::{self, Case};

/// Label maps of the previous stage.
pub(super) struct PreviousStage {
    folder: PathBuf,
    /// Labels that become channels.
    pub(super) labels: usize,
}

impl PreviousStage {
    /// The folder named with -l; without it the previous stage's model, beside this one's folder, predicts first.
    ///
    /// # Errors
    /// No folder, and no model beside this one; a case without a label map.
    pub(super) fn new(
        args: &Args,
        session: &Session,
        model: &Path,
        stage: &str,
        labels: usize,
    ) -> Result<Self> {
        if args.lowres.is_none() {
            let beside = beside(model, stage)?;
            let first = Args {
                model_folder: Some(beside),
                dataset: None,
                configuration: None,
                ..cascade::first_stage(args, stage)?
            };
            predict::run(&first, session).with_context(|| format!("predicting with {stage}"))?;
        }
        let folder = cascade::folder(args, stage);
        ensure!(folder.is_dir(), "there is no folder {}", folder.display());
        Ok(Self { folder, labels })
    }

    /// The label map of a case.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn file(&self, case: &Case) -> Result<PathBuf> {
        let path = self.folder.join(case.output.file_name().unwrap_or_default());
        ensure!(path.is_file(), "there is no label map {} of the previous stage", path.display());
        Ok(path)
    }
}

/// The folder of the same trainer and plans with another configuration.
fn beside(model: &Path, stage: &str) -> Result<PathBuf> {
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
