//! Folders, plans and data set of a run, from the command's arguments.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_cli::commands::train::Memory;
use nnunet_cli::commands::train_v2::Args;
use nnunet_data::folders::file_names;
use nnunet_data::v2::{self, Dataset, Folders};
use nnunet_engine::provenance::{self, PluginUse};
use nnunet_engine::session::Session;
use nnunet_inference::SegmentationHeads;
use nnunet_plugin_api::tch::Device;
use serde_json::Value;

use crate::fold_training::FoldSettings;
use crate::v2::network_plan::PlannedNetwork;
use crate::v2::plans::{Configuration, Plans};
use crate::v2::plans_check;
use crate::v2::resampling::Resampling;

/// Folder in a model's folder with its predictions for the next stages of a cascade.
pub(super) const NEXT_STAGE: &str = "predicted_next_stage";
/// A first axis that is so much shorter than the longest one is coarse (v2: `ANISO_THRESHOLD`).
const ANISOTROPY: usize = 3;

/// A fold of a configuration, and what it is made from.
pub(super) struct Job<'a> {
    pub(super) args: &'a Args,
    pub(super) settings: FoldSettings,
    /// The data set's preprocessed folder.
    pub(super) preprocessed: PathBuf,
    /// Preprocessed cases of the configuration.
    pub(super) data: PathBuf,
    /// `PLANS.json`.
    pub(super) plans_file: PathBuf,
    pub(super) plans: Plans,
    /// The plans as they are written.
    pub(super) plans_json: Value,
    /// Plugins that the plans and the preprocessed data were made with.
    pub(super) plans_plugins: Vec<PluginUse>,
    pub(super) dataset: Dataset,
    pub(super) dataset_json: Value,
    pub(super) configuration: Configuration,
    /// What resamples scores.
    pub(super) resampling: Resampling,
    pub(super) network: PlannedNetwork,
    pub(super) heads: SegmentationHeads,
    /// In a cascade: the folder with the labels of the previous stage.
    pub(super) previous: Option<PathBuf>,
}

impl<'a> Job<'a> {
    pub(super) fn new(args: &'a Args, session: &Session, device: Device) -> Result<Self> {
        let folders = Folders::from_environment();
        let name = folders.dataset_name(&args.dataset)?;
        let preprocessed = folders.preprocessed()?.join(&name);
        let plans_file = preprocessed.join(format!("{}.json", args.plans));
        ensure!(
            plans_file.is_file(),
            "there are no plans at {}; run nnUNetv2_plan_and_preprocess, or name others with -p{}",
            plans_file.display(),
            other_plans(&preprocessed)
        );
        let plans = plans_check::load_file(&plans_file)?;
        let plans_json: Value = v2::load(&plans_file)?;
        let configuration = plans_check::configuration(&plans, &args.configuration)?;
        let dataset = Dataset::load(&preprocessed)?;
        let plans_name = plans_json.get("plans_name").and_then(Value::as_str).unwrap_or(&args.plans);
        let of_dataset = folders.results()?.join(&name);
        let model =
            |configuration: &str| of_dataset.join(format!("{}__{plans_name}__{configuration}", args.trainer));
        let previous = configuration.previous_stage.as_deref();
        let previous = previous.map(|stage| model(stage).join(NEXT_STAGE).join(&args.configuration));
        Ok(Self {
            settings: settings(args, name, plans_name, model(&args.configuration), device),
            data: preprocessed.join(plans.data_identifier(&args.configuration)?),
            resampling: Resampling::new(&session.registry, &configuration)
                .with_context(|| plans_file.display().to_string())?,
            network: configuration.network.network(configuration.patch_size.len())?,
            heads: dataset
                .heads()
                .with_context(|| preprocessed.join("dataset.json").display().to_string())?,
            dataset_json: v2::load(&preprocessed.join("dataset.json"))?,
            plans_plugins: provenance::load_beside(&plans_file)?,
            args,
            preprocessed,
            plans_file,
            plans,
            plans_json,
            dataset,
            configuration,
            previous,
        })
    }

    /// Axes of a patch.
    pub(super) fn axes(&self) -> usize {
        self.configuration.patch_size.len()
    }

    /// The folder of the reference segmentations.
    pub(super) fn references(&self) -> PathBuf {
        self.preprocessed.join("gt_segmentations")
    }

    /// Whether augmentation treats slices apart.
    pub(super) fn is_dummy_2d(&self) -> bool {
        let patch = &self.configuration.patch_size;
        let longest = patch.iter().max().copied().unwrap_or(0);
        patch.len() == 3 && longest > ANISOTROPY * patch[0]
    }
}

/// The end of a message about missing plans: the names that -p takes.
fn other_plans(preprocessed: &Path) -> String {
    let files = file_names(preprocessed, ".json").unwrap_or_default();
    let is_plans = |file: &&String| v2::PlansFile::load(&preprocessed.join(file)).is_ok();
    let names: Vec<&str> =
        files.iter().filter(is_plans).filter_map(|file| file.strip_suffix(".json")).collect();
    if names.is_empty() { String::new() } else { format!(": there are {}", names.join(", ")) }
}

fn settings(args: &Args, dataset: String, plans: &str, model: PathBuf, device: Device) -> FoldSettings {
    let output = model.join(format!("fold_{}", args.fold));
    FoldSettings {
        dataset,
        configuration: args.configuration.clone(),
        trainer: args.trainer.clone(),
        plans: plans.to_owned(),
        fold: args.fold.clone(),
        validation: output.join("validation"),
        model,
        output,
        device,
        continue_flag: "--c",
        validation_flag: "--val",
        validation_only: args.val,
        saves: !args.disable_checkpointing,
        validates: true,
        batches: 1,
        deterministic: args.deterministic,
        single_precision: args.fp32,
        find_lr: false,
        cuda_graphs: false,
        low_memory: args.memory == Memory::Low,
    }
}
