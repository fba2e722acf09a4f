//! Validation at the end of a training: every validation case whole, on its raw image's grid, and the predictions for the
//! next stages of a cascade.

use std::cell::RefCell;

use anyhow::{Context, Result, ensure};
use nnunet_cli::label_dice::LabelDice;
use nnunet_cli::report;
use nnunet_data::folders;
use nnunet_data::records::Split;
use nnunet_data::v2::{Evaluation, evaluate};
use nnunet_inference::{Scores, SlidingWindow, Storage, to_tensor};
use nnunet_plugin_api::Error as ComponentError;
use nnunet_plugin_api::tch::Device;
use nnunet_trainers::Chain;
use nnunet_training::Engine;

use super::job::Job;
use super::next_stage::NextStages;
use super::state;
use super::stored::Stored;
use crate::case::{Case, PreparedCase};
use crate::case_inference::{CaseInference, with_trainers};
use crate::export::{Export, Places};
use crate::fold_training::{CheckpointKind, FoldTraining};
use crate::train::signals;
use crate::training_log::TrainingLog;
use crate::v2::checkpoint::Checkpoint;

/// Predicts the validation cases and writes `summary.json`; false when the user stopped it.
pub(super) fn run(job: &Job<'_>, engine: &mut Engine, split: &Split) -> Result<bool> {
    if job.args.val_best {
        let best = job.settings.output.join(state::file_name(CheckpointKind::Best));
        ensure!(best.is_file(), "there is no {} to validate", best.display());
        Checkpoint::open(&best)?.read_weights(&mut engine.store)?;
    }
    with_trainers(engine, |engine, trainers| validate(job, engine, trainers, split))
}

fn validate(job: &Job<'_>, engine: &Engine, trainers: &RefCell<Chain>, split: &Split) -> Result<bool> {
    let window = window(job, engine);
    let inference = CaseInference { engine, window: &window, trainers };
    let output = &job.settings.validation;
    folders::create(output)?;
    let next = NextStages::new(job)?;
    let mut log = TrainingLog::newest(&job.settings.output)?;
    let bar = report::bar(split.val.len(), "validating");
    for name in &split.val {
        if signals::asked_to_stop() {
            return Ok(false);
        }
        log.log(&format!("predicting {name}"));
        predict(job, &inference, &next, name).with_context(|| format!("validation of {name}"))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if engine.head.as_ref().is_some_and(|head| !head.writes_labels()) {
        // Numbers have no Dice; their metric is that of the epochs.
        log.log("Validation complete");
        return Ok(true);
    }
    let mean = evaluate(&evaluation(job), &output.join("summary.json"))?;
    let names = job.label_names();
    for (class, dice) in &mean.classes {
        let found = LabelDice::new(class, *dice, &names);
        let text = format!("validation, {}", found.text());
        log.log(&text);
        report::quiet_result(&text);
        report::event("validation_label", &found.fields());
    }
    log.log("Validation complete");
    let text = format!("Mean Validation Dice:  {}", mean.foreground);
    log.log(&text);
    report::quiet_result(&text);
    Ok(true)
}

fn evaluation(job: &Job<'_>) -> Evaluation {
    Evaluation {
        references: job.references(),
        predictions: job.settings.validation.clone(),
        file_ending: job.dataset.file_ending.clone(),
        classes: job.dataset.foreground(),
        ignore: job.dataset.ignore_label(),
        chill: true,
    }
}

/// v2 adds logits, not probabilities; a head makes its scores of their sums.
fn window(job: &Job<'_>, engine: &Engine) -> SlidingWindow {
    let mut window = SlidingWindow::new(job.configuration.patch_size.clone(), engine.num_classes);
    window.scores = Scores::Logits;
    if let Some(axes) = &engine.trainer.blueprint.mirror_axes {
        window.mirror_axes.clone_from(axes);
    }
    window.kind = engine.kind;
    window.device = engine.store.device();
    if window.device != Device::Cpu {
        // As much as fits: what does not is done in smaller parts, or in main memory.
        window.batch = 1 << window.mirror_axes.len();
        window.sums = Storage::Device(window.device);
    }
    window
}

fn predict(job: &Job<'_>, inference: &CaseInference<'_>, next: &NextStages<'_>, name: &str) -> Result<()> {
    let output = &job.settings.validation;
    let file = output.join(format!("{name}{}", job.dataset.file_ending));
    let case = Case { name: name.to_owned(), images: Vec::new(), output: file };
    let (stored, prepared) = Stored::load(job, inference.engine.head.as_ref(), name, job.args.npz)?;
    let PreparedCase { image, properties, resampler } = prepared;
    let image = to_tensor(image.view())?;
    let places = Places { storage: &inference.window.folds, volumes_on_device: false, folder: output };
    let mut export = Export::new(&stored, resampler, &properties, places)?;
    let mut kept = next.scores();
    inference.run(name, &image, &mut |first, rows| {
        kept.push(&rows)?;
        export.push(first, &rows).map_err(|error| ComponentError::message(format!("{error:#}")))
    })?;
    export.finish(&properties, &case)?;
    next.write(name, kept)
}
