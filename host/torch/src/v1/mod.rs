//! nnU-Net v1: its models' files, and what it does to a case before and after the network.

mod case_processing;
pub(crate) mod checkpoint;
pub(crate) mod hook_state;
mod low_resolution;
mod model;
pub(crate) mod model_info;
pub(crate) mod network;
pub(crate) mod next_stage;
mod plateau_state;
pub(crate) mod preprocessed_cases;
pub(crate) mod second_stage;
pub(crate) mod splits;
mod state_dict;
pub(crate) mod training;

use std::path::Path;

use anyhow::Result;
use nnunet_cli::commands::predict::{Args, Mode};
use nnunet_data::training_images::TrainingImages;

use self::case_processing::V1Processing;
use self::model::Model;
use crate::family::{LoadRequest, LoadedModel, ModelFamily};

/// Name of the last checkpoint.
const FINAL_CHECKPOINT: &str = "model_final_checkpoint";

/// nnU-Net v1.
pub(crate) struct V1;

impl ModelFamily for V1 {
    fn detects(&self, folder: &Path) -> bool {
        model::has_checkpoints(folder)
    }

    fn first_stage(&self, args: &Args, _folder: &Path) -> Result<Option<Args>> {
        low_resolution::first_stage(args)
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<LoadedModel> {
        let LoadRequest { folder, args, session, device, precision } = request;
        let checkpoint = args.checkpoint.as_deref().unwrap_or(FINAL_CHECKPOINT);
        let model = Model::load(folder, &args.folds, checkpoint, *device, session)?;
        let mut window = model.window(args.step_size, !args.disable_tta, *precision);
        window.folds_in_half = args.mode == Mode::Fastest;
        let processing = V1Processing::new(&model, request)?;
        let own = folder.join("postprocessing.json");
        Ok(LoadedModel {
            training_images: TrainingImages::load(folder)
                .unwrap_or_else(|| TrainingImages::of_plans(&model.info.plans)),
            trainer: model.info.trainer,
            postprocessing: args.postprocessing.describe(Some(&own), session),
            networks: model.networks,
            checkpoints: model.files,
            window,
            input_channels: model.spec.num_input_channels,
            features: model.spec.base_num_features,
            processing: Box::new(processing),
        })
    }
}
