//! Prediction with a v1 model (`nnUNet_predict`).

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use ndarray::{Array3, Array4};
use nnunet_cli::commands::predict::{Args, Mode};
use nnunet_data::pipeline::crop_case;
use nnunet_data::{components, export, images, records};
use nnunet_engine::session::Session;
use nnunet_formats::pickle::Value;
use nnunet_inference::{Heads, WayBack};
use nnunet_numerics::resampled_shape;
use nnunet_plugin_api::Postprocessor;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::{CaseProperties, Plans, Regions};
use nnunet_preprocessing::{Resolved, Target, preprocess};

use super::inputs::ending_in;
use super::precision;
use super::{Case, Job, Keep, Method, Prepared, Resampled, Sizes, cases, drive, largest};
use crate::cascade::LowResolution;
use crate::model::Model;

/// Name of the last checkpoint.
const FINAL: &str = "model_final_checkpoint";

pub(super) fn run(args: &Args, session: &Session, folder: &Path, device: Device) -> Result<()> {
    let start = Instant::now();
    let checkpoint = args.checkpoint.as_deref().unwrap_or(FINAL);
    let model = Model::load(folder, &args.folds, checkpoint, device, session)?;
    let plans = &model.info.plans;
    let cases = cases(
        &args.input,
        plans.num_modalities(),
        [ending_in(&args.input), images::DEFAULT_ENDING],
        &args.output,
    )?;
    records::save(&args.output.join("plans.pkl"), &records::plans_to_pickle(plans))?;
    let preprocessor = components::preprocessor(&session.registry, plans)?;
    let own = folder.join("postprocessing.json");
    let method = V1 {
        plans,
        stage: model.stage,
        preprocessor: &preprocessor,
        heads: Heads::of(model.spec.num_classes, model.info.regions.as_ref()),
        regions: model.info.regions.as_ref(),
        postprocessing: args.postprocessing.or_models(&own, session, &args.output)?,
        mode: args.mode,
        keep: args.save_npz.then_some(Keep::Cropped),
        lowres: model.is_second_stage().then(|| LowResolution::new(args)).transpose()?,
    };
    let mut window = model.window(args.step_size, !args.disable_tta, precision(args));
    window.folds_in_half = args.mode == Mode::Fastest;
    let job = Job {
        folder,
        checkpoints: &model.files,
        method: &method,
        networks: &model.networks,
        sizes: sizes(&model, &preprocessor, &cases),
        window,
        cases,
    };
    drive(args, session, job)?;
    let seconds = start.elapsed().as_secs_f64().to_string();
    nnunet_formats::atomic::write_bytes(&args.output.join("prediction_time.txt"), seconds.as_bytes())?;
    Ok(())
}

fn sizes(model: &Model, preprocessor: &Resolved, cases: &[Case]) -> Sizes {
    let plans = &model.info.plans;
    let order = plans.transpose_forward;
    let (raw, network) = largest(cases, |image| {
        let (size, spacing) = (image.size_zyx(), image.spacing_zyx());
        let (size, spacing) = (order.map(|axis| size[axis]), order.map(|axis| spacing[axis]));
        let mut target = plans.plans_per_stage[model.stage].current_spacing;
        if preprocessor.settings.keep_first_axis_spacing {
            target[0] = spacing[0];
        }
        resampled_shape(size, spacing, target)
    });
    Sizes {
        raw,
        network,
        channels: model.spec.num_input_channels,
        folds: model.networks.len(),
        features: model.spec.base_num_features,
        is_cubic: plans.segmentation_export_params.is_some_and(|export| export.interpolation_order > 1),
    }
}

/// v1's way of preparing and exporting.
struct V1<'a> {
    plans: &'a Plans,
    stage: usize,
    preprocessor: &'a Resolved,
    heads: Heads,
    regions: Option<&'a Regions>,
    postprocessing: Option<Box<dyn Postprocessor>>,
    mode: Mode,
    keep: Option<Keep>,
    /// Labels of a cascade's first stage.
    lowres: Option<LowResolution>,
}

impl Method for V1<'_> {
    fn heads(&self) -> &Heads {
        &self.heads
    }

    fn resampled(&self) -> Resampled {
        match self.mode {
            Mode::Normal => Resampled::Scores,
            Mode::Fast => Resampled::Labels { nearest: false },
            Mode::Fastest => Resampled::Labels { nearest: true },
        }
    }

    fn keep(&self) -> Option<Keep> {
        self.keep
    }

    fn prepare(&self, which: &Case) -> Result<Prepared> {
        let (cropped, mut properties) = crop_case(&which.images, None)?;
        let plans = self.plans;
        let target = Target { plans, stage: self.stage, use_mask_for_norm: &plans.use_mask_for_norm };
        let spacing = properties.original_spacing;
        let mut case = preprocess(self.preprocessor, cropped.data, cropped.seg, spacing, &target)?;
        let (z, y, x) = case.seg.dim();
        properties.size_after_resampling = Some([z, y, x]);
        properties.spacing_after_resampling = Some(case.spacing);
        if let Some(lowres) = &self.lowres {
            case.data = lowres.append(&which.output, case.data.view(), &properties, plans)?;
        }
        Ok(Prepared { way: WayBack::of_v1(plans, &properties)?, image: case.data, properties })
    }

    fn finish(&self, _scores: &mut Array4<f32>, _resampled: bool) {}

    fn properties(&self, case: &CaseProperties) -> Result<Value> {
        Ok(records::case_of_probabilities_to_pickle(case, self.regions))
    }

    fn write(&self, labels: Array3<u8>, case: &CaseProperties, output: &Path) -> Result<()> {
        let labels = export::postprocessed(labels, case, self.postprocessing.as_deref())?;
        export::write_labels(output, labels.view(), case)
    }
}
