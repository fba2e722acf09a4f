//! `train`: one fold of one configuration.

mod batches;
mod cascade;
mod diagram;
mod engine;
mod final_validation;
mod job;
mod loggers;
mod lr_finder;
mod progress_log;
mod run_recorder;
pub(crate) mod signals;
mod validation;
mod whole_cases;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use nnunet_cli::commands::train::Args;
use nnunet_cli::report;
use nnunet_data::folders::{self, Folders};
use nnunet_data::records::{self, Split};
use nnunet_engine::provenance;
use nnunet_engine::session::Session;
use nnunet_formats::atomic;
use nnunet_plugin_api::vocabulary::Precision;
use nnunet_plugin_api::{Kind, TrainerContext};
use nnunet_trainers::Resolved;
use nnunet_training::{Engine, Stopped};

use self::job::Job;
use self::loggers::Loggers;
use self::run_recorder::RunRecorder;
use crate::v1::checkpoint;
use crate::v1::model_info::ModelInfo;
use crate::v1::training_log::TrainingLog;
use crate::v1::{debug_json, preprocessed_cases, splits};
use crate::{components, devices};

/// Kinds of components that take part in training: the data has been preprocessed.
const NEEDED: [Kind; 4] = [Kind::Augmentation, Kind::Architecture, Kind::Loss, Kind::Trainer];

/// Runs the command.
pub(crate) fn run(args: &Args, session: &Session) -> Result<ExitCode> {
    let job = Job::new(args, Folders::new(&session.files), devices::resolve(args.device)?)?;
    check_plugins(&job, session)?;
    let trainer = resolved_trainer(&job, session)?;
    let split = splits::split(&job.preprocessed, &preprocessed_cases::names(&job.data())?, &args.fold)?;
    devices::set_numerics(args.deterministic, trainer.blueprint.precision)?;
    cascade::prepare(&job, &trainer, &split, session)?;
    let mut engine = engine::build(&job, trainer, session)?;
    folders::create(&job.output)?;
    [&job.model, &job.output, &job.output.join(&args.val_folder)]
        .into_iter()
        .for_each(|folder| atomic::remove_abandoned(folder));
    if args.find_lr {
        lr_finder::run(&job, &mut engine, &split, session)?;
        return Ok(ExitCode::SUCCESS);
    }
    load_weights(&job, &mut engine)?;
    if !args.validation_only && train(&job, &mut engine, &split, session)? == Stopped::Cancelled {
        return Ok(ExitCode::from(signals::STOPPED));
    }
    engine.store.freeze()?;
    let validates = engine.trainer.blueprint.final_validation && !args.disable_validation_inference;
    if validates && !final_validation::run(&job, &engine, &split)? {
        return Ok(ExitCode::from(signals::STOPPED));
    }
    cascade::predict_next(&job, &engine, &split)?;
    Ok(ExitCode::SUCCESS)
}

/// Warns of plugins that changed since the data was preprocessed; a run that continues needs those it began with.
fn check_plugins(job: &Job<'_>, session: &Session) -> Result<()> {
    provenance::warn_of_changes("the plans and their data were", &job.plans_plugins, session);
    if job.args.continue_training {
        let info = ModelInfo::load(&newest(&job.output)?, &session.registry)?;
        provenance::require("the model was", &info.plugins, session, &NEEDED)?;
    }
    Ok(())
}

/// The trainer with the project's and the command line's changes.
fn resolved_trainer(job: &Job<'_>, session: &Session) -> Result<Resolved> {
    let context = TrainerContext {
        configuration: job.args.configuration.clone(),
        plans: job.plans.clone(),
        stage: job.stage,
    };
    let mut trainer = components::resolve_trainer(&session.registry, &job.args.trainer, &context)?;
    engine::choose(&mut trainer.blueprint, session)?;
    if job.args.fp32 {
        trainer.blueprint.precision = Precision::Fp32;
    }
    Ok(trainer)
}

/// Weights to validate, to continue with, or to start from; without any of them the random ones stay.
fn load_weights(job: &Job<'_>, engine: &mut Engine) -> Result<()> {
    let args = job.args;
    if args.validation_only {
        return checkpoint::load_weights(&finished(&job.output, args.valbest)?, &mut engine.store);
    }
    if args.continue_training {
        return checkpoint::resume(&newest(&job.output)?, engine);
    }
    if let Some(weights) = &args.pretrained_weights {
        let taken = checkpoint::load_pretrained(weights, &mut engine.store)?;
        report::line(&format!("{taken} parameters start from {}", weights.display()));
    }
    Ok(())
}

/// The checkpoint that is validated: the final one, or the best with v1's fallback to any.
fn finished(output: &Path, best: bool) -> Result<PathBuf> {
    let file = output.join(if best { "model_best.model" } else { "model_final_checkpoint.model" });
    if file.is_file() {
        return Ok(file);
    }
    ensure!(best, "there is no {}; finish the training first (-c)", file.display());
    let other = newest(output)?;
    report::line(&format!("there is no model_best.model; validating {}", other.display()));
    Ok(other)
}

/// The one of the final and the latest that was written last, else the best. A run that finishes removes the latest one: a
/// later one beside the final is that of a run that was started anew and stopped.
fn newest(output: &Path) -> Result<PathBuf> {
    let states = ["model_latest.model", "model_final_checkpoint.model"].map(|name| output.join(name));
    let written = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
    let last = states.into_iter().filter(|path| path.is_file()).max_by_key(written);
    let best = output.join("model_best.model");
    let found = last.or_else(|| Some(best).filter(|path| path.is_file()));
    found.with_context(|| format!("there is no checkpoint in {} to continue from", output.display()))
}

/// The epochs, with the files that a run leaves behind.
fn train(job: &Job<'_>, engine: &mut Engine, split: &Split, session: &Session) -> Result<Stopped> {
    let info = engine::info(job, engine, session);
    let mut log = TrainingLog::create(&job.output)?;
    log.split(split);
    debug_json::write(&job.output.join("debug.json"), &engine.trainer, job.stage(), &info.plugins, session)?;
    records::save(&job.model.join("plans.pkl"), &records::plans_to_pickle(&job.plans))?;
    let run = batches::batches(job, engine, split, session)?;
    log.learning_rate(engine.learning_rate()?);
    diagram::write(
        &job.output.join("network_architecture.pdf"),
        engine,
        &engine::spec(job, &engine.trainer),
    )?;
    let mut recorder = RunRecorder::new(job, &info, log, Loggers::of(session)?)?;
    nnunet_engine::services::set_seed(engine.trainer.blueprint.seed);
    recorder.loggers.begin(job, engine);
    let ended = engine.run(&run, &mut recorder);
    recorder.loggers.end(&ended);
    finish(job, engine, &mut recorder, ended)
}

/// Writes the last checkpoint: the final one of a finished run, otherwise the latest, from which -c continues.
fn finish(
    job: &Job<'_>,
    engine: &Engine,
    recorder: &mut RunRecorder<'_>,
    ended: nnunet_plugin_api::Result<Stopped>,
) -> Result<Stopped> {
    let latest = job.output.join("model_latest.model");
    if !matches!(ended, Ok(Stopped::Finished)) && engine.epoch > 0 {
        // Whatever ended the run, the engine is in its last good state.
        recorder.checkpoint("model_latest.model", "saving checkpoint...", engine)?;
    }
    let stopped = ended.map_err(|error| anyhow!("training {}: {error}", job.args.trainer))?;
    if stopped == Stopped::Cancelled {
        let is_saved = engine.epoch > 0 && latest.is_file();
        recorder.log(if is_saved {
            "stopped; continue with -c"
        } else {
            "stopped; no epoch was saved, start again without -c"
        });
        return Ok(stopped);
    }
    if engine.trainer.blueprint.save_final_checkpoint && !job.args.disable_saving {
        recorder.checkpoint("model_final_checkpoint.model", "saving checkpoint...", engine)?;
    }
    remove_if_there(&latest)?;
    remove_if_there(&latest.with_extension("model.pkl"))?;
    Ok(stopped)
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_run_goes_on_from_the_state_that_was_written_last() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let write = |name: &str, seconds: u64| {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(now + Duration::from_secs(seconds)).unwrap();
        };
        let found = || newest(folder.path()).ok().map(|path| path.file_name().unwrap().to_owned());
        assert_eq!(found(), None);
        for (name, seconds, newest) in [
            ("model_best.model", 9, "model_best.model"),
            ("model_final_checkpoint.model", 1, "model_final_checkpoint.model"),
            ("model_latest.model", 2, "model_latest.model"),
            ("model_final_checkpoint.model", 3, "model_final_checkpoint.model"),
        ] {
            write(name, seconds);
            assert_eq!(found().unwrap(), newest);
        }
    }
}
