//! Prediction with a v2 model (`nnUNetv2_predict_from_modelfolder`).

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use ndarray::{Array4, Axis, s};
use nnunet_formats::npz;
use nnunet_formats::pickle::Value;
use nnunet_host::commands::predict::Args;
use nnunet_host::pipeline::{copy_file, crop_case};
use nnunet_host::{export, folders, records, report};
use nnunet_inference::{SlidingWindow, from_tensor, labels_of, predict_logits, regions_of};
use nnunet_plugin_api::tch::Kind;
use nnunet_plugin_api::vocabulary::CaseProperties;

use super::model::Model;
use super::plans::Heads;
use super::preprocess::Case;
use crate::predict::cases;

/// Runs the command for a v2 model's folder. A case that fails is reported, the others go on; the command then fails.
pub(crate) fn run(args: &Args, folder: &Path) -> Result<()> {
    let model = Model::load(folder, &args.folds, args.checkpoint.as_deref())?;
    let ending = &model.dataset.file_ending;
    let cases = cases(&args.input, model.dataset.channel_names.len(), ending)?;
    folders::create(&args.output)?;
    for name in ["plans.json", "dataset.json"] {
        copy_file(&folder.join(name), &args.output.join(name))?;
    }
    let window = SlidingWindow {
        patch: model.configuration.patch_size.clone(),
        num_classes: model.heads.count(),
        regions: false,
        step: args.step_size,
        mirror_axes: if args.disable_tta { Vec::new() } else { model.mirror_axes.clone() },
        kind: Kind::Float,
        device: model.device,
    };
    let job = Job { model: &model, window: &window, save_probabilities: args.save_npz };
    let mine: Vec<_> = cases.iter().skip(args.part_id).step_by(args.num_parts.max(1)).collect();
    let bar = report::bar(mine.len(), "predicting");
    let mut failed = Vec::new();
    for (case, images) in &mine {
        let output = args.output.join(format!("{case}{ending}"));
        if !output.is_file() || args.overwrite_existing {
            match job.predict(images, &output, &args.output.join(case)) {
                Ok(()) => report::line(&format!("predicted {}", output.display())),
                Err(error) => failed.push(format!("  {case}: {error:#}")),
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if !failed.is_empty() {
        bail!("{} of {} cases failed:\n{}", failed.len(), mine.len(), failed.join("\n"));
    }
    Ok(())
}

/// What every case is predicted with.
struct Job<'a> {
    model: &'a Model,
    window: &'a SlidingWindow,
    save_probabilities: bool,
}

impl Job<'_> {
    /// `beside` is the output's path without its ending.
    fn predict(&self, images: &[PathBuf], output: &Path, beside: &Path) -> Result<()> {
        let Model { plans, configuration, .. } = self.model;
        let (cropped, properties) = crop_case(images, None)?;
        let case = Case::new(cropped, &properties, plans, configuration)?;
        let logits = from_tensor(&predict_logits(&self.model.networks, case.image.view(), self.window)?)?;
        let back = plans.transpose_backward;
        let logits = case.to_crop(logits, configuration);
        let mut values = logits.permuted_axes([0, back[0] + 1, back[1] + 1, back[2] + 1]);
        // Without regions, the largest logit is the largest probability.
        if self.save_probabilities || matches!(self.model.heads, Heads::Regions(_)) {
            self.to_probabilities(&mut values);
        }
        let labels = match &self.model.heads {
            Heads::Labels(_) => labels_of(values.view()),
            Heads::Regions(order) => regions_of(values.view(), order),
        };
        if self.save_probabilities {
            let whole = self.paste(&values, &properties);
            npz::save_f32(&beside.with_extension("npz"), "probabilities", whole.view())?;
            let found = properties_to_pickle(&properties, case.cropped, plans.transpose_forward);
            records::save(&beside.with_extension("pkl"), &found)?;
        }
        export::write_labels(output, labels.view(), &properties)
    }

    fn to_probabilities(&self, logits: &mut Array4<f32>) {
        if matches!(self.model.heads, Heads::Regions(_)) {
            logits.mapv_inplace(|value| 1.0 / (1.0 + (-value).exp()));
            return;
        }
        for mut voxel in logits.lanes_mut(Axis(0)) {
            let highest = voxel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            voxel.mapv_inplace(|value| (value - highest).exp());
            let sum = voxel.sum();
            voxel.mapv_inplace(|value| value / sum);
        }
    }

    /// Probabilities on the raw grid; outside of the crop it is background.
    fn paste(&self, probabilities: &Array4<f32>, case: &CaseProperties) -> Array4<f32> {
        let [nz, ny, nx] = case.original_size_of_raw_data;
        let mut whole = Array4::zeros((probabilities.dim().0, nz, ny, nx));
        if matches!(self.model.heads, Heads::Labels(_)) {
            whole.index_axis_mut(Axis(0), 0).fill(1.0);
        }
        let [z, y, x] = case.crop_bbox.map(|[low, high]| low..high);
        whole.slice_mut(s![.., z, y, x]).assign(probabilities);
        whole
    }
}

/// The properties that v2 keeps beside probabilities; sizes and boxes are in transposed order there.
fn properties_to_pickle(case: &CaseProperties, cropped: [usize; 3], order: [usize; 3]) -> Value {
    let floats = |values: &[f64]| Value::Tuple(values.iter().map(|value| Value::Float(*value)).collect());
    let sizes = |size: [usize; 3]| Value::Tuple(size.iter().map(|len| Value::Int(*len as i64)).collect());
    let bbox = order.map(|axis| Value::ints(case.crop_bbox[axis]));
    let itk = vec![
        ("spacing", floats(&case.itk.spacing)),
        ("origin", floats(&case.itk.origin)),
        ("direction", floats(&case.itk.direction)),
    ];
    let spacing = case.original_spacing.iter().map(|value| Value::Float(*value)).collect();
    Value::dict(vec![
        ("sitk_stuff", Value::dict(itk)),
        ("spacing", Value::List(spacing)),
        ("shape_before_cropping", sizes(order.map(|axis| case.original_size_of_raw_data[axis]))),
        ("bbox_used_for_cropping", Value::List(bbox.into_iter().collect())),
        ("shape_after_cropping_and_before_resampling", sizes(cropped)),
    ])
}
