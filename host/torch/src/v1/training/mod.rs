//! The training of a v1 fold.

mod attributes_of_v1;
mod cascade;
mod debug_json;
mod files;
mod final_validation;
mod info;
mod job;
mod saved;
mod validation;
mod weights;
mod whole_cases;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, ensure};
use nnunet_cli::commands::train::Args;
use nnunet_data::folders::Folders;
use nnunet_data::label_names::LabelNames;
use nnunet_data::models::has_checkpoint;
use nnunet_data::records::Split;
use nnunet_engine::provenance;
use nnunet_engine::session::Session;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{AugmentationContext, NetworkSpec, TrainerContext};
use nnunet_trainers::{Resolved, registered_in_v2};
use nnunet_training::{CaseSource, Engine};

use self::files::V1Files;
use self::job::Job;
use super::model_info::ModelInfo;
use super::preprocessed_cases::{self, StageCases};
use super::{network, splits};
use crate::fold_training::{BatchSettings, FoldFiles, FoldSettings, FoldTraining, sampler};
use crate::{checkpoints, components, devices, plugins_used, ranks, train};

/// Runs the command.
pub(crate) fn run(args: &Args, session: &Session) -> Result<ExitCode> {
    let alone = args.validation_only || args.find_lr;
    ranks::run(args.device, alone, |choice| train_fold(args, devices::resolve(choice)?, session))
}

fn train_fold(args: &Args, device: Device, session: &Session) -> Result<ExitCode> {
    let mut job = Job::new(args, Folders::new(&session.files), device)?;
    let continued = Args { continue_training: true, ..args.clone() };
    if ranks::is_restarted() && has_checkpoint(&job.settings.output) {
        job = Job::new(&continued, Folders::new(&session.files), device)?;
    }
    if args.fold != "all" {
        let names = preprocessed_cases::names(&job.data())?;
        ranks::first("folds", || splits::prepare(&job.preprocessed, &names, session))?;
    }
    train::run(&job, session)
}

impl FoldTraining for Job<'_> {
    fn settings(&self) -> &FoldSettings {
        &self.settings
    }

    fn check_finished(&self) -> Result<()> {
        let (args, output) = (self.args, &self.settings.output);
        let is_chosen = args.continue_training || args.validation_only || args.find_lr || args.overwrite;
        if is_chosen {
            return Ok(());
        }
        checkpoints::check_none_is_complete(output, self.settings.continue_flag)
    }

    fn label_names(&self) -> LabelNames {
        LabelNames::near(&[&self.preprocessed])
    }

    fn bytes_to_unpack(&self, split: &Split) -> u64 {
        let names = split.train.iter().chain(&split.val).filter(|_| !self.args.use_compressed_data);
        names.map(|name| preprocessed_cases::bytes_to_unpack(&self.data(), name)).sum()
    }

    fn check_plugins(&self, session: &Session) -> Result<()> {
        provenance::warn_of_changes("the plans and their data were", &self.plans_plugins, session);
        if self.args.continue_training {
            let info = ModelInfo::load(&saved::newest(&self.settings.output)?, &session.registry)?;
            provenance::require("the model was", &info.plugins, session, &plugins_used::TRAINING)?;
        }
        Ok(())
    }

    fn trainer(&self, session: &Session) -> Result<Resolved> {
        let context = TrainerContext {
            configuration: self.args.configuration.clone(),
            plans: self.plans.clone(),
            stage: self.stage,
        };
        let (name, set) = (&self.args.trainer, self.set(session)?);
        let trainer = components::resolve_trainer_with(&session.registry, name, &context, &set)?;
        ensure!(
            trainer.names.first().is_none_or(|root| root != registered_in_v2("nnUNetTrainer")),
            "{name} is a trainer of v2; train it with nnUNetv2_train"
        );
        Ok(trainer)
    }

    fn split(&self) -> Result<Split> {
        splits::split(&self.preprocessed, &self.case_names()?, &self.args.fold)
    }

    fn case_names(&self) -> Result<Vec<String>> {
        preprocessed_cases::names(&self.data())
    }

    fn prepare(&self, trainer: &Resolved, split: &Split, session: &Session) -> Result<()> {
        cascade::prepare(self, trainer, split, session)
    }

    fn network_spec(&self, blueprint: &Blueprint) -> Result<NetworkSpec> {
        let second_stage = self.is_second_stage();
        Ok(network::spec(&self.plans, self.stage(), blueprint.regions.as_ref(), second_stage))
    }

    fn batch_dice(&self) -> bool {
        self.batch_dice
    }

    fn batch_settings(&self, blueprint: &Blueprint) -> BatchSettings {
        let stage = self.stage();
        // The first stride of residual plans is none.
        let strides = stage.pool_op_kernel_sizes.iter().skip_while(|pool| pool.iter().all(|by| *by == 1));
        BatchSettings {
            batch_size: blueprint.batch_size.unwrap_or(stage.batch_size) * self.settings.batches,
            sampler: sampler(blueprint, "v1"),
            channels: self.plans.num_modalities(),
            context: AugmentationContext {
                patch: stage.patch_size.clone(),
                dummy_2d: stage.do_dummy_2d_data_aug,
                use_mask: self.plans.use_mask_for_norm.clone(),
                mirror_axes: blueprint.mirror_axes.clone(),
                num_labels: self.plans.num_classes,
            },
            strides: strides.cloned().collect(),
            ignore_label: None,
        }
    }

    fn check_head(&self) -> Result<()> {
        let cascade = self.is_second_stage() || self.args.configuration == "3d_lowres";
        ensure!(!cascade, "the setting `head` is not supported in cascades; choose 2d or 3d_fullres");
        Ok(())
    }

    fn cases(&self, names: &[String], blueprint: &Blueprint) -> Result<Arc<dyn CaseSource>> {
        let previous = cascade::previous(self, blueprint)?;
        let (channels, compressed) = (self.plans.num_modalities(), self.args.use_compressed_data);
        Ok(Arc::new(StageCases::open(&self.data(), previous.as_deref(), names, channels, compressed)?))
    }

    fn load_weights(&self, engine: &mut Engine) -> Result<()> {
        weights::load(self, engine)
    }

    fn begin<'a>(
        &'a self,
        engine: &Engine,
        split: &Split,
        session: &Session,
    ) -> Result<Box<dyn FoldFiles + 'a>> {
        Ok(Box::new(V1Files::begin(self, engine, split, session)?))
    }

    fn validate(&self, engine: &mut Engine, split: &Split) -> Result<bool> {
        final_validation::run(self, engine, split)
    }

    fn predict_next_stage(&self, engine: &Engine, split: &Split) -> Result<()> {
        cascade::predict_next(self, engine, split)
    }
}
