//! A case before and after the networks of a v1 model (`nnUNet_predict`).

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use ndarray::Array3;
use nnunet_cli::commands::predict::Mode;
use nnunet_data::pipeline::crop_case;
use nnunet_data::{components, export, images, records};
use nnunet_formats::pickle::Value;
use nnunet_formats::{Geometry, atomic};
use nnunet_inference::{ExportResampler, SegmentationHeads};
use nnunet_numerics::resampled_shape;
use nnunet_plugin_api::vocabulary::{CaseProperties, Plans, Regions};
use nnunet_plugin_api::{Postprocessor, TaskHead};
use nnunet_preprocessing::{Resolved, Target, preprocess};

use super::low_resolution::LowResolution;
use super::model::Model;
use crate::case::{Case, FileNaming, PreparedCase, ProbabilityFormat, ResampledData};
use crate::family::{CaseExport, CaseProcessing, LoadRequest};

/// v1's preprocessing and export, for one model.
pub(super) struct V1Processing {
    plans: Plans,
    stage: usize,
    preprocessor: Resolved,
    output_head: SegmentationHeads,
    head: Option<TaskHead>,
    regions: Option<Regions>,
    postprocessor: Option<Box<dyn Postprocessor>>,
    mode: Mode,
    save_probabilities: bool,
    /// Label maps of a cascade's first stage.
    low_resolution: Option<LowResolution>,
}

impl V1Processing {
    pub(super) fn new(model: &Model, request: &LoadRequest<'_>) -> Result<Self> {
        let LoadRequest { folder, args, session, .. } = request;
        let models_own = folder.join("postprocessing.json");
        Ok(Self {
            plans: model.info.plans.clone(),
            stage: model.stage,
            preprocessor: components::preprocessor(&session.registry, &model.info.plans)?,
            output_head: SegmentationHeads::of(model.spec.num_classes, model.info.regions.as_ref()),
            head: model.head.clone(),
            regions: model.info.regions.clone(),
            postprocessor: args.postprocessing.or_models(&models_own, session, &args.output)?,
            mode: args.mode,
            save_probabilities: args.save_npz,
            low_resolution: model.is_second_stage().then(|| LowResolution::new(args)).transpose()?,
        })
    }
}

impl CaseProcessing for V1Processing {
    fn file_naming(&self, _input: &Path) -> FileNaming {
        FileNaming {
            files_per_case: self.plans.num_modalities(),
            input_ending: None,
            output_ending: images::DEFAULT_ENDING.to_owned(),
        }
    }

    fn network_size(&self, image: &Geometry) -> [usize; 3] {
        let order = self.plans.transpose_forward;
        let (size, spacing) = (image.size_zyx(), image.spacing_zyx());
        let (size, spacing) = (order.map(|axis| size[axis]), order.map(|axis| spacing[axis]));
        let mut target = self.plans.plans_per_stage[self.stage].current_spacing;
        if self.preprocessor.settings.keep_first_axis_spacing {
            target[0] = spacing[0];
        }
        if self.preprocessor.keeps_spacing() { size } else { resampled_shape(size, spacing, target) }
    }

    fn needs_whole_volume(&self) -> bool {
        self.plans.segmentation_export_params.is_some_and(|export| export.interpolation_order > 1)
    }

    fn write_model_files(&self, output: &Path) -> Result<()> {
        records::save(&output.join("plans.pkl"), &records::plans_to_pickle(&self.plans))
    }

    fn preprocess(&self, which: &Case) -> Result<PreparedCase> {
        let (cropped, mut properties) = crop_case(&which.images, None)?;
        let plans = &self.plans;
        let target = Target { plans, stage: self.stage, use_mask_for_norm: &plans.use_mask_for_norm };
        let spacing = properties.original_spacing;
        let mut case = preprocess(&self.preprocessor, cropped.data, cropped.seg, spacing, &target)?;
        let (z, y, x) = case.seg.dim();
        properties.size_after_resampling = Some([z, y, x]);
        properties.spacing_after_resampling = Some(case.spacing);
        if let Some(low_resolution) = &self.low_resolution {
            case.data = low_resolution.append(which, case.data.view(), &properties, plans)?;
        }
        let resampler = ExportResampler::of_v1(plans, &properties)?;
        Ok(PreparedCase { image: case.data, properties, resampler })
    }

    fn finish(&self, output: &Path, elapsed: Duration) -> Result<()> {
        let seconds = elapsed.as_secs_f64().to_string();
        Ok(atomic::write_bytes(&output.join("prediction_time.txt"), seconds.as_bytes())?)
    }
}

impl CaseExport for V1Processing {
    fn output_head(&self) -> &SegmentationHeads {
        &self.output_head
    }

    fn head(&self) -> Option<&TaskHead> {
        self.head.as_ref()
    }

    fn resampled_data(&self) -> ResampledData {
        match self.mode {
            Mode::Normal => ResampledData::Scores,
            Mode::Fast => ResampledData::Labels { nearest: false },
            Mode::Fastest => ResampledData::Labels { nearest: true },
        }
    }

    fn probability_format(&self) -> Option<ProbabilityFormat> {
        self.save_probabilities.then_some(ProbabilityFormat::Cropped)
    }

    fn probability_properties(&self, case: &CaseProperties) -> Result<Value> {
        Ok(records::case_of_probabilities_to_pickle(case, self.regions.as_ref()))
    }

    fn write_labels(&self, labels: Array3<u16>, case: &CaseProperties, output: &Path) -> Result<()> {
        let labels = export::postprocessed(export::narrow(labels)?, case, self.postprocessor.as_deref())?;
        export::write_labels(output, labels.view(), case)
    }
}
