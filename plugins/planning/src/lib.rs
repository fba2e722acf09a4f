//! nnU-Net's planners: from the fingerprint of a data set to plans (v1 `experiment_planning`).
//!
//! [`make_plans`] is the procedure; a planner provides its settings ([`PlannerSettings`]) and, where settings are not
//! enough, hooks. Those of v1 are registered by their class names.

mod grid;
mod planners;
mod resolve;
mod spacing;
mod stage;
mod topology;
pub mod v2;
mod vram;

pub use nnunet_plugin_core::PlannerSettings;
pub use resolve::{Lookup, Resolved, resolve};
pub use topology::{PoolAndConv, pool_and_conv_props, pool_and_conv_props_pool_late, pool_and_conv_props_v2};
pub use vram::{generic_unet_vram, residual_unet_vram};

use nnunet_numerics::stats::median_f64;
use nnunet_plugin_core::Result;
use nnunet_plugin_core::vocabulary::{Fingerprint, Plans, Stage};

use crate::grid::{Grid, voxels};

/// If cropping leaves less than this fraction of the volume, intensities are normalized inside the nonzero mask.
const MASK_NORM_REDUCTION: f64 = 0.75;

/// Location of the data to plan for.
#[derive(Debug, Clone, Default)]
pub struct DataPaths {
    /// Cropped cases, sorted.
    pub list_of_npz_files: Vec<String>,
    /// Folder of the preprocessed task.
    pub preprocessed_data_folder: String,
}

/// Plans for a data set.
///
/// # Errors
/// Returns the error of a planner's hook, or an error if no patch fits into memory.
pub fn make_plans(planner: &Resolved, fingerprint: &Fingerprint, paths: &DataPaths) -> Result<Plans> {
    let settings = &planner.settings;
    let target = match planner.target_spacing(fingerprint)? {
        Some(spacing) => spacing,
        None => settings.target_spacing.unwrap_or_else(|| spacing::target_spacing(settings, fingerprint)),
    };
    let (transpose_forward, transpose_backward) = transposes(target);
    let shape = median_shape(fingerprint, target);
    let transposed =
        Grid { spacing: permute(target, transpose_forward), shape: permute(shape, transpose_forward) };
    let mut plans = Plans {
        modalities: fingerprint.modalities.clone(),
        normalization_schemes: fingerprint.modalities.iter().map(|name| scheme(settings, name)).collect(),
        dataset_properties: fingerprint.clone(),
        list_of_npz_files: paths.list_of_npz_files.clone(),
        preprocessed_data_folder: paths.preprocessed_data_folder.clone(),
        num_classes: fingerprint.all_classes.len(),
        all_classes: fingerprint.all_classes.clone(),
        base_num_features: settings.base_num_features,
        use_mask_for_norm: use_mask_for_norm(fingerprint),
        transpose_forward,
        transpose_backward,
        data_identifier: settings.data_identifier.clone(),
        plans_per_stage: stages(settings, fingerprint, &transposed)?,
        preprocessor_name: settings.preprocessor.clone(),
        conv_per_stage: settings.store_conv_per_stage.then_some(settings.conv_per_stage),
        segmentation_export_params: settings.segmentation_export_params,
    };
    planner.chain.iter().try_for_each(|planner| planner.finish(&mut plans))?;
    Ok(plans)
}

fn stages(settings: &PlannerSettings, fingerprint: &Fingerprint, grid: &Grid) -> Result<Vec<Stage>> {
    let data = stage::DataSet::of(fingerprint);
    if settings.dimensions == 2 {
        return Ok(vec![stage::plan_2d(settings, &data, grid)?]);
    }
    let full = stage::plan_3d(settings, &data, grid.spacing, grid)?;
    let sees = grid.shape.iter().product::<f64>() / voxels(&full.patch_size);
    if !settings.lowres || sees < settings.lowres_threshold {
        return Ok(vec![full]);
    }
    let low = stage::plan_lowres(settings, &data, grid, &full)?;
    let median = |stage: &Stage| voxels(&stage.median_patient_size_in_voxels);
    Ok(if 2.0 * median(&low) < median(&full) { vec![low, full] } else { vec![full] })
}

/// Per-axis median of the resampled sizes, unrounded.
fn median_shape(fingerprint: &Fingerprint, target: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        let cases = fingerprint.all_sizes.iter().zip(&fingerprint.all_spacings);
        let sizes: Vec<f64> =
            cases.map(|(size, spacing)| spacing[axis] / target[axis] * size[axis] as f64).collect();
        median_f64(&sizes)
    })
}

/// Axis order: the axis with the largest spacing comes first.
pub(crate) fn transposes(target: [f64; 3]) -> ([usize; 3], [usize; 3]) {
    let worst = spacing::first_largest(target);
    let others: Vec<usize> = (0..3).filter(|axis| *axis != worst).collect();
    let forward = [worst, others[0], others[1]];
    let backward = std::array::from_fn(|axis| forward.iter().position(|from| *from == axis).unwrap_or(axis));
    (forward, backward)
}

pub(crate) fn permute(values: [f64; 3], order: [usize; 3]) -> [f64; 3] {
    order.map(|axis| values[axis])
}

fn scheme(settings: &PlannerSettings, modality: &str) -> String {
    if let Some(fixed) = &settings.normalization {
        return fixed.clone();
    }
    match modality {
        "CT" | "ct" => settings.ct_normalization.clone(),
        "noNorm" => "noNorm".to_owned(),
        _ => "nonCT".to_owned(),
    }
}

/// CT is never normalized inside the mask only; other modalities are if cropping removed more than a quarter of the
/// median case.
fn use_mask_for_norm(fingerprint: &Fingerprint) -> Vec<bool> {
    let reductions: Vec<f64> = fingerprint.size_reductions.iter().map(|(_, reduction)| *reduction).collect();
    let cropped = median_f64(&reductions) < MASK_NORM_REDUCTION;
    fingerprint.modalities.iter().map(|name| !name.contains("CT") && cropped).collect()
}
