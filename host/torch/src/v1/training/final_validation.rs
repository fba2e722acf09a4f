//! The steps after training: validation of whole cases, and the postprocessing of the fold.

use std::cell::RefCell;

use anyhow::Result;
use nnunet_cli::label_dice::LabelDice;
use nnunet_cli::report;
use nnunet_data::pipeline;
use nnunet_data::records::Split;
use nnunet_data::selection::{Determination, determine};
use nnunet_data::v2::Class;
use nnunet_plugin_api::TaskHead;
use nnunet_trainers::Chain;
use nnunet_training::Engine;

use super::cascade;
use super::job::Job;
use super::validation::{self, Validation};
use super::whole_cases;
use crate::case_inference::{CaseInference, with_trainers};
use crate::fold_training::FoldTraining;
use crate::train::signals;
use crate::training_log::TrainingLog;

/// Predicts the validation cases whole; false when the user stopped it. Cases that are done are kept.
pub(super) fn run(job: &Job<'_>, engine: &mut Engine, split: &Split) -> Result<bool> {
    with_trainers(engine, |engine, trainers| validate(job, engine, trainers, split))
}

fn validate(job: &Job<'_>, engine: &Engine, trainers: &RefCell<Chain>, split: &Split) -> Result<bool> {
    let (window, on_device) = whole_cases::window(job, engine, &split.val)?;
    if let Some(plan) = on_device {
        report::line(&plan.describe(None));
    }
    let previous = cascade::previous(job, &engine.trainer.blueprint)?;
    let log = RefCell::new(TrainingLog::newest(&job.settings.output)?);
    let Some(mean) = validation::run(&Validation {
        inference: &CaseInference { engine, window: &window, trainers },
        window: &window,
        on_device,
        plans: &job.plans,
        head: engine.head.as_ref(),
        regions: engine.trainer.blueprint.regions.as_ref(),
        data: &job.data(),
        previous: previous.as_deref(),
        references: &job.preprocessed.join("gt_segmentations"),
        cases: &split.val,
        output: &job.settings.validation,
        save_npz: job.args.npz,
        keep: job.args.val_disable_overwrite,
        trainer: &job.args.trainer,
        task: &job.settings.dataset,
        log: &|text| log.borrow_mut().log(text),
        stopped: signals::asked_to_stop,
    })?
    else {
        return Ok(false);
    };
    let mut log = log.into_inner();
    let names = job.label_names();
    for (label, dice) in mean.iter().filter(|(label, _)| *label != 0) {
        let found = LabelDice::new(&Class::Label(*label), *dice, &names);
        let text = format!("validation, {}", found.text());
        log.log(&text);
        report::quiet_result(&text);
        report::event("validation_label", &found.fields());
    }
    if engine.head.as_ref().is_none_or(TaskHead::writes_labels) {
        postprocess_fold(job, &mut log)?;
    }
    Ok(true)
}

/// Copies the reference labels to the model's folder, where folds are evaluated together later, and determines the
/// postprocessing of this fold.
fn postprocess_fold(job: &Job<'_>, log: &mut TrainingLog) -> Result<()> {
    let references = job.settings.model.join("gt_niftis");
    pipeline::copy_references(&job.preprocessed.join("gt_segmentations"), &references)?;
    if job.args.disable_postprocessing_on_folds {
        return Ok(());
    }
    log.log("determining postprocessing");
    let name = &job.args.val_folder;
    let found = determine(&Determination {
        raw: job.settings.output.join(name),
        references,
        output: job.settings.output.clone(),
        final_name: format!("{name}_postprocessed"),
        advanced: false,
        threshold: 0.0,
    })?;
    let kept = found.describe(&job.label_names());
    log.log(&format!("postprocessing of this fold: {kept}"));
    Ok(())
}
