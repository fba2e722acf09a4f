//! Validation at the end of a training: every validation case whole, on its original grid.

use std::path::Path;

use anyhow::{Context, Result};
use ndarray::s;
use nnunet_formats::json::{self, Json};
use nnunet_formats::npz;
use nnunet_host::summary::{self, Head, Pair};
use nnunet_host::{export, folders, records, report};
use nnunet_inference::{SlidingWindow, predict, segmentation};
use nnunet_plugin_api::Network;
use nnunet_plugin_api::vocabulary::{Plans, Regions};
use serde_json::json;

use crate::cases;

/// What is validated.
pub(crate) struct Validation<'a> {
    pub(crate) network: &'a dyn Network,
    pub(crate) window: &'a SlidingWindow,
    pub(crate) plans: &'a Plans,
    /// Overlapping regions instead of labels.
    pub(crate) regions: Option<&'a Regions>,
    /// Preprocessed cases.
    pub(crate) data: &'a Path,
    /// Ground truths.
    pub(crate) truths: &'a Path,
    pub(crate) cases: &'a [String],
    pub(crate) output: &'a Path,
    pub(crate) save_npz: bool,
    /// Leave predictions that are there already.
    pub(crate) keep: bool,
    pub(crate) trainer: &'a str,
    pub(crate) task: &'a str,
}

/// Predicts all cases, writes label maps and `summary.json`; returns the mean Dice by label.
pub(crate) fn run(validation: &Validation<'_>) -> Result<summary::MeanDice> {
    folders::create(validation.output)?;
    let bar = report::bar(validation.cases.len(), "validating");
    let mut pairs = Vec::new();
    for case in validation.cases {
        let file = format!("{case}.nii.gz");
        let there = validation.output.join(&file).is_file()
            && (!validation.save_npz || validation.output.join(format!("{case}.npz")).is_file());
        if !(validation.keep && there) {
            predict_case(validation, case).with_context(|| format!("validation of {case}"))?;
        }
        pairs.push(Pair { test: validation.output.join(&file), reference: validation.truths.join(&file) });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let arguments = json!({
        "all_in_gpu": false, "debug": false, "do_mirroring": !validation.window.mirror_axes.is_empty(), "overwrite": !validation.keep,
        "save_softmax": validation.save_npz, "segmentation_export_kwargs": null, "step_size": validation.window.step,
        "use_gaussian": true, "use_sliding_window": true,
        "validation_folder_name": validation.output.file_name().map(|name| name.to_string_lossy()),
    });
    json::save(&validation.output.join("validation_args.json"), &Json::from(arguments))?;
    if let Some(regions) = validation.regions {
        summary::write_regions(&validation.output.join("summary.csv"), &pairs, regions)?;
    }
    let labels: Vec<i64> = (0..=validation.plans.num_classes as i64).collect();
    let name = format!("{} val tiled True", validation.trainer);
    let head = Head { name: &name, task: validation.task, ..Head::default() };
    summary::write(&validation.output.join("summary.json"), &pairs, &labels, &head)
}

fn predict_case(validation: &Validation<'_>, case: &str) -> Result<()> {
    let array = cases::load(validation.data, case)?;
    let properties = cases::properties(validation.data, case)?;
    let channels = array.dim().0 - 1;
    let probabilities =
        predict(validation.network, array.slice(s![..channels, .., .., ..]), validation.window)?;
    let probabilities = nnunet_inference::to_cropped_grid(probabilities, validation.plans, &properties)?;
    if validation.save_npz {
        npz::save_f16(&validation.output.join(format!("{case}.npz")), "softmax", probabilities.view())?;
        records::save(
            &validation.output.join(format!("{case}.pkl")),
            &records::case_of_probabilities_to_pickle(&properties, validation.regions),
        )?;
    }
    export::write_labels(
        &validation.output.join(format!("{case}.nii.gz")),
        segmentation(probabilities.view(), validation.regions).view(),
        &properties,
    )
}
