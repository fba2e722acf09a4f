//! Training of one fold of one configuration.

mod batches;
mod diagram;
mod earlier_validation;
mod engine;
mod label_dice;
mod loggers;
mod lr_finder;
mod overview;
mod progress_log;
mod remaining_time;
mod run_recorder;
pub(crate) mod signals;

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use nnunet_cli::report;
use nnunet_data::folders;
use nnunet_data::records::Split;
use nnunet_engine::components;
use nnunet_engine::session::Session;
use nnunet_formats::atomic;
use nnunet_plugin_api::{Error as ComponentError, Fold, NetworkSpec};
use nnunet_trainers::Resolved;
use nnunet_training::{Engine, Stopped};

use self::label_dice::LabelDice;
use self::loggers::Loggers;
use self::overview::Overview;
use self::run_recorder::{Bar, RunRecorder};
use crate::fold_training::{CheckpointKind, FoldTraining};
use crate::training_log::TrainingLog;
use crate::{devices, ranks};

/// Trains and validates a fold.
pub(crate) fn run(fold: &dyn FoldTraining, session: &Session) -> Result<ExitCode> {
    match run_to_end(fold, session) {
        // A component that was asked to stop outside of the epochs.
        Err(error) if signals::asked_to_stop() && is_cancelled(&error) => {
            report::line("stopped");
            Ok(ExitCode::from(signals::STOPPED))
        }
        ended => ended,
    }
}

fn is_cancelled(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<ComponentError>().is_some_and(ComponentError::is_cancelled))
}

fn run_to_end(fold: &dyn FoldTraining, session: &Session) -> Result<ExitCode> {
    let settings = fold.settings();
    fold.check_plugins(session)?;
    components::forget_parts();
    let trainer = engine::resolved_trainer(fold, session)?;
    let split = ranks::first("split", || split(fold, &trainer))?;
    // Last, since what is wrong with the data must be mended in any case.
    fold.check_finished()?;
    devices::set_numerics(settings.deterministic, trainer.blueprint.precision)?;
    nnunet_torch_ops::use_low_memory(settings.low_memory);
    ranks::first("preparation", || fold.prepare(&trainer, &split, session))?;
    let mut engine = engine::build(fold, trainer, session)?;
    if ranks::is_first() {
        folders::create(&settings.output)?;
        [&settings.model, &settings.output, &settings.validation]
            .into_iter()
            .for_each(|folder| atomic::remove_abandoned(folder));
    }
    if settings.find_lr {
        lr_finder::run(fold, &mut engine, &split, session)?;
        return Ok(ExitCode::SUCCESS);
    }
    fold.load_weights(&mut engine)?;
    if !ranks::is_first() {
        return train_along(fold, &mut engine, &split, session);
    }
    if !settings.validation_only && train(fold, &mut engine, &split, session)? == Stopped::Cancelled {
        return Ok(ExitCode::from(signals::STOPPED));
    }
    engine.adopt_predicting()?;
    engine.store.freeze()?;
    let validates = engine.trainer.blueprint.final_validation && settings.validates;
    if validates && !validate(fold, &mut engine, &split)? {
        return Ok(ExitCode::from(signals::STOPPED));
    }
    fold.predict_next_stage(&engine, &split)?;
    Ok(ExitCode::SUCCESS)
}

/// The final validation; false, and a sentence about it, when the user stopped it.
fn validate(fold: &dyn FoldTraining, engine: &mut Engine, split: &Split) -> Result<bool> {
    let ended = match fold.validate(engine, split) {
        Err(error) if signals::asked_to_stop() && is_cancelled(&error) => false,
        ended => ended?,
    };
    let settings = fold.settings();
    let again = if settings.validation_only {
        format!("{} begins it again", settings.validation_flag)
    } else {
        format!("{} or {} makes it", settings.continue_flag, settings.validation_flag)
    };
    if !ended {
        let text = format!("stopped; the training is complete, its validation is not: {again}");
        TrainingLog::newest(&settings.output)?.log(&text);
    }
    Ok(ended)
}

/// The cases of the fold: by the trainer's own rule, or of the file of folds.
fn split(fold: &dyn FoldTraining, trainer: &Resolved) -> Result<Split> {
    let own = trainer.split(&fold.case_names()?, &fold.settings().fold)?;
    let Some(Fold { train, val }) = own else { return fold.split() };
    let counts = format!("{} training and {} validation cases", train.len(), val.len());
    report::line(&format!("trainer {} splits the cases itself: {counts}", fold.settings().trainer));
    Ok(Split { train, val })
}

/// The epochs, with the files that a run leaves behind.
fn train(fold: &dyn FoldTraining, engine: &mut Engine, split: &Split, session: &Session) -> Result<Stopped> {
    let settings = fold.settings();
    let files = fold.begin(engine, split, session)?;
    let run = ranks::first("batches", || batches::batches(fold, engine, split, session))?;
    let spec =
        NetworkSpec { num_classes: engine.num_classes, ..fold.network_spec(&engine.trainer.blueprint)? };
    diagram::write(&settings.output.join("network_architecture.pdf"), engine, &spec)?;
    let labels = LabelDice::new(engine, &fold.label_names(), &settings.output);
    let mut recorder = RunRecorder::new(settings, files, Loggers::of(session)?, labels, engine)?;
    recorder.begin(&Overview::of(fold, engine, split));
    nnunet_engine::services::set_seed(engine.trainer.blueprint.seed);
    recorder.loggers.begin(settings, engine);
    let ended = engine.run(&run, &mut recorder);
    recorder.loggers.end(&ended);
    finish(fold, engine, &mut recorder, ended)
}

/// The epochs in a process that leaves files to the first one.
fn train_along(
    fold: &dyn FoldTraining,
    engine: &mut Engine,
    split: &Split,
    session: &Session,
) -> Result<ExitCode> {
    let run = ranks::first("batches", || batches::batches(fold, engine, split, session))?;
    nnunet_engine::services::set_seed(engine.trainer.blueprint.seed);
    let trainer = &fold.settings().trainer;
    let stopped =
        engine.run(&run, &mut Bar::hidden()).map_err(|error| anyhow!("training {trainer}: {error}"))?;
    Ok(if stopped == Stopped::Cancelled { ExitCode::from(signals::STOPPED) } else { ExitCode::SUCCESS })
}

/// Writes the last checkpoint: the final one of a finished run, otherwise the latest, from which the run can be continued.
fn finish(
    fold: &dyn FoldTraining,
    engine: &Engine,
    recorder: &mut RunRecorder<'_>,
    ended: nnunet_plugin_api::Result<Stopped>,
) -> Result<Stopped> {
    if !matches!(ended, Ok(Stopped::Finished)) && engine.epoch > 0 {
        // Whatever ended the run, the engine is in its last good state.
        match recorder.save(CheckpointKind::Latest, engine) {
            // A component that panicked cannot be saved either; the user must learn of the panic.
            Err(error) if ended.is_err() => recorder.log(&format!("no checkpoint was written: {error:#}")),
            saved => saved?,
        }
    }
    let settings = fold.settings();
    let stopped = ended.map_err(|error| anyhow!("training {}: {error}", settings.trainer))?;
    if stopped == Stopped::Cancelled {
        let is_saved = engine.epoch > 0 && recorder.files.checkpoint(CheckpointKind::Latest).is_file();
        let replaces = recorder.files.checkpoint(CheckpointKind::Final).is_file();
        let flag = settings.continue_flag;
        recorder.log(&match (is_saved, replaces) {
            (true, _) => format!("stopped; continue with {flag}"),
            (false, true) => {
                "stopped; no epoch was saved, and the earlier training is still there; start again with --overwrite"
                    .to_owned()
            }
            (false, false) => format!("stopped; no epoch was saved, start again without {flag}"),
        });
        return Ok(stopped);
    }
    if engine.trainer.blueprint.save_final_checkpoint && settings.saves {
        recorder.save(CheckpointKind::Final, engine)?;
    }
    recorder.files.remove_latest()?;
    recorder.files.training_ends();
    Ok(stopped)
}
