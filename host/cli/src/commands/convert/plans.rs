//! `convert plans`.

use std::path::Path;

use anyhow::{Result, ensure};
use nnunet_data::folders::create;
use nnunet_data::generations::{Task, plans_to_v1, plans_to_v2};
use nnunet_data::records;
use nnunet_data::v2::{Dataset, Folders, load};
use nnunet_formats::json;
use nnunet_plugin_core::vocabulary::Plans;
use serde_json::Value;

use super::generation::{Generation, other_name};
use crate::global_options::GlobalOptions;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub(super) struct Args {
    /// Generation to convert to.
    #[arg(long, value_enum)]
    to: Generation,
    /// Task of v1 or data set of v2, by number or name, that is planned.
    #[arg(short = 'i', required = true, value_name = "NAME")]
    input: String,
    /// Name of the task or data set to make the plans for; by default the same number and name.
    #[arg(short = 'd', value_name = "NAME")]
    name: Option<String>,
    /// Name of the plans; nnUNetPlansv2.1 of v1 and nnUNetPlans of v2 by default.
    #[arg(short = 'p', value_name = "NAME")]
    plans: Option<String>,
}

pub(super) fn run(args: &Args, options: &GlobalOptions) -> Result<()> {
    match args.to {
        Generation::V2 => to_v2(args, options),
        Generation::V1 => to_v1(args, options),
    }
}

fn to_v2(args: &Args, options: &GlobalOptions) -> Result<()> {
    let v1 = options.folders();
    let name = v1.task_name(&args.input)?;
    let from = v1.preprocessed()?.join(&name);
    let plans = args.plans.clone().unwrap_or_else(|| crate::defaults::PLANS.to_owned());
    let read = |axes: &str| -> Result<Option<Plans>> {
        let path = from.join(format!("{plans}_plans_{axes}.pkl"));
        path.is_file().then(|| records::load(&path, records::plans_from_pickle)).transpose()
    };
    let (slices, volumes) = (read("2D")?, read("3D")?);
    ensure!(
        slices.is_some() || volumes.is_some(),
        "{} has no plans called {plans}; name others with -p, or plan the task first",
        from.display()
    );
    let dataset = args.name.clone().unwrap_or_else(|| other_name(&name));
    let task = Task { dataset: dataset.clone(), plans };
    let made = plans_to_v2(&task, slices.as_ref(), volumes.as_ref())?;
    let to = Folders::from_environment().preprocessed()?.join(dataset);
    create(&to)?;
    let path = to.join(format!("{}.json", task.plans));
    is_free(&path)?;
    json::save_in_order(&path, &made.into())?;
    report::line(&format!("wrote {}", path.display()));
    Ok(())
}

fn to_v1(args: &Args, options: &GlobalOptions) -> Result<()> {
    let v2 = Folders::from_environment();
    let name = v2.dataset_name(&args.input)?;
    let from = v2.preprocessed()?.join(&name);
    let plans = args.plans.clone().unwrap_or_else(|| "nnUNetPlans".to_owned());
    let dataset = Dataset::load(&from)?;
    let made: Value = load(&from.join(format!("{plans}.json")))?;
    let (slices, volumes) = plans_to_v1(&made, dataset.foreground_labels(), &plans)?;
    let to = options.folders().preprocessed()?.join(args.name.clone().unwrap_or_else(|| other_name(&name)));
    create(&to)?;
    for (axes, own) in [("2D", slices), ("3D", volumes)] {
        let Some(mut own) = own else { continue };
        own.modalities = dataset.channels();
        own.dataset_properties.modalities.clone_from(&own.modalities);
        own.preprocessed_data_folder = to.display().to_string();
        let path = to.join(format!("{plans}_plans_{axes}.pkl"));
        is_free(&path)?;
        records::save_with_twin(&path, &records::plans_to_pickle(&own))?;
        report::line(&format!("wrote {}", path.display()));
    }
    Ok(())
}

fn is_free(path: &Path) -> Result<()> {
    ensure!(!path.exists(), "{} exists; remove it first", path.display());
    Ok(())
}
