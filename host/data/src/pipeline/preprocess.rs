//! Cropped cases to network input, for every stage of the plans.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_formats::npz;
use nnunet_numerics::resampled_shape;
use nnunet_plugin_core::vocabulary::{CaseProperties, Plans};
use nnunet_preprocessing::{Resolved, Target, class_locations, preprocess};

use super::cache_key::{CaseFiles, Key, KeyBuilder, remove};
use super::parallel::{CaseStep, Limits, for_each_case};
use super::part::Part;
use super::references::copy_references;
use super::sizes::{f32_bytes, voxels};
use super::task_folders::TaskFolders;
use crate::{folders, records};

/// How the cases of a task are preprocessed.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// The plans.
    pub plans: &'a Plans,
    /// The preprocessor they name.
    pub preprocessor: &'a Resolved,
    /// Shared libraries the preprocessor comes from; a case is made again when they change.
    pub libraries: &'a [PathBuf],
    /// Use the data as it is when it was made for other plans.
    pub shares_data: bool,
    /// The cases.
    pub part: Part,
}

/// Preprocesses the cropped cases of a part of a task for all stages, and copies the reference segmentations. `limits` are given by stage.
/// Cases that would come out the same are kept.
///
/// # Errors
/// Returns one error that lists all cases that cannot be preprocessed.
pub fn preprocess_task(
    recipe: &Recipe<'_>,
    task: &TaskFolders,
    limits: impl Fn(usize) -> Limits,
) -> Result<()> {
    let references = task.preprocessed.join("gt_segmentations");
    let part = recipe.part;
    part.sweep(&task.preprocessed)?;
    part.sweep(&references)?;
    copy_references(&task.cropped.join("gt_segmentations"), &references)?;
    let all = folders::case_names(&task.cropped)?;
    let cases = part.of(&all);
    for stage in 0..recipe.plans.plans_per_stage.len() {
        let folder = task.preprocessed.join(format!("{}_stage{stage}", recipe.plans.data_identifier));
        if recipe.shares_data && folders::case_names(&folder).is_ok_and(|there| there == all) {
            tracing::info!("using the data in {}", folder.display());
            continue;
        }
        part.sweep(&folder)?;
        let settings = settings_key(recipe, stage)?;
        let step = Stage { recipe, index: stage, settings, cropped: &task.cropped, folder: &folder };
        for_each_case(&step, &cases, limits(stage))?;
    }
    Ok(())
}

/// All settings that a preprocessed case depends on.
fn settings_key(recipe: &Recipe<'_>, stage: usize) -> Result<String> {
    let Recipe { plans, preprocessor, .. } = recipe;
    let intensities = plans.dataset_properties.intensity_properties.as_ref();
    let relevant = serde_json::json!({
        "preprocessor": plans.preprocessor_name,
        "settings": preprocessor.settings,
        "spacing": plans.plans_per_stage[stage].current_spacing,
        "transpose": plans.transpose_forward,
        "schemes": plans.normalization_schemes,
        "masks": plans.use_mask_for_norm,
        "classes": plans.all_classes,
        "intensities": intensities.map(|all| all.iter().map(|channel| channel.global).collect::<Vec<_>>()),
    });
    let libraries = recipe.libraries.iter().try_fold(KeyBuilder::new(), |key, path| key.file(path))?;
    Ok(format!("{relevant}{:?}", libraries.finish()))
}

/// Preprocesses a case for one stage of the plans.
struct Stage<'a> {
    recipe: &'a Recipe<'a>,
    index: usize,
    settings: String,
    cropped: &'a Path,
    folder: &'a Path,
}

impl CaseStep for Stage<'_> {
    type Output = ();

    fn name(&self) -> String {
        format!("preprocessing stage {}", self.index)
    }

    fn memory(&self, case: &str) -> u64 {
        self.estimate(&CaseFiles::new(self.cropped, case))
    }

    fn run(&self, case: &str) -> Result<()> {
        self.preprocess(&CaseFiles::new(self.cropped, case), &CaseFiles::new(self.folder, case))
    }
}

impl Stage<'_> {
    fn preprocess(&self, from: &CaseFiles, to: &CaseFiles) -> Result<()> {
        let plans = self.recipe.plans;
        let key = self.key(from)?;
        if to.is_current(&key) {
            return Ok(());
        }
        let mut properties = records::load(&from.pkl, records::case_from_pickle)?;
        let (data, seg) = npz::load_case(&from.npz)?;
        let target = Target { plans, stage: self.index, use_mask_for_norm: &plans.use_mask_for_norm };
        let case = preprocess(self.recipe.preprocessor, data, seg, properties.original_spacing, &target)?;
        let (z, y, x) = case.seg.dim();
        properties.size_after_resampling = Some([z, y, x]);
        properties.spacing_after_resampling = Some(case.spacing);
        properties.class_locations = Some(class_locations(case.seg.view(), &plans.all_classes));
        to.begin(&key)?;
        // An unpacked copy from an earlier run would be trained on instead.
        remove(&to.npz.with_extension("npy"))?;
        npz::save_case(&to.npz, case.data.view(), case.seg.view())?;
        records::save(&to.pkl, &records::case_to_pickle(&properties))
    }

    fn key(&self, from: &CaseFiles) -> Result<Key> {
        let properties = records::load(&from.pkl, records::case_from_pickle)?;
        let spacing = format!("{:?}", properties.original_spacing);
        Ok(KeyBuilder::new().file(&from.npz)?.text(&spacing).text(&self.settings).finish())
    }

    /// The cropped case twice, and its resampled form with as much again for the passes over it.
    fn estimate(&self, from: &CaseFiles) -> u64 {
        records::load(&from.pkl, records::case_from_pickle).map_or(0, |properties| {
            let channels = properties.list_of_data_files.len() as u64;
            let (before, after) =
                (voxels(properties.size_after_cropping), voxels(self.size_after(&properties)));
            f32_bytes(before) * 2 * (channels + 1)
                + f32_bytes(after) * (channels + 1)
                + f32_bytes(before.max(after)) * 2
        })
    }

    /// About the size after resampling; preprocessors with rules of their own may differ.
    fn size_after(&self, case: &CaseProperties) -> [usize; 3] {
        let plans = self.recipe.plans;
        if self.recipe.preprocessor.keeps_spacing() {
            return case.size_after_cropping;
        }
        let order = plans.transpose_forward;
        let mut target = plans.plans_per_stage[self.index].current_spacing;
        if self.recipe.preprocessor.settings.keep_first_axis_spacing {
            target[0] = case.original_spacing[order[0]];
        }
        let transposed = |axis: usize| case.original_spacing[axis];
        resampled_shape(order.map(|axis| case.size_after_cropping[axis]), order.map(transposed), target)
    }
}
