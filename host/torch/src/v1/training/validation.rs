//! Validation at the end of a training: every validation case whole, on its original grid.

use std::path::Path;

use anyhow::{Context, Result};
use ndarray::{Array3, s};
use nnunet_cli::report;
use nnunet_data::summary::{self, Head, Pair};
use nnunet_data::{export, folders, records};
use nnunet_formats::json::{self, Json};
use nnunet_formats::pickle::Value;
use nnunet_inference::{ExportResampler, SegmentationHeads, SlidingWindow, to_tensor};
use nnunet_plugin_api::vocabulary::{CaseProperties, Plans, Regions};
use nnunet_plugin_api::{Error as ComponentError, TaskHead};
use serde_json::json;

use crate::cascade::network_input;
use crate::case::{Case, PreparedCase, ProbabilityFormat};
use crate::case_inference::CaseInference;
use crate::export::{Export, Places};
use crate::family::CaseExport;
use crate::on_device::OnDevice;
use crate::v1::{preprocessed_cases, second_stage};

/// What is validated.
pub(crate) struct Validation<'a> {
    /// How cases are predicted.
    pub(crate) inference: &'a CaseInference<'a>,
    pub(crate) window: &'a SlidingWindow,
    /// What lies on the GPU; none on the CPU.
    pub(crate) on_device: Option<OnDevice>,
    pub(crate) plans: &'a Plans,
    /// What the outputs mean, if the trainer names a head.
    pub(crate) head: Option<&'a TaskHead>,
    /// Overlapping regions instead of labels.
    pub(crate) regions: Option<&'a Regions>,
    /// Preprocessed cases.
    pub(crate) data: &'a Path,
    /// In a cascade: the first stage's labels.
    pub(crate) previous: Option<&'a Path>,
    /// Folder of the reference segmentations.
    pub(crate) references: &'a Path,
    pub(crate) cases: &'a [String],
    pub(crate) output: &'a Path,
    pub(crate) save_npz: bool,
    /// Leave predictions that are there already.
    pub(crate) keep: bool,
    pub(crate) trainer: &'a str,
    pub(crate) task: &'a str,
    /// A line of the log.
    pub(crate) log: &'a dyn Fn(&str),
    /// Asked before every case.
    pub(crate) stopped: fn() -> bool,
}

/// Predicts all cases, writes label maps and `summary.json`; returns the mean Dice by label, or none when
/// the user stopped it.
pub(crate) fn run(validation: &Validation<'_>) -> Result<Option<summary::MeanDice>> {
    folders::create(validation.output)?;
    let bar = report::bar(validation.cases.len(), "validating");
    let mut pairs = Vec::new();
    for case in validation.cases {
        if (validation.stopped)() {
            return Ok(None);
        }
        let file = format!("{case}.nii.gz");
        let there = validation.output.join(&file).is_file()
            && (!validation.save_npz || validation.output.join(format!("{case}.npz")).is_file());
        if !(validation.keep && there) {
            predict_case(validation, case).with_context(|| format!("validation of {case}"))?;
        }
        pairs
            .push(Pair { test: validation.output.join(&file), reference: validation.references.join(&file) });
        bar.inc(1);
    }
    bar.finish_and_clear();
    (validation.log)("finished prediction");
    let arguments = json!({
        "all_in_gpu": false, "debug": false, "do_mirroring": !validation.window.mirror_axes.is_empty(), "overwrite": !validation.keep,
        "save_softmax": validation.save_npz, "segmentation_export_kwargs": null, "step_size": validation.window.step,
        "use_gaussian": true, "use_sliding_window": true,
        "validation_folder_name": validation.output.file_name().map(|name| name.to_string_lossy()),
    });
    json::save(&validation.output.join("validation_args.json"), &Json::from(arguments))?;
    if validation.head.is_some_and(|head| !head.writes_labels()) {
        // Their metric is that of the epochs.
        return Ok(Some(summary::MeanDice::new()));
    }
    (validation.log)("evaluation of raw predictions");
    if let Some(regions) = validation.regions {
        summary::write_regions(&validation.output.join("summary.csv"), &pairs, regions)?;
    }
    let labels: Vec<i64> = (0..=validation.plans.num_classes as i64).collect();
    let name = format!("{} val tiled True", validation.trainer);
    let head = Head { name: &name, task: validation.task, ..Head::default() };
    summary::write(&validation.output.join("summary.json"), &pairs, &labels, &head).map(Some)
}

fn predict_case(validation: &Validation<'_>, name: &str) -> Result<()> {
    let output = validation.output;
    let case =
        Case { name: name.to_owned(), images: Vec::new(), output: output.join(format!("{name}.nii.gz")) };
    let stored = Stored {
        plans: validation.plans,
        data: validation.data,
        previous: validation.previous,
        output_head: SegmentationHeads::of(validation.window.num_classes, validation.regions),
        head: validation.head,
        regions: validation.regions,
        save_probabilities: validation.save_npz,
    };
    let PreparedCase { image, properties, resampler } = stored.prepare(&case)?;
    let image = to_tensor(image.view())?;
    let places = Places {
        storage: &validation.window.folds,
        volumes_on_device: validation.on_device.is_some_and(|plan| plan.volumes),
        folder: output,
    };
    let mut export = Export::new(&stored, resampler, &properties, places)?;
    validation.inference.run(name, &image, &mut |first, rows| {
        export.push(first, &rows).map_err(|error| ComponentError::message(format!("{error:#}")))
    })?;
    export.finish(&properties, &case)
}

/// Preprocessed cases of the training, exported as v1 does.
struct Stored<'a> {
    plans: &'a Plans,
    data: &'a Path,
    previous: Option<&'a Path>,
    output_head: SegmentationHeads,
    head: Option<&'a TaskHead>,
    regions: Option<&'a Regions>,
    save_probabilities: bool,
}

impl Stored<'_> {
    fn prepare(&self, case: &Case) -> Result<PreparedCase> {
        let array = preprocessed_cases::load(self.data, &case.name)?;
        let mut properties = preprocessed_cases::properties(self.data, &case.name)?;
        let (channels, z, y, x) = array.dim();
        properties.size_after_resampling = Some([z, y, x]);
        let resampler = ExportResampler::of_v1(self.plans, &properties)?;
        let mut image = array.slice_move(s![..channels - 1, .., .., ..]);
        if let Some(folder) = self.previous {
            let labels = second_stage::load(folder, &case.name)?.mapv(f32::from);
            image = network_input(image.view(), &labels, self.plans.num_classes)?;
        }
        Ok(PreparedCase { image, properties, resampler })
    }
}

impl CaseExport for Stored<'_> {
    fn output_head(&self) -> &SegmentationHeads {
        &self.output_head
    }

    fn head(&self) -> Option<&TaskHead> {
        self.head
    }

    fn probability_format(&self) -> Option<ProbabilityFormat> {
        self.save_probabilities.then_some(ProbabilityFormat::Cropped)
    }

    fn probability_properties(&self, case: &CaseProperties) -> Result<Value> {
        Ok(records::case_of_probabilities_to_pickle(case, self.regions))
    }

    fn write_labels(&self, labels: Array3<u16>, case: &CaseProperties, output: &Path) -> Result<()> {
        export::write_labels(output, export::narrow(labels)?.view(), case)
    }
}
