//! Folders, plans and stage of a run, from the command's arguments.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use nnunet_cli::commands::train::{Args, CudaGraph, Memory};
use nnunet_data::folders::{CONFIGURATIONS, Folders};
use nnunet_data::records;
use nnunet_engine::config::assignments;
use nnunet_engine::provenance::{self, PluginUse};
use nnunet_engine::session::Session;
use nnunet_plugin_api::Config;
use nnunet_plugin_api::suggestion::did_you_mean;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::{Plans, Stage};

use super::saved::newest;
use nnunet_torch_ops::ranks::{self, Ranks};

use crate::fold_training::FoldSettings;
use crate::v1::model_info::ModelInfo;
use crate::v1::{network, second_stage};

/// Folders and plans of a run.
pub(super) struct Job<'a> {
    pub(super) args: &'a Args,
    pub(super) settings: FoldSettings,
    /// Data and models.
    pub(super) folders: Folders,
    pub(super) plans_file: PathBuf,
    pub(super) plans: Plans,
    /// Plugins that the plans and the preprocessed data were made with.
    pub(super) plans_plugins: Vec<PluginUse>,
    pub(super) stage: usize,
    pub(super) preprocessed: PathBuf,
    pub(super) batch_dice: bool,
}

impl<'a> Job<'a> {
    pub(super) fn new(args: &'a Args, folders: Folders, device: Device) -> Result<Self> {
        let configuration = args.configuration.as_str();
        ensure!(
            CONFIGURATIONS.contains(&configuration),
            "there is no configuration `{configuration}`; there are {}{}",
            CONFIGURATIONS.join(", "),
            did_you_mean(configuration, CONFIGURATIONS)
        );
        let is_second_stage = configuration == second_stage::CONFIGURATION;
        ensure!(
            !is_second_stage || args.fold != "all",
            "3d_cascade_fullres has no fold `all`: a case's prediction by 3d_lowres comes from the fold that left it out"
        );
        let task = folders.task_name(&args.task)?;
        let preprocessed = folders.preprocessed()?.join(&task);
        let dimensions = if configuration == "2d" { 2 } else { 3 };
        let plans_file = preprocessed.join(format!("{}_plans_{dimensions}D.pkl", args.plans));
        records::check_plans_are_there(&plans_file)?;
        let plans = records::load_with_twin(&plans_file, records::plans_from_pickle)?;
        records::check_plans(&plans).with_context(|| plans_file.display().to_string())?;
        let stages = plans.plans_per_stage.len();
        ensure!(
            (configuration != "3d_lowres" && !is_second_stage) || stages > 1,
            "{task} has no low resolution and no cascade: its cases are small enough for 3d_fullres"
        );
        let model = folders.model(configuration, &task, &args.trainer, &args.plans)?;
        Ok(Self {
            settings: settings(args, task, model, device),
            folders,
            stage: network::stage_index(configuration, &plans),
            batch_dice: (configuration == "2d" || stages > 1) && configuration != "3d_lowres",
            args,
            plans_plugins: provenance::load_beside(&plans_file)?,
            plans_file,
            plans,
            preprocessed,
        })
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.plans.plans_per_stage[self.stage]
    }

    pub(super) fn data(&self) -> PathBuf {
        self.stage_data(self.stage)
    }

    /// Preprocessed cases of a stage.
    pub(super) fn stage_data(&self, stage: usize) -> PathBuf {
        self.preprocessed.join(format!("{}_stage{stage}", self.plans.data_identifier))
    }

    /// Settings and parameters of the command line; a training that continues also has those that it began with.
    pub(super) fn set(&self, session: &Session) -> Result<Config> {
        let now = assignments(&self.args.set)?;
        if !self.args.continue_training {
            return Ok(now);
        }
        let mut all = ModelInfo::load(&newest(&self.settings.output)?, &session.registry)?.set;
        all.extend(now);
        Ok(all)
    }

    /// Whether the network also sees the labels of 3d_lowres.
    pub(super) fn is_second_stage(&self) -> bool {
        self.args.configuration == second_stage::CONFIGURATION
    }
}

fn settings(args: &Args, dataset: String, model: PathBuf, device: Device) -> FoldSettings {
    let fold = if args.fold == "all" { "all".to_owned() } else { format!("fold_{}", args.fold) };
    let output = model.join(fold);
    FoldSettings {
        dataset,
        configuration: args.configuration.clone(),
        trainer: args.trainer.clone(),
        plans: args.plans.clone(),
        fold: args.fold.clone(),
        model,
        validation: output.join(&args.val_folder),
        output,
        device,
        continue_flag: "-c",
        validation_flag: "-val",
        validation_only: args.validation_only,
        saves: !args.disable_saving,
        validates: !args.disable_validation_inference,
        batches: if args.batch_for_each_rank { ranks::current().map_or(1, Ranks::size) } else { 1 },
        deterministic: args.deterministic,
        single_precision: args.fp32,
        find_lr: args.find_lr,
        cuda_graphs: args.cuda_graph == CudaGraph::Auto,
        low_memory: args.memory == Memory::Low,
    }
}
