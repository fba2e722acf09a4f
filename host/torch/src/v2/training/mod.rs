//! The training of a v2 fold.

mod cases;
mod files;
mod history;
mod job;
mod next_stage;
mod python_class;
mod splits;
mod state;
mod stored;
mod trainer;
mod validation;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, ensure};
use nnunet_cli::commands::train_v2::Args;
use nnunet_data::label_names::LabelNames;
use nnunet_data::models::has_checkpoint;
use nnunet_data::records::Split;
use nnunet_data::v2::stored_cases;
use nnunet_engine::provenance;
use nnunet_engine::session::Session;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{AugmentationContext, NetworkSpec};
use nnunet_trainers::Resolved;
use nnunet_training::{CaseSource, Engine};

use self::cases::PreprocessedCases;
use self::files::V2Files;
use self::job::Job;
use crate::fold_training::{BatchSettings, FoldFiles, FoldSettings, FoldTraining, sampler};
use crate::{checkpoints, devices, plugins_used, ranks, train};

/// Runs the command.
pub(crate) fn run(args: &Args, session: &Session) -> Result<ExitCode> {
    ranks::run(args.device, args.val, |choice| train_fold(args, devices::resolve(choice)?, session))
}

fn train_fold(args: &Args, device: Device, session: &Session) -> Result<ExitCode> {
    let mut job = Job::new(args, session, device)?;
    let continued = Args { continue_training: true, ..args.clone() };
    if ranks::is_restarted() && has_checkpoint(&job.settings.output) {
        job = Job::new(&continued, session, device)?;
    }
    train::run(&job, session)
}

impl FoldTraining for Job<'_> {
    fn settings(&self) -> &FoldSettings {
        &self.settings
    }

    fn check_finished(&self) -> Result<()> {
        let (args, output) = (self.args, &self.settings.output);
        let is_chosen = args.continue_training || args.val || args.overwrite;
        if is_chosen {
            return Ok(());
        }
        checkpoints::check_none_is_complete(output, self.settings.continue_flag)
    }

    fn check_plugins(&self, session: &Session) -> Result<()> {
        provenance::warn_of_changes("the plans and their data were", &self.plans_plugins, session);
        let newest = state::newest(&self.settings.output).filter(|_| self.args.continue_training);
        match newest {
            Some(path) => provenance::require(
                "the model was",
                &state::plugins_of(&path)?,
                session,
                &plugins_used::TRAINING,
            ),
            None => Ok(()),
        }
    }

    fn trainer(&self, session: &Session) -> Result<Resolved> {
        trainer::resolve(self, session)
    }

    fn complete(&self, blueprint: &mut Blueprint, session: &Session) -> Result<()> {
        trainer::complete(self, blueprint, session)
    }

    fn label_names(&self) -> LabelNames {
        LabelNames::near(&[&self.preprocessed])
    }

    fn split(&self) -> Result<Split> {
        splits::split(&self.preprocessed, &self.case_names()?, &self.settings.fold)
    }

    fn case_names(&self) -> Result<Vec<String>> {
        ensure!(
            self.data.is_dir(),
            "there is no folder {}; run nnUNetv2_preprocess first",
            self.data.display()
        );
        let cases = stored_cases(&self.data)?;
        ensure!(
            !cases.is_empty(),
            "there are no preprocessed cases in {}; run nnUNetv2_preprocess first",
            self.data.display()
        );
        Ok(cases)
    }

    fn prepare(&self, _trainer: &Resolved, _split: &Split, _session: &Session) -> Result<()> {
        Ok(())
    }

    fn network_spec(&self, _blueprint: &Blueprint) -> Result<NetworkSpec> {
        let channels = self.configuration.input_channels(&self.dataset);
        Ok(self.network.spec(channels, self.heads.count(), &self.configuration.patch_size))
    }

    fn batch_dice(&self) -> bool {
        self.configuration.batch_dice
    }

    fn batch_settings(&self, blueprint: &Blueprint) -> BatchSettings {
        let configuration = &self.configuration;
        let labels = self.dataset.foreground_labels();
        BatchSettings {
            sampler: sampler(blueprint, "v2"),
            batch_size: blueprint.batch_size.unwrap_or(configuration.batch_size),
            channels: self.dataset.channel_names.len(),
            context: AugmentationContext {
                patch: configuration.patch_size.clone(),
                dummy_2d: self.is_dummy_2d(),
                use_mask: configuration.use_mask_for_norm.clone(),
                mirror_axes: blueprint.mirror_axes.clone(),
                num_labels: labels,
            },
            strides: self.network.strides(),
            ignore_label: self.dataset.ignore_label().and_then(|label| u8::try_from(label).ok()),
        }
    }

    fn check_head(&self) -> Result<()> {
        let cascade = self.previous.is_some() || !self.configuration.next_stages().is_empty();
        ensure!(
            !cascade,
            "the setting `head` is not supported in cascades; choose a configuration without stages"
        );
        let ignores = self.dataset.ignore_label().is_some();
        ensure!(!ignores, "the setting `head` is not supported for data sets with an ignore label");
        Ok(())
    }

    fn cases(&self, names: &[String], _blueprint: &Blueprint) -> Result<Arc<dyn CaseSource>> {
        Ok(Arc::new(PreprocessedCases::open(self, names)?))
    }

    fn load_weights(&self, engine: &mut Engine) -> Result<()> {
        state::load(self, engine)
    }

    fn begin<'a>(
        &'a self,
        engine: &Engine,
        split: &Split,
        session: &Session,
    ) -> Result<Box<dyn FoldFiles + 'a>> {
        Ok(Box::new(V2Files::begin(self, engine, split, session)?))
    }

    fn validate(&self, engine: &mut Engine, split: &Split) -> Result<bool> {
        validation::run(self, engine, split)
    }

    /// v2 predicts the next stage together with the validation.
    fn predict_next_stage(&self, _engine: &Engine, _split: &Split) -> Result<()> {
        Ok(())
    }
}
