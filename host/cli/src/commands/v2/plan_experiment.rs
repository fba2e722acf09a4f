//! `nnUNetv2_plan_experiment`.

use anyhow::{Context, Result};
use nnunet_data::components;
use nnunet_data::v2::{Folders, RawDataset, plan};
use nnunet_engine::provenance;
use nnunet_engine::session::Session;
use nnunet_planning::{Resolved, v2 as planning};
use nnunet_plugin_core::Kind;

use super::effort::for_each;
use crate::report;

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data sets, by number or name.
    #[arg(short = 'd', num_args = 1.., required = true, value_name = "DATASET")]
    datasets: Vec<String>,
    #[command(flatten)]
    planning: Planning,
}

/// How data sets are planned.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub(super) struct Planning {
    /// Planner: of the program, of nnunet.toml or of a plugin.
    #[arg(long = "pl", default_value = "ExperimentPlanner", value_name = "NAME")]
    planner: String,
    /// GPU memory in GB to plan for, instead of the planner's. Patch and batch size follow from it.
    #[arg(long = "gpu_memory_target", value_name = "GB")]
    gpu_memory: Option<f64>,
    /// Preprocessor that the plans name: of the program, of nnunet.toml or of a plugin.
    #[arg(long = "preprocessor_name", value_name = "NAME")]
    preprocessor: Option<String>,
    /// Target spacing in mm for all configurations, in the order of the images' axes (z, y, x), instead of the rule.
    #[arg(long = "overwrite_target_spacing", num_args = 3, value_name = "MM")]
    spacing: Option<Vec<f64>>,
    /// Name of the plans, instead of the planner's.
    #[arg(long = "overwrite_plans_name", value_name = "NAME")]
    plans_name: Option<String>,
}

impl Planning {
    /// The planner with what the command line changes.
    pub(super) fn planner(&self, session: &Session) -> Result<Resolved> {
        let name = &self.planner;
        let mut planner = components::planner(&session.registry, planning::registered_name(name))?;
        let settings = planner.settings.v2.as_mut().with_context(|| {
            format!("planner {name} plans tasks of v1; planners for v2 extend nnUNetPlanner or one of its children")
        })?;
        if let Some(gb) = self.gpu_memory {
            settings.gpu_memory_gb = gb;
        }
        if let Some(spacing) = &self.spacing {
            settings.target_spacing = spacing.as_slice().try_into().ok();
        }
        if let Some(preprocessor) = &self.preprocessor {
            settings.preprocessor.clone_from(preprocessor);
        }
        if let Some(name) = &self.plans_name {
            settings.plans_identifier.clone_from(name);
        }
        Ok(planner)
    }
}

pub(super) fn run(args: &Args, session: &Session) -> Result<()> {
    let folders = Folders::from_environment();
    let planner = args.planning.planner(session)?;
    for_each(&args.datasets, |dataset| plan_one(dataset, &folders, &planner, session))
}

/// Plans a data set.
pub(super) fn plan_one(
    dataset: &str,
    folders: &Folders,
    planner: &Resolved,
    session: &Session,
) -> Result<()> {
    let places = folders.dataset(dataset)?;
    let file = plan(planner, &RawDataset::load(&places.raw)?, &places)?;
    let uses = provenance::plugins_used(session, planner.names.iter().map(|name| (Kind::Planner, name)));
    provenance::save_beside(&file, &uses)?;
    report::line(&format!("planned {}", file.display()));
    Ok(())
}
