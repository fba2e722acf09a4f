//! A case before and after the networks of a v2 model (`nnUNetv2_predict_from_modelfolder`).

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use ndarray::{Array3, Array4, ArrayView3};
use nnunet_data::export;
use nnunet_data::folders::copy_file;
use nnunet_data::v2::{self, Dataset, properties_to_pickle};
use nnunet_formats::Geometry;
use nnunet_formats::pickle::Value;
use nnunet_inference::{ExportResampler, SegmentationHeads, paste};
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::vocabulary::CaseProperties;
use nnunet_plugin_api::{Postprocessor, TaskHead, target_shape};
use nnunet_preprocessing::Normalizations;

use super::first_stage::FirstStageLabels;
use super::plans::{Configuration, Plans};
use super::preprocess;
use super::resampling::Resampling;
use super::scores::ScoreRules;
use crate::case::{Case, FileNaming, PreparedCase, ProbabilityFormat};
use crate::family::{CaseExport, CaseProcessing};

/// v2's preprocessing and export, for one model.
pub(super) struct V2Processing {
    /// The model's folder.
    pub(super) folder: PathBuf,
    pub(super) plans: Plans,
    pub(super) dataset: Dataset,
    pub(super) configuration: Configuration,
    pub(super) output_head: SegmentationHeads,
    pub(super) head: Option<TaskHead>,
    pub(super) normalizations: Normalizations,
    pub(super) resampling: Resampling,
    /// Label maps of a cascade's first stage.
    pub(super) first_stage: Option<FirstStageLabels>,
    pub(super) save_probabilities: bool,
    pub(super) postprocessor: Option<Box<dyn Postprocessor>>,
}

impl V2Processing {
    fn rules(&self) -> ScoreRules<'_> {
        ScoreRules {
            order: self.plans.transpose_forward,
            configuration: &self.configuration,
            resampling: &self.resampling,
            heads: &self.output_head,
            head: self.head.as_ref(),
            probabilities: self.save_probabilities,
        }
    }
}

impl CaseProcessing for V2Processing {
    fn file_naming(&self, input: &Path) -> FileNaming {
        let ending = &self.dataset.file_ending;
        FileNaming {
            files_per_case: self.plans.reader.files(input, ending, self.dataset.channel_names.len()),
            input_ending: Some(ending.clone()),
            output_ending: ending.clone(),
        }
    }

    fn as_read(&self, file: &Geometry) -> Geometry {
        self.plans.reader.geometry(file)
    }

    fn network_size(&self, image: &Geometry) -> [usize; 3] {
        let order = self.plans.transpose_forward;
        let case = self.as_read(image);
        let (size, spacing) = (case.size_zyx(), case.spacing_zyx());
        let spacing = order.map(|axis| spacing[axis]);
        let target = self.configuration.target(spacing);
        target_shape(&*self.resampling.inputs.data, order.map(|axis| size[axis]), spacing, target)
    }

    fn needs_whole_volume(&self) -> bool {
        self.resampling.needs_whole_volume()
    }

    fn write_model_files(&self, output: &Path) -> Result<()> {
        ["plans.json", "dataset.json"]
            .into_iter()
            .try_for_each(|name| copy_file(&self.folder.join(name), &output.join(name)))
    }

    fn preprocess(&self, case: &Case) -> Result<PreparedCase> {
        let first_stage = self.first_stage.as_ref();
        let labels = first_stage.map(|labels| labels.file(case)).transpose()?;
        let (cropped, properties) = self.plans.reader.read(&case.images, labels.as_deref())?.crop_or_keep();
        let labels = first_stage.map(|labels| labels.count);
        let case = preprocess::Case::new(
            cropped,
            &properties,
            &self.plans,
            &self.configuration,
            (&self.normalizations, &self.resampling),
            labels,
        )?;
        let resampler = case.resampler(&self.plans, &self.resampling);
        Ok(PreparedCase { resampler, image: case.image, properties })
    }
}

impl CaseExport for V2Processing {
    fn output_head(&self) -> &SegmentationHeads {
        &self.output_head
    }

    fn head(&self) -> Option<&TaskHead> {
        self.head.as_ref()
    }

    fn probability_format(&self) -> Option<ProbabilityFormat> {
        self.save_probabilities.then_some(ProbabilityFormat::WholeImage)
    }

    fn resamples_by_component(&self) -> bool {
        self.resampling.is_by_component()
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

    fn probability_properties(&self, case: &CaseProperties) -> Result<Value> {
        properties_to_pickle(case, self.plans.transpose_forward, self.plans.reader)
    }

    fn write_labels(&self, labels: Array3<u16>, case: &CaseProperties, output: &Path) -> Result<()> {
        if v2::is_wide(&self.output_head) {
            ensure!(
                self.postprocessor.is_none(),
                "postprocessors treat label maps of 8 bits, and this model has {} labels; predict without -pp",
                self.output_head.count()
            );
            return self.plans.reader.write(output, paste(labels.view(), case).view(), case);
        }
        let labels = export::postprocessed(export::narrow(labels)?, case, self.postprocessor.as_deref())?;
        self.plans.reader.write(output, paste(labels.view(), case).view(), case)
    }

    fn write_values(&self, values: Array3<f32>, case: &CaseProperties, output: &Path) -> Result<()> {
        self.plans.reader.write(output, paste(values.view(), case).view(), case)
    }
}
