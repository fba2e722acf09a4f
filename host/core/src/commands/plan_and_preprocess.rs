//! `plan_and_preprocess`: crop, analyse, plan, preprocess.

use anyhow::{Context, Result};
use nnunet_planning::Resolved;
use nnunet_plugin_api::Error as ComponentError;

use crate::config::World;
use crate::dataset::Dataset;
use crate::folders::Folders;
use crate::pipeline::{self, TaskFolders};
use crate::registry::Registry;
use crate::report;

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tasks, by number or name.
    #[arg(short = 't', long = "task_ids", alias = "task-ids", num_args = 1.., required = true)]
    tasks: Vec<String>,
    /// 3D planner; None for no 3D plans.
    #[arg(long = "pl3d", visible_alias = "planner3d", default_value = "ExperimentPlanner3D_v21")]
    planner_3d: String,
    /// 2D planner; None for no 2D plans.
    #[arg(long = "pl2d", visible_alias = "planner2d", default_value = "ExperimentPlanner2D_v21")]
    planner_2d: String,
    /// Only crop, analyse and plan.
    #[arg(long = "no_pp", alias = "no-pp")]
    no_preprocessing: bool,
    /// Threads for the low resolution.
    #[arg(long = "tl", default_value_t = 8)]
    threads_low: usize,
    /// Threads for everything else.
    #[arg(long = "tf", default_value_t = 8)]
    threads_full: usize,
    /// Check the data set first.
    #[arg(long = "verify_dataset_integrity", alias = "verify-dataset-integrity")]
    verify: bool,
}

/// Runs the command.
///
/// # Errors
/// The first task that fails.
pub(super) fn run(args: &Args, world: &World) -> Result<()> {
    let folders = Folders::from_environment();
    let planners: Vec<Resolved> = [&args.planner_3d, &args.planner_2d]
        .into_iter()
        .filter(|name| *name != "None")
        .map(|name| resolve_planner(&world.registry, name))
        .collect::<Result<_>>()?;
    let machine = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads_full.max(args.threads_low).clamp(1, machine);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    for task in &args.tasks {
        let name = folders.task_name(task)?;
        pool.install(|| run_task(args, &folders, &name, &planners, &world.registry))
            .with_context(|| name.clone())?;
    }
    Ok(())
}

fn resolve_planner(registry: &Registry, name: &str) -> Result<Resolved> {
    let lookup =
        |name: &str| registry.planner(name).map_err(|error| ComponentError::message(error.to_string()));
    nnunet_planning::resolve(name, &lookup).with_context(|| format!("planner {name}"))
}

fn run_task(
    args: &Args,
    folders: &Folders,
    name: &str,
    planners: &[Resolved],
    registry: &Registry,
) -> Result<()> {
    let task = TaskFolders {
        name: name.to_owned(),
        raw: folders.raw()?.join(name),
        cropped: folders.cropped()?.join(name),
        preprocessed: folders.preprocessed()?.join(name),
    };
    let dataset = Dataset::load(&task.raw)?;
    if args.verify {
        report::line(&format!("verifying {name}: {} cases", dataset.training.len()));
        pipeline::verify(&dataset)?;
    }
    report::line(&format!("cropping {name}"));
    pipeline::crop_task(&dataset, &task)?;
    let fingerprint = pipeline::analyze(&dataset, &task)?;
    for planner in planners {
        let (plans, file) = pipeline::plan(planner, &fingerprint, &task)?;
        report::line(&format!("planned {}", file.display()));
        if args.no_preprocessing {
            continue;
        }
        let lookup = |name: &str| {
            registry.preprocessor(name).map_err(|error| ComponentError::message(error.to_string()))
        };
        let preprocessor = nnunet_preprocessing::resolve(&plans.preprocessor_name, &lookup)?;
        report::line(&format!("preprocessing {name} for {}", file.display()));
        pipeline::preprocess_task(&preprocessor, &plans, &task)?;
    }
    Ok(())
}
