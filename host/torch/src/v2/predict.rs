//! Prediction with a v2 model (`nnUNetv2_predict_from_modelfolder`).

use std::path::Path;

use anyhow::{Result, ensure};
use ndarray::{Array3, Array4, Axis};
use nnunet_cli::commands::predict::{Args, Mode};
use nnunet_data::export;
use nnunet_data::pipeline::copy_file;
use nnunet_engine::session::Session;
use nnunet_formats::pickle::Value;
use nnunet_inference::{Heads, Scores, SlidingWindow, paste};
use nnunet_plugin_api::Postprocessor;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::CaseProperties;

use super::cascade::PreviousStage;
use super::model::Model;
use super::plans::{Configuration, Plans};
use super::preprocess;
use crate::network;
use crate::predict::{self, Case, Job, Keep, Method, Prepared, Resampled, Sizes, cases, largest};

/// Runs the command for a v2 model's folder.
pub(crate) fn run(args: &Args, session: &Session, folder: &Path, device: Device) -> Result<()> {
    ensure!(args.mode == Mode::Normal, "--mode fast and fastest are v1's; a model of v2 has none");
    let model = Model::load(folder, &args.folds, args.checkpoint.as_deref(), device)?;
    let labels = model.dataset.foreground_labels();
    let previous = model.configuration.previous_stage.as_ref();
    let previous =
        previous.map(|stage| PreviousStage::new(args, session, folder, stage, labels)).transpose()?;
    let ending = &model.dataset.file_ending;
    let files = model.plans.reader.files(&args.input, ending, model.dataset.channel_names.len());
    let cases = cases(&args.input, files, [ending, ending], &args.output)?;
    for name in ["plans.json", "dataset.json"] {
        copy_file(&folder.join(name), &args.output.join(name))?;
    }
    args.postprocessing.note(&args.output)?;
    let mut window = SlidingWindow::new(model.configuration.patch_size.clone(), model.heads.count());
    window.scores = Scores::Logits;
    window.step = args.step_size;
    window.mirror_axes = if args.disable_tta { Vec::new() } else { model.mirror_axes.clone() };
    window.kind = network::kind(predict::precision(args), &*model.networks[0], model.device);
    window.device = model.device;
    let method = V2 {
        plans: &model.plans,
        configuration: &model.configuration,
        heads: &model.heads,
        previous,
        keep: args.save_npz.then_some(Keep::Raw),
        postprocessing: args.postprocessing.postprocessor(session)?,
    };
    let job = Job {
        folder,
        checkpoints: &model.files,
        method: &method,
        networks: &model.networks,
        window,
        sizes: sizes(&model, &cases),
        cases,
    };
    predict::drive(args, session, job)
}

fn sizes(model: &Model, cases: &[Case]) -> Sizes {
    let order = model.plans.transpose_forward;
    let (raw, network) = largest(cases, |image| {
        let case = model.plans.reader.geometry(image);
        let (size, spacing) = (case.size_zyx(), case.spacing_zyx());
        let spacing = order.map(|axis| spacing[axis]);
        let target = model.configuration.target(spacing);
        model.configuration.data().shape(order.map(|axis| size[axis]), spacing, target)
    });
    Sizes {
        raw,
        network,
        channels: model.configuration.input_channels(&model.dataset),
        folds: model.networks.len(),
        features: model.features,
        is_cubic: model.configuration.probabilities().is_cubic(),
    }
}

/// v2's way of preparing and exporting.
struct V2<'a> {
    plans: &'a Plans,
    configuration: &'a Configuration,
    heads: &'a Heads,
    /// Of a cascade.
    previous: Option<PreviousStage>,
    keep: Option<Keep>,
    postprocessing: Option<Box<dyn Postprocessor>>,
}

impl Method for V2<'_> {
    fn heads(&self) -> &Heads {
        self.heads
    }

    fn resampled(&self) -> Resampled {
        Resampled::Scores
    }

    fn keep(&self) -> Option<Keep> {
        self.keep
    }

    fn prepare(&self, case: &Case) -> Result<Prepared> {
        let previous = self.previous.as_ref();
        let labels = previous.map(|previous| previous.file(case)).transpose()?;
        let (cropped, properties) = self.plans.reader.read(&case.images, labels.as_deref())?.crop()?;
        let labels = previous.map(|previous| previous.labels);
        let case = preprocess::Case::new(cropped, &properties, self.plans, self.configuration, labels)?;
        let way = case.way_back(self.plans, self.configuration);
        Ok(Prepared { way, image: case.image, properties })
    }

    /// v2 keeps logits that splines resampled in half precision. Without regions the largest logit is the largest probability.
    fn finish(&self, scores: &mut Array4<f32>, resampled: bool) {
        if resampled && self.configuration.probabilities().keeps_half_precision() {
            scores.mapv_inplace(|value| half::f16::from_f32(value).to_f32());
        }
        match self.heads {
            Heads::Regions(_) => scores.mapv_inplace(|value| 1.0 / (1.0 + (-value).exp())),
            Heads::Labels(_) if self.keep.is_some() => softmax(scores),
            Heads::Labels(_) => {}
        }
    }

    fn properties(&self, case: &CaseProperties) -> Result<Value> {
        properties_to_pickle(case, self.plans)
    }

    fn write(&self, labels: Array3<u8>, case: &CaseProperties, output: &Path) -> Result<()> {
        let labels = export::postprocessed(labels, case, self.postprocessing.as_deref())?;
        self.plans.reader.write(output, paste(labels.view(), case).view(), case)
    }
}

fn softmax(logits: &mut Array4<f32>) {
    for mut voxel in logits.lanes_mut(Axis(0)) {
        let highest = voxel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        voxel.mapv_inplace(|value| (value - highest).exp());
        let sum = voxel.sum();
        voxel.mapv_inplace(|value| value / sum);
    }
}

/// The properties that v2 keeps beside probabilities; sizes and boxes are in transposed order there.
fn properties_to_pickle(case: &CaseProperties, plans: &Plans) -> Result<Value> {
    let order = plans.transpose_forward;
    let sizes = |size: [usize; 3]| Value::Tuple(size.iter().map(|len| Value::Int(*len as i64)).collect());
    let bbox = order.map(|axis| Value::ints(case.crop_bbox[axis]));
    let spacing = case.original_spacing.iter().map(|value| Value::Float(*value)).collect();
    let own = [
        ("spacing", Value::List(spacing)),
        ("shape_before_cropping", sizes(order.map(|axis| case.original_size_of_raw_data[axis]))),
        ("bbox_used_for_cropping", Value::List(bbox.into_iter().collect())),
        (
            "shape_after_cropping_and_before_resampling",
            sizes(order.map(|axis| case.size_after_cropping[axis])),
        ),
    ];
    Ok(Value::dict(plans.reader.keeps(case)?.into_iter().chain(own).collect()))
}
