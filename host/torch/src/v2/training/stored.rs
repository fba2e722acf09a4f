//! Preprocessed cases with what v2 keeps of them, predicted and written as label maps of the raw images.

use std::path::Path;

use anyhow::{Context, Result};
use ndarray::{Array3, Array4, ArrayView3};
use nnunet_data::export;
use nnunet_data::v2::{is_wide, load_case};
use nnunet_formats::pickle::{self, Value};
use nnunet_inference::{ExportResampler, SegmentationHeads, paste};
use nnunet_plugin_api::TaskHead;
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::vocabulary::CaseProperties;

use super::job::Job;
use super::next_stage::with_previous;
use crate::case::{PreparedCase, ProbabilityFormat};
use crate::family::CaseExport;
use crate::v2::preprocess::Grids;
use crate::v2::scores::ScoreRules;

/// A preprocessed case.
pub(super) struct Stored<'a> {
    job: &'a Job<'a>,
    head: Option<&'a TaskHead>,
    /// What v2 keeps of the case.
    kept: Value,
    save_probabilities: bool,
}

impl<'a> Stored<'a> {
    /// Reads a case; in a cascade the previous stage's labels become channels.
    pub(super) fn load(
        job: &'a Job<'_>,
        head: Option<&'a TaskHead>,
        name: &str,
        save_probabilities: bool,
    ) -> Result<(Self, PreparedCase)> {
        let (image, _) = load_case(&job.data, name)?;
        let path = job.data.join(format!("{name}.pkl"));
        let kept = pickle::load(&path)?;
        let order = job.plans.transpose_forward;
        let properties = properties(&kept, order).with_context(|| path.display().to_string())?;
        let image = match &job.previous {
            Some(folder) => with_previous(image, folder, name, job.dataset.foreground_labels())?,
            None => image,
        };
        let (_, z, y, x) = image.dim();
        let spacing = order.map(|axis| properties.original_spacing[axis]);
        let grids = Grids {
            network: [z, y, x],
            cropped: order.map(|axis| properties.size_after_cropping[axis]),
            spacing,
            target: job.configuration.target(spacing),
        };
        let resampler = grids.resampler(&job.plans, &job.resampling);
        Ok((Self { job, head, kept, save_probabilities }, PreparedCase { image, properties, resampler }))
    }

    fn rules(&self) -> ScoreRules<'_> {
        ScoreRules {
            order: self.job.plans.transpose_forward,
            resampling: &self.job.resampling,
            configuration: &self.job.configuration,
            heads: &self.job.heads,
            head: self.head,
            probabilities: self.save_probabilities,
        }
    }
}

/// The properties that a label map of the raw image needs; sizes and boxes are kept in transposed order.
fn properties(kept: &Value, order: [usize; 3]) -> Result<CaseProperties> {
    let missing = |key: &str| format!("the key {key} is missing, or is no list of three");
    let sizes = |key: &str| -> Result<[usize; 3]> {
        let values = kept.get(key).and_then(Value::to_usize_vec).and_then(|values| values.try_into().ok());
        values.with_context(|| missing(key))
    };
    let spacing = kept.get("spacing").and_then(Value::to_f64_vec).and_then(|values| values.try_into().ok());
    let boxes = kept.get("bbox_used_for_cropping").and_then(Value::items).filter(|axes| axes.len() == 3);
    let boxes = boxes.with_context(|| missing("bbox_used_for_cropping"))?;
    let mut raw = CaseProperties {
        original_spacing: spacing.with_context(|| missing("spacing"))?,
        ..CaseProperties::default()
    };
    let (before, after) =
        (sizes("shape_before_cropping")?, sizes("shape_after_cropping_and_before_resampling")?);
    for (stored, axis) in order.into_iter().enumerate() {
        let range = boxes[stored].to_usize_vec().and_then(|range| range.try_into().ok());
        raw.crop_bbox[axis] = range.with_context(|| missing("bbox_used_for_cropping"))?;
        raw.original_size_of_raw_data[axis] = before[stored];
        raw.size_after_cropping[axis] = after[stored];
    }
    Ok(raw)
}

impl CaseExport for Stored<'_> {
    fn output_head(&self) -> &SegmentationHeads {
        &self.job.heads
    }

    fn head(&self) -> Option<&TaskHead> {
        self.head
    }

    fn probability_format(&self) -> Option<ProbabilityFormat> {
        self.save_probabilities.then_some(ProbabilityFormat::WholeImage)
    }

    fn resamples_by_component(&self) -> bool {
        self.job.resampling.is_by_component()
    }

    fn resample_class(
        &self,
        class: ArrayView3<'_, f32>,
        grids: &ExportResampler,
        case: &CaseProperties,
    ) -> Result<Array3<f32>> {
        self.rules().resample_class(class, grids, case)
    }

    fn finish_scores(&self, scores: &mut Array4<f32>, resampled: bool) -> Result<()> {
        self.rules().finish(scores, resampled)
    }

    fn finish_score_tensor(&self, scores: Tensor, resampled: bool) -> nnunet_plugin_api::Result<Tensor> {
        self.rules().finish_tensor(scores, resampled)
    }

    fn probability_properties(&self, _case: &CaseProperties) -> Result<Value> {
        Ok(self.kept.clone())
    }

    fn write_labels(&self, labels: Array3<u16>, case: &CaseProperties, output: &Path) -> Result<()> {
        let reader = self.job.plans.reader;
        if is_wide(&self.job.heads) {
            return reader.write_kept(output, paste(labels.view(), case).view(), &self.kept);
        }
        let labels = export::narrow(labels)?;
        reader.write_kept(output, paste(labels.view(), case).view(), &self.kept)
    }

    fn write_values(&self, values: Array3<f32>, case: &CaseProperties, output: &Path) -> Result<()> {
        self.job.plans.reader.write_kept(output, paste(values.view(), case).view(), &self.kept)
    }
}
