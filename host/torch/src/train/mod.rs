//! `train`: one fold of one configuration.

mod batches;
mod diagram;
mod finish;
mod job;
mod loggers;
mod second_stage;
mod series;
mod setup;
mod signals;
mod sweep;
mod validation;
mod watch;

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
use nnunet_plugin_api::vocabulary::Precision;
use nnunet_plugin_api::{Kind, TrainerContext};
use nnunet_training::{Engine, Stopped};

use self::job::Job;
use self::loggers::Loggers;
use self::watch::Watch;
use crate::v1::checkpoint;
use crate::v1::model_info::ModelInfo;
use crate::v1::training_log::TrainingLog;
use crate::v1::{debug_json, network as v1_network, preprocessed_cases, splits};
use crate::{components, devices};

/// Kinds of components that take part in training: the data has been preprocessed.
const NEEDED: [Kind; 4] = [Kind::Augmentation, Kind::Architecture, Kind::Loss, Kind::Trainer];

/// Runs the command.
pub(crate) fn run(args: &Args, session: &Session) -> Result<ExitCode> {
    signals::listen()?;
    let job = Job::new(args, Folders::new(&session.files), devices::resolve(args.device)?)?;
    provenance::warn_of_changes("the plans and their data were", &job.plans_plugins, session);
    if args.continue_training {
        let info = ModelInfo::load(&newest(&job.output)?, &session.registry)?;
        provenance::require("the model was", &info.plugins, session, &NEEDED)?;
    }
    let context = TrainerContext {
        configuration: args.configuration.clone(),
        plans: job.plans.clone(),
        stage: job.stage,
    };
    let mut trainer = components::resolve_trainer(&session.registry, &args.trainer, &context)?;
    setup::choose(&mut trainer.blueprint, session)?;
    if args.fp32 {
        trainer.blueprint.precision = Precision::Fp32;
    }
    let split = splits::split(&job.preprocessed, &preprocessed_cases::names(&job.data())?, &args.fold)?;
    setup::make_deterministic(args.deterministic);
    second_stage::prepare(&job, &trainer, &split, session)?;
    let mut engine = setup::engine(&job, trainer, session)?;
    let info = setup::info(&job, &engine, session);
    folders::create(&job.output)?;
    if args.find_lr {
        sweep::run(&job, &mut engine, &split, session)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.validation_only {
        checkpoint::load_weights(&finished(&job.output, args.valbest)?, &mut engine.store)?;
    } else {
        if args.continue_training {
            checkpoint::resume(&newest(&job.output)?, &mut engine)?;
        } else if let Some(weights) = &args.pretrained_weights {
            let taken = checkpoint::load_pretrained(weights, &mut engine.store)?;
            report::line(&format!("{taken} parameters start from {}", weights.display()));
        }
        if train(&job, &mut engine, &split, &info, session)? == Stopped::Cancelled {
            return Ok(ExitCode::from(signals::STOPPED));
        }
    }
    engine.store.freeze()?;
    let validates = engine.trainer.blueprint.final_validation && !args.disable_validation_inference;
    if validates && !finish::final_validation(&job, &engine, &split)? {
        return Ok(ExitCode::from(signals::STOPPED));
    }
    second_stage::predict_next(&job, &engine, &finish::window(&job, &engine), &split)?;
    Ok(ExitCode::SUCCESS)
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

/// Final, else latest, else best.
fn newest(output: &Path) -> Result<PathBuf> {
    let names = ["model_final_checkpoint.model", "model_latest.model", "model_best.model"];
    let found = names.iter().map(|name| output.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("there is no checkpoint in {} to go on from", output.display()))
}

fn train(
    job: &Job<'_>,
    engine: &mut Engine,
    split: &Split,
    info: &ModelInfo,
    session: &Session,
) -> Result<Stopped> {
    let mut journal = TrainingLog::create(&job.output)?;
    journal.log(&format!(
        "This split has {} training and {} validation cases.",
        split.train.len(),
        split.val.len()
    ));
    journal.log(&format!("TRAINING KEYS:\n {:?}", split.train));
    journal.log(&format!("VALIDATION KEYS:\n {:?}", split.val));
    debug_json::write(&job.output.join("debug.json"), &engine.trainer, job.stage(), &info.plugins, session)?;
    records::save(&job.model.join("plans.pkl"), &records::plans_to_pickle(&job.plans))?;
    let run = batches::batches(job, engine, split, session)?;
    journal.learning_rate(engine.learning_rate()?);
    let regions = engine.trainer.blueprint.regions.as_ref();
    let spec = v1_network::spec(&job.plans, job.stage(), regions, job.is_second_stage());
    diagram::write(&job.output.join("network_architecture.pdf"), engine, &spec)?;
    let mut watch = Watch::new(job, info, journal, Loggers::of(session)?)?;
    nnunet_engine::services::set_seed(engine.trainer.blueprint.seed);
    watch.loggers.begin(job, engine);
    let ended = engine.run(&run, &mut watch);
    watch.loggers.end(&ended);
    let latest = job.output.join("model_latest.model");
    if !matches!(ended, Ok(Stopped::Finished)) && engine.epoch > 0 {
        // Whatever ended the run, the engine is in its last good state.
        watch.checkpoint("model_latest.model", "saving checkpoint...", engine)?;
    }
    let stopped = ended.map_err(|error| anyhow!("training {}: {error}", job.args.trainer))?;
    if stopped == Stopped::Cancelled {
        watch.log("stopped; go on with -c");
        return Ok(stopped);
    }
    if engine.trainer.blueprint.save_final_checkpoint && !job.args.disable_saving {
        watch.checkpoint("model_final_checkpoint.model", "saving checkpoint...", engine)?;
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
