//! Cropped cases to network input, for every stage of the plans.

use std::path::Path;

use anyhow::Result;
use ndarray::{Axis, concatenate, s};
use nnunet_formats::npz;
use nnunet_plugin_api::vocabulary::Plans;
use nnunet_preprocessing::{Resolved, Target, class_locations, preprocess};

use super::{TaskFolders, for_each_case};
use crate::{folders, records};

/// Preprocesses all cropped cases of a task for all stages, and copies the ground truths.
///
/// # Errors
/// All cases that cannot be preprocessed, together.
pub fn preprocess_task(preprocessor: &Resolved, plans: &Plans, task: &TaskFolders) -> Result<()> {
    copy_truths(task)?;
    let cases = folders::case_names(&task.cropped);
    for stage in 0..plans.plans_per_stage.len() {
        let folder = task.preprocessed.join(format!("{}_stage{stage}", plans.data_identifier));
        folders::create(&folder)?;
        for_each_case(&format!("preprocessing stage {stage}"), &cases, |case| {
            preprocess_case(preprocessor, plans, stage, &task.cropped.join(case), &folder.join(case))
        })?;
    }
    Ok(())
}

fn copy_truths(task: &TaskFolders) -> Result<()> {
    let (from, to) = (task.cropped.join("gt_segmentations"), task.preprocessed.join("gt_segmentations"));
    folders::create(&to)?;
    for name in folders::file_names(&from, ".nii.gz") {
        super::crop::copy_file(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

fn preprocess_case(
    preprocessor: &Resolved,
    plans: &Plans,
    stage: usize,
    from: &Path,
    to: &Path,
) -> Result<()> {
    let with = |path: &Path, ending: &str| path.with_file_name(format!("{}.{ending}", name_of(path)));
    let array = npz::load_f32(&with(from, "npz"), "data")?;
    let mut properties = records::load(&with(from, "pkl"), records::case_from_pickle)?;
    let channels = array.dim().0 - 1;
    let (data, seg) = (
        array.slice(s![..channels, .., .., ..]).to_owned(),
        array.slice(s![channels, .., .., ..]).to_owned(),
    );
    drop(array);
    let masks =
        properties.use_nonzero_mask_for_norm.clone().unwrap_or_else(|| plans.use_mask_for_norm.clone());
    let target = Target { plans, stage, use_mask_for_norm: &masks };
    let case = preprocess(preprocessor, data, seg, properties.original_spacing, &target)?;
    let (z, y, x) = case.seg.dim();
    properties.size_after_resampling = Some([z, y, x]);
    properties.spacing_after_resampling = Some(case.spacing);
    properties.class_locations = Some(class_locations(case.seg.view(), &plans.all_classes));
    let seg = case.seg.insert_axis(Axis(0));
    npz::save_f32(&with(to, "npz"), "data", concatenate![Axis(0), case.data, seg].view())?;
    // A copy from an earlier run would be trained on instead.
    let stale = with(to, "npy");
    if stale.exists() {
        std::fs::remove_file(&stale)?;
    }
    records::save(&with(to, "pkl"), &records::case_to_pickle(&properties))
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
