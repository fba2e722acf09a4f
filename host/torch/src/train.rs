//! `train`: one fold of one configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use indicatif::ProgressBar;
use nnunet_augmentation::AugmentationParams;
use nnunet_formats::pickle::Value;
use nnunet_host::commands::train::Args;
use nnunet_host::config::World;
use nnunet_host::folders::{self, CONFIGURATIONS, Folders};
use nnunet_host::pipeline;
use nnunet_host::records::{self, Split};
use nnunet_host::registry::Origin;
use nnunet_host::report;
use nnunet_host::selection::{Determination, determine};
use nnunet_inference::SlidingWindow;
use nnunet_pictures::{Curves, progress};
use nnunet_plugin_api::tch::{self, Device};
use nnunet_plugin_api::vocabulary::{Blueprint, Plans, Precision, Stage};
use nnunet_plugin_api::{EpochReport, Error as ComponentError, Kind, LossContext, TrainerContext, overlay};
use nnunet_trainers::Resolved;
use nnunet_training::{BatchPlan, Engine, History, Observer, Run, Stopped};

use crate::cases::{self, StageCases};
use crate::checkpoint::{self, ModelInfo};
use crate::journal::Journal;
use crate::validate::{self, Validation};
use crate::{components, debug, network, split};

/// Exit code of a run that was asked to stop and wrote a checkpoint.
const STOPPED: u8 = 3;

/// Folders and plans of a run.
struct Job<'a> {
    args: &'a Args,
    task: String,
    plans_file: PathBuf,
    plans: Plans,
    stage: usize,
    preprocessed: PathBuf,
    model: PathBuf,
    output: PathBuf,
    batch_dice: bool,
}

impl<'a> Job<'a> {
    fn new(args: &'a Args) -> Result<Self> {
        let configuration = args.configuration.as_str();
        ensure!(
            CONFIGURATIONS.contains(&configuration),
            "there is no configuration `{configuration}`; there are {CONFIGURATIONS:?}"
        );
        ensure!(configuration != "3d_cascade_fullres", "3d_cascade_fullres cannot be trained yet");
        let folders = Folders::from_environment();
        let task = folders.task_name(&args.task)?;
        let preprocessed = folders.preprocessed()?.join(&task);
        let dimensions = if configuration == "2d" { 2 } else { 3 };
        let plans_file = preprocessed.join(format!("{}_plans_{dimensions}D.pkl", args.plans));
        ensure!(
            plans_file.is_file(),
            "there are no plans at {}; run nnunet plan_and_preprocess, or name others with -p",
            plans_file.display()
        );
        let plans = records::load(&plans_file, records::plans_from_pickle)?;
        let stages = plans.plans_per_stage.len();
        ensure!(
            configuration != "3d_lowres" || stages > 1,
            "{task} has no low resolution: its cases are small enough for 3d_fullres"
        );
        let model = folders.model(configuration, &task, &args.trainer, &args.plans)?;
        let fold = if args.fold == "all" { "all".to_owned() } else { format!("fold_{}", args.fold) };
        Ok(Self {
            stage: network::stage_index(configuration, &plans),
            batch_dice: (configuration == "2d" || stages > 1) && configuration != "3d_lowres",
            output: model.join(fold),
            args,
            task,
            plans_file,
            plans,
            preprocessed,
            model,
        })
    }

    fn stage(&self) -> &Stage {
        &self.plans.plans_per_stage[self.stage]
    }

    fn data(&self) -> PathBuf {
        self.preprocessed.join(format!("{}_stage{}", self.plans.data_identifier, self.stage))
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, world: &World) -> Result<ExitCode> {
    let job = Job::new(args)?;
    let context = TrainerContext {
        configuration: args.configuration.clone(),
        plans: job.plans.clone(),
        stage: job.stage,
    };
    let mut trainer = components::resolve_trainer(&world.registry, &args.trainer, &context)?;
    if args.fp32 {
        trainer.blueprint.precision = Precision::Fp32;
    }
    let split = split::split(&job.preprocessed, &cases::names(&job.data())?, &args.fold)?;
    let mut engine = engine(&job, trainer, world)?;
    let info = info(&job, &engine, world);
    folders::create(&job.output)?;
    if args.validation_only {
        let best = job.output.join("model_best.model");
        let file = if args.valbest { best } else { job.output.join("model_final_checkpoint.model") };
        ensure!(file.is_file(), "there is no {}; finish the training first", file.display());
        checkpoint::load_weights(&file, &mut engine.store)?;
    } else {
        if args.continue_training {
            checkpoint::resume(&newest(&job.output)?, &mut engine)?;
        } else if let Some(weights) = &args.pretrained_weights {
            checkpoint::load_weights(weights, &mut engine.store)?;
        }
        if train(&job, &mut engine, &split, &info, world)? == Stopped::Cancelled {
            return Ok(ExitCode::from(STOPPED));
        }
    }
    if !args.disable_validation_inference {
        final_validation(&job, &engine, &split)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn engine(job: &Job<'_>, trainer: Resolved, world: &World) -> Result<Engine> {
    let spec = network::spec(&job.plans, job.stage());
    let device = Device::cuda_if_available();
    tch::manual_seed(trainer.blueprint.seed as i64);
    let (store, network) = network::build(&world.registry, &trainer.blueprint.architecture, &spec, device)?;
    let batch_dice = trainer.blueprint.batch_dice.unwrap_or(job.batch_dice);
    let context = LossContext { num_classes: spec.num_classes, batch_dice };
    let loss = match trainer.loss(&context)? {
        Some(loss) => loss,
        None => {
            let mut choice = trainer.blueprint.loss.clone();
            if components::has_parameter(&world.registry, Kind::Loss, &choice.name, "batch_dice") {
                choice.parameters.entry("batch_dice").or_insert(batch_dice.into());
            }
            components::loss(&world.registry, &choice)?
        }
    };
    Ok(Engine {
        optimizer: Engine::optimizer(&trainer, &store),
        kind: network::kind(trainer.blueprint.precision, &*network, device),
        num_classes: spec.num_classes,
        trainer,
        store,
        network,
        loss,
        epoch: 0,
        history: History::default(),
    })
}

/// What the `.pkl` beside a checkpoint says. v1 finds classes by name, so it gets the nearest ancestor it knows.
fn info(job: &Job<'_>, engine: &Engine, world: &World) -> ModelInfo {
    let names = &engine.trainer.names;
    let built_in =
        |name: &&String| world.registry.find(Kind::Trainer, name).is_ok_and(|e| e.origin == Origin::BuiltIn);
    let v1_trainer = names.iter().rev().find(built_in).map_or("nnUNetTrainerV2", String::as_str).to_owned();
    let path = |path: &Path| Value::Str(path.display().to_string());
    let fold = job.args.fold.parse().map_or_else(|_| Value::str(&job.args.fold), Value::Int);
    let init = vec![
        path(&job.plans_file),
        fold,
        path(&job.model),
        path(&job.preprocessed),
        Value::Bool(job.batch_dice),
        Value::Int(job.stage as i64),
        Value::Bool(!job.args.use_compressed_data),
        Value::Bool(false),
        Value::Bool(engine.trainer.blueprint.precision != Precision::Fp32),
    ];
    ModelInfo {
        init: Value::Tuple(init),
        v1_trainer,
        trainer: job.args.trainer.clone(),
        plans: job.plans.clone(),
        architecture: engine.trainer.blueprint.architecture.clone(),
        mirror_axes: engine.trainer.blueprint.mirror_axes.clone(),
    }
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
    world: &World,
) -> Result<Stopped> {
    let mut journal = Journal::create(&job.output)?;
    journal.log(&format!(
        "This split has {} training and {} validation cases.",
        split.train.len(),
        split.val.len()
    ));
    journal.log(&format!("TRAINING KEYS:\n {:?}", split.train));
    journal.log(&format!("VALIDATION KEYS:\n {:?}", split.val));
    debug::write(&job.output.join("debug.json"), &engine.trainer, job.stage(), world)?;
    records::save(&job.model.join("plans.pkl"), &records::plans_to_pickle(&job.plans))?;
    let run = batches(job, engine, split)?;
    static STOP: AtomicBool = AtomicBool::new(false);
    // A second signal while one is being served ends the process at once.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        nnunet_host::loader::cancel();
        report::line("stopping after this epoch; once more to stop at once");
    });
    let mut watch = Watch { job, info, journal, bar: ProgressBar::hidden(), learning_rate: 0.0, stop: &STOP };
    let stopped =
        engine.run(run, &mut watch).map_err(|error| anyhow!("training {}: {error}", job.args.trainer))?;
    if stopped == Stopped::Cancelled {
        checkpoint::save(&job.output.join("model_latest.model"), engine, watch.learning_rate, info)?;
        watch.journal.log("stopped; go on with -c");
    } else if engine.trainer.blueprint.save_final_checkpoint && !job.args.disable_saving {
        checkpoint::save(
            &job.output.join("model_final_checkpoint.model"),
            engine,
            watch.learning_rate,
            info,
        )?;
        for old in ["model_latest.model", "model_latest.model.pkl"].map(|name| job.output.join(name)) {
            if old.exists() {
                std::fs::remove_file(&old).with_context(|| old.display().to_string())?;
            }
        }
    }
    Ok(stopped)
}

fn batches(job: &Job<'_>, engine: &Engine, split: &Split) -> Result<Run> {
    let (blueprint, stage) = (&engine.trainer.blueprint, job.stage());
    let open = |names: &[String]| StageCases::open(&job.data(), names, job.args.use_compressed_data);
    let patch = stage.patch_size.clone();
    let augmentation = augmentation(blueprint, stage)?;
    let train_plan = BatchPlan {
        batch_size: blueprint.batch_size.unwrap_or(stage.batch_size),
        oversample_foreground: blueprint.oversample_foreground_percent,
        augmentation: Some(augmentation),
        use_mask: job.plans.use_mask_for_norm.clone(),
        scales: scales(stage, blueprint.deep_supervision),
        seed: blueprint.seed,
        patch,
    };
    Ok(Run {
        train: Arc::new(open(&split.train)?),
        validation: Arc::new(open(&split.val)?),
        validation_plan: BatchPlan { augmentation: None, ..train_plan.clone() },
        train_plan,
        threads: worker_threads(),
    })
}

fn augmentation(blueprint: &Blueprint, stage: &Stage) -> Result<AugmentationParams> {
    let mut params = AugmentationParams::for_patch(&stage.patch_size, stage.do_dummy_2d_data_aug);
    match blueprint.augmentation.name.as_str() {
        "moreDA" => {}
        "noDA" => params.enabled = false,
        other => bail!("there is no augmentation `{other}`; there are moreDA and noDA"),
    }
    if let Some(axes) = &blueprint.mirror_axes {
        params.mirror_axes.clone_from(axes);
    }
    overlay(&mut params, &blueprint.augmentation.parameters).context("augmentation")?;
    Ok(params)
}

/// Scale of every output: one, then the product of the poolings so far.
fn scales(stage: &Stage, deep_supervision: bool) -> Vec<Vec<f64>> {
    let mut scale = vec![1.0; stage.patch_size.len()];
    let mut all = vec![scale.clone()];
    let lower = stage.pool_op_kernel_sizes.len().saturating_sub(1);
    for pool in stage.pool_op_kernel_sizes.iter().take(if deep_supervision { lower } else { 0 }) {
        scale.iter_mut().zip(pool).for_each(|(scale, by)| *scale /= *by as f64);
        all.push(scale.clone());
    }
    all
}

/// v1's `nnUNet_n_proc_DA`, else half the machine.
fn worker_threads() -> usize {
    let asked = std::env::var("nnUNet_n_proc_DA").ok().and_then(|value| value.parse().ok());
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| usize::from(n) / 2)).max(1)
}

fn final_validation(job: &Job<'_>, engine: &Engine, split: &Split) -> Result<()> {
    let patch = job.stage().patch_size.clone();
    let axes = engine.trainer.blueprint.mirror_axes.clone().unwrap_or_else(|| (0..patch.len()).collect());
    let window = SlidingWindow {
        patch,
        num_classes: engine.num_classes,
        step: 0.5,
        mirror_axes: axes,
        kind: engine.kind,
        device: engine.store.device(),
    };
    let mean = validate::run(&Validation {
        network: &*engine.network,
        window: &window,
        plans: &job.plans,
        data: &job.data(),
        truths: &job.preprocessed.join("gt_segmentations"),
        cases: &split.val,
        output: &job.output.join(&job.args.val_folder),
        save_npz: job.args.npz,
        keep: job.args.val_disable_overwrite,
        trainer: &job.args.trainer,
        task: &job.task,
    })?;
    for (label, dice) in mean.iter().filter(|(label, _)| *label != 0) {
        report::line(&format!("validation, label {label}: mean Dice {dice:.4}"));
    }
    postprocess_fold(job)
}

/// Leaves the truths with the model, where the folds are put together later, and finds the postprocessing of this fold.
fn postprocess_fold(job: &Job<'_>) -> Result<()> {
    let truths = job.model.join("gt_niftis");
    pipeline::copy_truths(&job.preprocessed.join("gt_segmentations"), &truths)?;
    if job.args.disable_postprocessing_on_folds {
        return Ok(());
    }
    let name = &job.args.val_folder;
    let found = determine(&Determination {
        raw: job.output.join(name),
        truths,
        output: job.output.clone(),
        final_name: format!("{name}_postprocessed"),
        advanced: false,
        threshold: 0.0,
    })?;
    report::line(&format!("postprocessing of this fold: {:?}", found.config.for_which_classes));
    Ok(())
}

/// Writes what happens: bar, log, picture, checkpoints.
struct Watch<'a> {
    job: &'a Job<'a>,
    info: &'a ModelInfo,
    journal: Journal,
    bar: ProgressBar,
    learning_rate: f64,
    stop: &'static AtomicBool,
}

impl Observer for Watch<'_> {
    fn epoch_begins(&mut self, engine: &Engine, learning_rate: f64) {
        self.learning_rate = learning_rate;
        self.journal.log(&format!("epoch:  {}", engine.epoch));
        self.bar =
            report::bar(engine.trainer.blueprint.num_batches_per_epoch, &format!("epoch {}", engine.epoch));
    }

    fn step(&mut self, step: usize, _of: usize, loss: f64) {
        self.bar.set_position(step as u64 + 1);
        self.bar.set_message(format!("loss {loss:.4}"));
    }

    fn epoch_ends(
        &mut self,
        engine: &Engine,
        report: &EpochReport,
        dice: &[f64],
        waited: Duration,
        best: bool,
    ) -> nnunet_plugin_api::Result<()> {
        self.bar.finish_and_clear();
        let rounded: Vec<String> = dice.iter().map(|value| format!("{value:.4}")).collect();
        self.journal.log(&format!("train loss : {:.4}", report.train_loss));
        self.journal.log(&format!("validation loss: {:.4}", report.validation_loss));
        self.journal.log(&format!("Average global foreground Dice: [{}]", rounded.join(", ")));
        self.journal.log(&format!("lr: {:.6}", report.learning_rate));
        self.files(engine, report, best).map_err(|error| ComponentError::message(format!("{error:#}")))?;
        let wait = waited.as_secs_f64();
        self.journal
            .log(&format!("This epoch took {:.6} s ({wait:.2} s of it waiting for batches)", report.seconds));
        Ok(())
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl Watch<'_> {
    fn files(&self, engine: &Engine, report: &EpochReport, best: bool) -> Result<()> {
        let (blueprint, output) = (&engine.trainer.blueprint, &self.job.output);
        let history = &engine.history;
        let curves = Curves {
            train_loss: &history.train_losses,
            validation_loss: &history.validation_losses,
            metric: &history.metrics,
        };
        progress(&output.join("progress.png"), &curves)?;
        let save = |name: &str| checkpoint::save(&output.join(name), engine, report.learning_rate, self.info);
        if blueprint.save_intermediate_checkpoints && engine.epoch.is_multiple_of(blueprint.save_every) {
            save("model_latest.model")?;
        }
        if best && blueprint.save_best_checkpoint && !self.job.args.disable_saving {
            save("model_best.model")?;
        }
        Ok(())
    }
}
