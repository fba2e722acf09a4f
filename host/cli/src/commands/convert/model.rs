//! `convert model`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::folders::CASCADE;
use nnunet_data::generations::{
    REGIONS_IN_V1, RESIDUAL, Task, ToV1, ToV2, model_to_v1, model_to_v2, trainer_in_v1,
};
use nnunet_data::v2::Folders;
use nnunet_formats::pickle;
use nnunet_plugin_core::vocabulary::Blueprint;

use super::generation::{Generation, other_name};
use crate::arguments::fold;
use crate::commands::TensorCommands;
use crate::global_options::GlobalOptions;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub(super) struct Args {
    /// Generation to convert to.
    #[arg(long, value_enum)]
    to: Generation,
    /// Folder of the model: CONFIGURATION/TASK/TRAINER__PLANS of v1, DATASET/TRAINER__PLANS__CONFIGURATION of v2.
    #[arg(short = 'i', required = true, value_name = "FOLDER")]
    input: PathBuf,
    /// Folder to make; by default the place of such a model in the results of the other generation.
    #[arg(short = 'o', value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Name of the data set or task in the other generation; by default the same number and name.
    #[arg(short = 'd', value_name = "NAME")]
    name: Option<String>,
    /// Folds; all by default.
    #[arg(short = 'f', num_args = 1.., value_name = "FOLD", value_parser = fold)]
    folds: Vec<String>,
    /// Name of the checkpoints; the final ones by default.
    #[arg(long = "chk", value_name = "NAME")]
    checkpoint: Option<String>,
    /// dataset.json of v1, for the names of the labels in v2.
    #[arg(long, value_name = "FILE")]
    dataset_json: Option<PathBuf>,
}

/// v1's configurations, which v2 has under the same names.
const CONFIGURATIONS: [&str; 4] = ["2d", "3d_lowres", "3d_fullres", CASCADE];

/// What the place of a model's folder says.
struct Place {
    configuration: String,
    dataset: String,
    trainer: String,
    plans: String,
}

pub(super) fn run(args: &Args, options: &GlobalOptions, tensors: &impl TensorCommands) -> Result<()> {
    let input = std::path::absolute(&args.input)?;
    ensure!(input.is_dir(), "there is no folder {}", input.display());
    let (to, made) = match args.to {
        Generation::V2 => to_v2(args, &input, options, tensors)?,
        Generation::V1 => to_v1(args, &input, options, tensors)?,
    };
    match made {
        Ok(folds) => {
            report::line(&format!("converted {folds} folds to {}", to.display()));
            Ok(())
        }
        Err(error) => {
            // Of a model that cannot be converted nothing stays.
            if to.is_dir() {
                std::fs::remove_dir_all(&to).with_context(|| to.display().to_string())?;
            }
            Err(error)
        }
    }
}

/// The folder to make, and how many folds were converted.
type Made = (PathBuf, Result<usize>);

fn to_v2(args: &Args, input: &Path, options: &GlobalOptions, tensors: &impl TensorCommands) -> Result<Made> {
    let place = Place::of_v1(input)?;
    let session = options.session(tensors.component_set())?;
    let folds = args.folds(input, "model")?;
    let checkpoint = args.checkpoint.clone().unwrap_or_else(|| "model_final_checkpoint".to_owned());
    let first = input.join(&folds[0]).join(format!("{checkpoint}.model"));
    let trainer = trainer_of(&first)?.unwrap_or_else(|| place.trainer.clone());
    let blueprint = match tensors.trainer_settings(&trainer, &session) {
        Ok(blueprint) => blueprint,
        Err(_) => {
            report::warning(&format!(
                "the trainer {trainer} is not known here; its network is taken to be that of nnUNetTrainerV2"
            ));
            Blueprint::default()
        }
    };
    let slope = slope(&blueprint).with_context(|| format!("the trainer {trainer}"))?;
    let dataset = args.name.clone().unwrap_or_else(|| other_name(&place.dataset));
    let trainer = match blueprint.mirror_axes.as_deref() {
        Some([]) => "nnUNetTrainerNoMirroring",
        _ => "nnUNetTrainer",
    };
    let own = format!("{trainer}__{}__{}", place.plans, place.configuration);
    let to = match &args.output {
        Some(output) => output.clone(),
        None => Folders::from_environment().results()?.join(&dataset).join(own),
    };
    is_free(&to)?;
    let how = ToV2 {
        from: input.to_owned(),
        to: to.clone(),
        task: Task { dataset, plans: place.plans },
        configuration: place.configuration,
        folds,
        checkpoint,
        trainer: trainer.to_owned(),
        slope,
        mirror_axes: blueprint.mirror_axes,
        regions: blueprint.regions,
        description: args.dataset_json.clone(),
    };
    let made = model_to_v2(&how);
    Ok((to, made))
}

fn to_v1(args: &Args, input: &Path, options: &GlobalOptions, tensors: &impl TensorCommands) -> Result<Made> {
    let place = Place::of_v2(input)?;
    let session = options.session(tensors.component_set())?;
    let regions = tensors.trainer_settings(REGIONS_IN_V1, &session)?.regions;
    let folds = args.folds(input, "pth")?;
    let checkpoint = args.checkpoint.clone().unwrap_or_else(|| "checkpoint_final.pth".to_owned());
    let first = input.join(&folds[0]).join(&checkpoint);
    let trainer = trainer_in_v1(input, &place.configuration, &first, regions.as_ref())?;
    let task = args.name.clone().unwrap_or_else(|| other_name(&place.dataset));
    let to = match &args.output {
        Some(output) => std::path::absolute(output)?,
        None => options.folders().model(&place.configuration, &task, trainer, &place.plans)?,
    };
    is_free(&to)?;
    let how = ToV1 {
        from: input.to_owned(),
        to: to.clone(),
        configuration: place.configuration,
        folds,
        checkpoint,
        plans: place.plans,
        regions,
    };
    let made = model_to_v1(&how);
    Ok((to, made))
}

fn is_free(folder: &Path) -> Result<()> {
    ensure!(!folder.exists(), "{} exists; remove it first, or name another folder with -o", folder.display());
    Ok(())
}

/// The trainer that the file beside a checkpoint of v1 names.
fn trainer_of(checkpoint: &Path) -> Result<Option<String>> {
    let info = pickle::load(&checkpoint.with_extension("model.pkl"))?;
    let own = info.get("nnunet").and_then(|own| own.get("trainer"));
    Ok(own.or_else(|| info.get("name")).and_then(|name| name.as_str().map(str::to_owned)))
}

/// Slope of the leaky rectifiers of a trainer's network, which must be the U-Net with instance norm.
fn slope(blueprint: &Blueprint) -> Result<f64> {
    let architecture = &blueprint.architecture;
    ensure!(!matches!(architecture.name.as_str(), "FabiansUNet" | "ResidualUNet"), "{RESIDUAL}");
    ensure!(
        architecture.name == "Generic_UNet",
        "its network is {}, and only Generic_UNet is the same in v2",
        architecture.name
    );
    let text = |key: &str, usual: &str| {
        let found = architecture.parameters.get(key).and_then(|value| value.as_str()).unwrap_or(usual);
        ensure!(found == usual, "its network has {key} {found}, and only {usual} can be converted");
        Ok(())
    };
    text("nonlinearity", "leaky_relu")?;
    text("norm", "instance")?;
    let norm_last = architecture.parameters.get("norm_last").and_then(|value| value.as_bool());
    ensure!(norm_last != Some(true), "its network normalizes after the nonlinearity, which v2's does not");
    let slope = architecture.parameters.get("negative_slope").and_then(|value| value.as_f64());
    Ok(slope.unwrap_or(0.01))
}

impl Place {
    /// `CONFIGURATION/TASK/TRAINER__PLANS`.
    fn of_v1(folder: &Path) -> Result<Self> {
        let names = names(folder);
        let found = match names.as_slice() {
            [own, task, configuration, ..] => {
                own.split_once("__").map(|(trainer, plans)| (trainer, plans, task, configuration))
            }
            _ => None,
        };
        let known = found.filter(|(.., configuration)| CONFIGURATIONS.contains(&configuration.as_str()));
        let (trainer, plans, task, configuration) = known.with_context(|| {
            format!(
                "{}: a model of v1 is in a folder CONFIGURATION/TASK/TRAINER__PLANS, of {}",
                folder.display(),
                CONFIGURATIONS.join(", ")
            )
        })?;
        Ok(Self {
            configuration: configuration.clone(),
            dataset: task.clone(),
            trainer: trainer.to_owned(),
            plans: plans.to_owned(),
        })
    }

    /// `DATASET/TRAINER__PLANS__CONFIGURATION`.
    fn of_v2(folder: &Path) -> Result<Self> {
        let names = names(folder);
        let parts: Vec<&str> = names.first().map(|own| own.split("__").collect()).unwrap_or_default();
        let ([trainer, plans, configuration], Some(dataset)) = (parts.as_slice(), names.get(1)) else {
            anyhow::bail!(
                "{}: a model of v2 is in a folder DATASET/TRAINER__PLANS__CONFIGURATION",
                folder.display()
            )
        };
        ensure!(
            CONFIGURATIONS.contains(configuration),
            "v1 has no configuration {configuration}, but {}",
            CONFIGURATIONS.join(", ")
        );
        Ok(Self {
            configuration: (*configuration).to_owned(),
            dataset: dataset.clone(),
            trainer: (*trainer).to_owned(),
            plans: (*plans).to_owned(),
        })
    }
}

/// Names of a folder and of those it is in, from the innermost.
fn names(folder: &Path) -> Vec<String> {
    let all = folder.ancestors().filter_map(Path::file_name);
    all.map(|name| name.to_string_lossy().into_owned()).collect()
}

impl Args {
    /// Folders of the folds asked for, or of all that have a checkpoint.
    fn folds(&self, model: &Path, ending: &str) -> Result<Vec<String>> {
        if !self.folds.is_empty() {
            let name = |fold: &String| match (self.to, fold.as_str()) {
                (Generation::V2, "all") => "all".to_owned(),
                _ => format!("fold_{fold}"),
            };
            return Ok(self.folds.iter().map(name).collect());
        }
        let mut found = Vec::new();
        for name in nnunet_data::folders::file_names(model, "")? {
            let folder = model.join(&name);
            let is_fold = (name == "all" || name.starts_with("fold_")) && folder.is_dir();
            if is_fold && !nnunet_data::folders::file_names(&folder, &format!(".{ending}"))?.is_empty() {
                found.push(name);
            }
        }
        ensure!(!found.is_empty(), "{} has no folds with checkpoints", model.display());
        Ok(found)
    }
}
