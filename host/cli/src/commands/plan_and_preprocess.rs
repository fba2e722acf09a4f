//! `plan_and_preprocess`: crops, analyzes, plans and preprocesses tasks.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use nnunet_data::dataset::Dataset;
use nnunet_data::folders::Folders;
use nnunet_data::pipeline::{self, Limits, Part, Recipe, TaskFolders};
use nnunet_data::{components, failures, integrity, memory, training_images};
use nnunet_engine::provenance::{self, PluginUse};
use nnunet_engine::registry::Registry;
use nnunet_engine::session::Session;
use nnunet_planning::Resolved;
use nnunet_plugin_core::Kind;
use nnunet_plugin_core::vocabulary::Plans;

use super::verify;
use crate::arguments::{num_parts, part_id};
use crate::report;

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tasks, by number or name.
    #[arg(short = 't', long = "task_ids", num_args = 1.., required = true)]
    tasks: Vec<String>,
    /// 3D planner; None for no 3D plans.
    #[arg(long = "pl3d", visible_alias = "planner3d", default_value = crate::defaults::PLANNER_3D)]
    planner_3d: String,
    /// 2D planner; None for no 2D plans.
    #[arg(long = "pl2d", visible_alias = "planner2d", default_value = crate::defaults::PLANNER_2D)]
    planner_2d: String,
    /// Only crop, analyze and plan.
    #[arg(long = "no_pp")]
    no_preprocessing: bool,
    /// Threads for the low resolution.
    #[arg(long = "tl", default_value_t = 8)]
    threads_low: usize,
    /// Threads for everything else.
    #[arg(long = "tf", default_value_t = 8)]
    threads_full: usize,
    /// Check the data set first.
    #[arg(long = "verify_dataset_integrity")]
    verify: bool,
    /// 3D plans of another task to use instead, with -pl3d ExperimentPlanner3D_v21_Pretrained.
    #[arg(long = "overwrite_plans", value_name = "FILE")]
    #[arg(requires = "overwrite_plans_identifier")]
    overwrite_plans: Option<PathBuf>,
    /// Name for those plans here: train with -p nnUNetPlans_pretrained_NAME.
    #[arg(long = "overwrite_plans_identifier", value_name = "NAME")]
    #[arg(requires = "overwrite_plans")]
    overwrite_plans_identifier: Option<String>,
    /// Memory to use, for example 8G; most of what is free by default.
    #[arg(long = "max_ram", value_name = "SIZE", value_parser = memory::parse_size)]
    max_ram: Option<u64>,
    /// Number of jobs that share the cases of a task; with slurm the size of the array job. Each job crops its part of the
    /// cases. Those that run when all cases are cropped plan, and preprocess their part: run all jobs twice.
    #[arg(long = "num_parts", default_value = "1", value_name = "N", value_parser = num_parts)]
    num_parts: usize,
    /// Index of this job, from 0; with slurm its place in the array job.
    #[arg(long = "part_id", default_value = "0", value_name = "INDEX", value_parser = part_id)]
    part_id: usize,
}

/// The planner that takes the plans of another task.
const PRETRAINED: &str = "ExperimentPlanner3D_v21_Pretrained";

impl Args {
    fn check(&self) -> Result<()> {
        ensure!(
            self.overwrite_plans.is_none() || self.planner_3d == PRETRAINED,
            "-overwrite_plans needs -pl3d {PRETRAINED}"
        );
        ensure!(
            self.overwrite_plans.is_some() || self.planner_3d != PRETRAINED,
            "{PRETRAINED} needs -overwrite_plans FILE and -overwrite_plans_identifier NAME"
        );
        Ok(())
    }

    fn part(&self) -> Result<Part> {
        Part::new(self.part_id, self.num_parts)
    }

    fn limits(&self, threads: usize) -> Limits {
        let machine = std::thread::available_parallelism().map_or(1, usize::from);
        let max_ram = self.max_ram.unwrap_or_else(memory::default_budget);
        Limits { threads: threads.clamp(1, machine), max_ram }
    }
}

/// Runs the command. A task that fails does not stop the others.
///
/// # Errors
/// Returns one error that lists all tasks that failed.
pub(crate) fn run(args: &Args, folders: &Folders, session: &Session) -> Result<()> {
    args.check()?;
    args.part()?;
    let planners: Vec<Resolved> = [&args.planner_3d, &args.planner_2d]
        .into_iter()
        .filter(|name| *name != "None")
        .map(|name| resolve_planner(session, name))
        .collect::<Result<_>>()?;
    let names = args.tasks.iter().map(|task| folders.task_name(task)).collect::<Result<Vec<_>>>()?;
    let one = |name: &String| {
        let task = TaskFolders::of(folders, name).with_context(|| name.clone())?;
        run_task(args, &task, &planners, session).with_context(|| name.clone())
    };
    failures::all("tasks failed", names.iter().map(one).collect()).map(drop)
}

/// The planner of a name; its preprocessor is the project's, if that names one.
fn resolve_planner(session: &Session, name: &str) -> Result<Resolved> {
    let mut planner = components::planner(&session.registry, name)?;
    ensure!(
        planner.settings.v2.is_none(),
        "planner {name} plans data sets of v2; name it with nnUNetv2_plan_and_preprocess -pl"
    );
    if let Some(preprocessor) =
        session.choices.preprocessor.as_ref().filter(|_| planner.settings.dimensions == 3)
    {
        planner.settings.preprocessor.clone_from(preprocessor);
    }
    Ok(planner)
}

fn run_task(args: &Args, task: &TaskFolders, planners: &[Resolved], session: &Session) -> Result<()> {
    let dataset = Dataset::load(&task.raw)?;
    dataset.check()?;
    let part = args.part()?;
    let _lock = task.lock(part)?;
    if args.verify {
        report::line(&format!("verifying {}: {} cases", task.name, dataset.training.len()));
        let findings = integrity::check(&dataset, verify::TOLERANCE)?;
        verify::show(&dataset, &findings, None);
        verify::usable(&dataset, &findings)?;
    }
    let limits = args.limits(args.threads_full);
    report::line(&format!("cropping {}", task.name));
    pipeline::crop_task(&dataset, task, limits, part)?;
    pipeline::measure(&dataset, task, limits, part)?;
    let left = pipeline::left_to_crop(&dataset, task);
    if left > 0 {
        report::line(&format!(
            "{left} of {} cases are left to crop; run this part again when the others have done theirs",
            dataset.training.len()
        ));
        return Ok(());
    }
    let fingerprint = pipeline::analyze(&dataset, task, limits, part)?;
    training_images::keep(&dataset, &task.preprocessed, limits);
    for planner in planners {
        let mut plans = pipeline::plan(planner, &fingerprint, task)?;
        let mut identifier = planner.settings.plans_identifier.clone();
        if let (Some(from), Some(name), 3) =
            (&args.overwrite_plans, &args.overwrite_plans_identifier, planner.settings.dimensions)
        {
            // The plans that were made only lend their classes.
            plans = pipeline::reuse_plans(from, name, &plans, &task.name)?;
            identifier = format!("nnUNetPlans_pretrained_{name}");
        }
        let file = pipeline::write_plans(&plans, &identifier, task)?;
        provenance::save_beside(&file, &plugins_used(planner, &plans, session))?;
        report::line(&format!("planned {}", file.display()));
        if !args.no_preprocessing {
            preprocess(args, task, planner, &plans, &session.registry)?;
        }
    }
    Ok(())
}

/// The plugins behind plans and the data that will be made for them.
fn plugins_used(planner: &Resolved, plans: &Plans, session: &Session) -> Vec<PluginUse> {
    let planners = planner.names.iter().map(|name| (Kind::Planner, name));
    // Plans may be made without what preprocesses for them.
    let Ok(preprocessor) = components::preprocessor(&session.registry, plans) else {
        return provenance::plugins_used(session, planners);
    };
    let preprocessors = preprocessor.names.iter().map(|name| (Kind::Preprocessor, name));
    let normalizations = preprocessor.normalizations.keys().map(|name| (Kind::Normalization, name));
    let resamplers = preprocessor.settings.resampler.iter().map(|choice| (Kind::Resampler, &choice.name));
    provenance::plugins_used(session, planners.chain(preprocessors).chain(normalizations).chain(resamplers))
}

fn preprocess(
    args: &Args,
    task: &TaskFolders,
    planner: &Resolved,
    plans: &Plans,
    registry: &Registry,
) -> Result<()> {
    let name = &plans.preprocessor_name;
    let mut preprocessor = components::preprocessor(registry, plans)?;
    if planner.settings.force_separate_z.is_some() {
        preprocessor.settings.force_separate_z = planner.settings.force_separate_z;
    }
    let libraries = components::preprocessing_libraries(registry, plans, &preprocessor)?;
    let recipe = Recipe {
        plans,
        preprocessor: &preprocessor,
        libraries: &libraries,
        shares_data: planner.settings.shares_data,
        part: args.part()?,
    };
    report::line(&format!("preprocessing {} with {name}", task.name));
    let stages = plans.plans_per_stage.len();
    pipeline::preprocess_task(&recipe, task, |stage| {
        args.limits(if stage + 1 < stages { args.threads_low } else { args.threads_full })
    })
}
