//! Cascades in training: predictions of the first stage, made before the second is trained.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use nnunet_data::records::Split;
use nnunet_engine::session::Session;
use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_trainers::Resolved;
use nnunet_training::Engine;

use super::job::Job;
use super::whole_cases;
use crate::v1::next_stage::{Missing, NextStage};
use crate::v1::second_stage;

/// Where the second stage finds the labels of the first; none for other configurations.
pub(super) fn previous(job: &Job<'_>, blueprint: &Blueprint) -> Result<Option<PathBuf>> {
    Ok(if job.is_second_stage() {
        Some(first_stage(job, blueprint)?.join(second_stage::FOLDER))
    } else {
        None
    })
}

/// Model folder of the first stage.
fn first_stage(job: &Job<'_>, blueprint: &Blueprint) -> Result<PathBuf> {
    job.folders.model("3d_lowres", &job.settings.dataset, &blueprint.previous_trainer, &job.args.plans)
}

/// Checks the trainer of a second stage and predicts with the first what is missing of this split.
pub(super) fn prepare(job: &Job<'_>, trainer: &Resolved, split: &Split, session: &Session) -> Result<()> {
    if !job.is_second_stage() {
        return Ok(());
    }
    ensure!(
        trainer.names.iter().any(|name| second_stage::is_second_stage(name)),
        "3d_cascade_fullres needs a trainer that extends {}; {} does not",
        second_stage::TRAINER,
        job.args.trainer
    );
    let missing = Missing {
        session,
        model: &first_stage(job, &trainer.blueprint)?,
        preprocessed: &job.preprocessed,
        data: [job.stage_data(0), job.data()],
        device: job.settings.device,
    };
    missing.make(&[split.train.as_slice(), &split.val].concat())
}

/// Predicts the validation cases of 3d_lowres for the second stage.
pub(super) fn predict_next(job: &Job<'_>, engine: &Engine, split: &Split) -> Result<()> {
    if job.args.configuration != "3d_lowres" || job.args.disable_next_stage_pred {
        return Ok(());
    }
    let (window, _) = whole_cases::window(job, engine, &split.val)?;
    let next = NextStage {
        network: &*engine.network,
        window: &window,
        data: &job.data(),
        next_data: &job.stage_data(job.stage + 1),
        output: &job.settings.model.join(second_stage::FOLDER),
    };
    next.predict(&split.val)
}
