//! `nnUNetv2_find_best_configuration`.

use anyhow::Result;
use nnunet_data::failures;
use nnunet_data::label_names::LabelNames;
use nnunet_data::v2::Folders;
use nnunet_data::v2::selection::{Found, ModelName, Search, find_best};
use nnunet_formats::json::float_repr;
use serde_json::json;

use super::effort::{FOLDS, default_processes};
use crate::arguments::fold;
use crate::report;

/// Configurations that models are looked for where none is named.
const CONFIGURATIONS: [&str; 4] = ["2d", "3d_fullres", "3d_lowres", "3d_cascade_fullres"];

/// Arguments of `nnUNetv2_find_best_configuration`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data set, by number or name.
    dataset: String,
    /// Names of the plans.
    #[arg(short = 'p', num_args = 1.., default_values = ["nnUNetPlans"], value_name = "NAME")]
    plans: Vec<String>,
    /// Configurations.
    #[arg(short = 'c', num_args = 1.., default_values = CONFIGURATIONS, value_name = "NAME")]
    configurations: Vec<String>,
    /// Names of the trainers.
    #[arg(long = "tr", num_args = 1.., default_values = ["nnUNetTrainer"], value_name = "NAME")]
    trainers: Vec<String>,
    /// Cases at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Folds.
    #[arg(short = 'f', num_args = 1.., default_values = FOLDS, value_name = "FOLD", value_parser = fold)]
    folds: Vec<String>,
    /// No ensembles.
    #[arg(long)]
    disable_ensembling: bool,
    /// Keep what earlier runs have written.
    #[arg(long)]
    no_overwrite: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let folders = Folders::from_environment();
    let processes = args.processes.unwrap_or_else(default_processes);
    let search = Search {
        dataset: folders.dataset_name(&args.dataset)?,
        models: models(args),
        folds: args.folds.clone(),
        ensembles: !args.disable_ensembling,
        overwrite: !args.no_overwrite,
        processes: default_processes(),
    };
    let found = failures::threads(processes)?.install(|| find_best(&search, &folders))?;
    print(&search.dataset, &found);
    Ok(())
}

/// Every combination, in v2's order.
fn models(args: &Args) -> Vec<ModelName> {
    let mut models = Vec::new();
    for trainer in &args.trainers {
        for configuration in &args.configurations {
            models.extend(args.plans.iter().map(|plans| ModelName {
                trainer: trainer.clone(),
                plans: plans.clone(),
                configuration: configuration.clone(),
            }));
        }
    }
    models
}

fn print(dataset: &str, found: &Found) {
    for candidate in &found.candidates {
        let object = json!({ "model": candidate.name, "score": candidate.score });
        let text = format!("{}: {}", candidate.name, float_repr(candidate.score));
        report::record("candidate", &object, &text);
    }
    let best = &found.candidates[found.best];
    let steps: Vec<String> = found.determined.postprocessing.steps.iter().map(ToString::to_string).collect();
    let [before, after] = found.determined.dice;
    let is_command = |line: &&str| line.starts_with("nnUNetv2_");
    let object = json!({
        "task": dataset, "best": best.name, "score": best.score, "postprocessed_score": after,
        "largest_component_of": steps, "folder": best.folder,
        "commands": found.instructions.lines().filter(is_command).collect::<Vec<_>>(),
    });
    let names = LabelNames::load(&best.folder.join("dataset.json"));
    let kept = found.determined.postprocessing.describe(&names);
    let text = format!(
        "\nbest: {}, Dice {before:.5}, {after:.5} with postprocessing ({kept})\n\n{}",
        best.name,
        found.instructions.trim_end()
    );
    report::record("best_configuration", &object, &text);
}
