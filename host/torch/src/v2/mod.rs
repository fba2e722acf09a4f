//! nnU-Net v2: its models' files, and what it does to a case before and after the network.

mod case_processing;
mod checkpoint;
mod first_stage;
mod model;
mod network_plan;
mod plans;
mod plans_check;
mod preprocess;
mod resampling;
mod scores;
pub(crate) mod training;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_cli::commands::predict::{Args, Mode};
use nnunet_data::components;
use nnunet_data::training_images::TrainingImages;
use nnunet_data::v2::is_v2;
use nnunet_inference::{Scores, SlidingWindow};

use self::case_processing::V2Processing;
use self::first_stage::FirstStageLabels;
use self::model::Model;
use self::resampling::Resampling;
use crate::family::{LoadRequest, LoadedModel, ModelFamily};
use crate::network;

/// nnU-Net v2.
pub(crate) struct V2;

impl ModelFamily for V2 {
    fn detects(&self, folder: &Path) -> bool {
        is_v2(folder) || checkpoint::has_checkpoints(folder)
    }

    fn first_stage(&self, args: &Args, folder: &Path) -> Result<Option<Args>> {
        first_stage::first_stage(args, folder)
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<LoadedModel> {
        let args = request.args;
        ensure!(
            args.mode == Mode::Normal,
            "--mode {} is for models of nnU-Net v1; leave it out",
            if args.mode == Mode::Fast { "fast" } else { "fastest" }
        );
        let model = Model::load(request)?;
        let registry = &request.session.registry;
        let normalizations =
            components::normalizations(registry, &model.configuration.normalization_schemes)?;
        let resampling = Resampling::new(registry, &model.configuration)
            .with_context(|| format!("{}", request.folder.join("plans.json").display()))?;
        let labels = model.dataset.foreground_labels();
        let stage = model.configuration.previous_stage.as_ref();
        let first_stage = stage.map(|stage| FirstStageLabels::new(args, stage, labels)).transpose()?;
        args.postprocessing.note(&args.output)?;
        Ok(LoadedModel {
            training_images: TrainingImages::load(request.folder)
                .unwrap_or_else(|| TrainingImages::of_fingerprint(request.folder)),
            trainer: model.trainer.clone(),
            postprocessing: args.postprocessing.describe(None, request.session),
            window: window(&model, request),
            networks: model.networks,
            checkpoints: model.files,
            input_channels: model.configuration.input_channels(&model.dataset),
            features: model.features,
            processing: Box::new(V2Processing {
                folder: request.folder.to_owned(),
                plans: model.plans,
                dataset: model.dataset,
                configuration: model.configuration,
                normalizations,
                resampling,
                output_head: model.output_head,
                head: model.head,
                first_stage,
                save_probabilities: args.save_npz,
                postprocessor: args.postprocessing.postprocessor(request.session)?,
            }),
        })
    }
}

/// v2 adds logits, not probabilities; a head makes its scores of their sums.
fn window(model: &Model, request: &LoadRequest<'_>) -> SlidingWindow {
    let LoadRequest { args, device, precision, .. } = request;
    let mut window = SlidingWindow::new(model.configuration.patch_size.clone(), model.outputs);
    window.scores = Scores::Logits;
    window.step = args.step_size;
    window.mirror_axes = if args.disable_tta { Vec::new() } else { model.mirror_axes.clone() };
    window.kind = network::kind(*precision, &*model.networks[0], *device);
    window.device = *device;
    window
}
