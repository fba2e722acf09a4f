//! Checks of v1's plans before they are used.

use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_plugin_core::vocabulary::{Plans, Stage};

use crate::folders::file_names;

/// The longest axis of a patch, in voxels.
const LONGEST_AXIS: usize = 1 << 14;
/// The largest patch, in voxels.
const LARGEST_PATCH: usize = 1 << 30;
/// Label maps have 8 bits.
const CLASSES: RangeInclusive<usize> = 1..=255;
const FEATURES: RangeInclusive<usize> = 1..=4096;
const BATCH: RangeInclusive<usize> = 1..=65_536;
/// Convolutions per stage, and voxels of a kernel or a stride along an axis.
const SMALL: RangeInclusive<usize> = 1..=64;

/// More halvings than any image has voxels for.
const MOST_POOLINGS: usize = 32;
/// The highest order of a spline that resamples.
const LARGEST_ORDER: u32 = 5;

/// Checks that a task has plans, `IDENTIFIER_plans_3D.pkl` or `..._2D.pkl`.
///
/// # Errors
/// Returns an error that names the identifiers of the plans that there are, if the file is not there.
pub fn check_plans_are_there(file: &Path) -> Result<()> {
    if file.is_file() {
        return Ok(());
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let ending = name.rfind("_plans_").map_or("", |at| &name[at..]);
    let files =
        file.parent().map(|folder| file_names(folder, ending).unwrap_or_default()).unwrap_or_default();
    let names: Vec<&str> = files.iter().filter_map(|file| file.strip_suffix(ending)).collect();
    let there = if names.is_empty() { String::new() } else { format!(": there are {}", names.join(", ")) };
    bail!(
        "there are no plans at {}; run nnunet plan_and_preprocess, or name others with -p{there}",
        file.display()
    )
}

/// Checks plans.
///
/// # Errors
/// Returns an error that names the first value that contradicts another, or that no network can have.
pub fn check_plans(plans: &Plans) -> Result<()> {
    let (forward, backward) = (plans.transpose_forward, plans.transpose_backward);
    let undone = (0..3).all(|axis| backward.get(axis).and_then(|at| forward.get(*at)) == Some(&axis));
    ensure!(
        undone,
        "transpose_forward {forward:?} and transpose_backward {backward:?} are not inverse to each other"
    );
    let channels = plans.num_modalities();
    ensure!(channels > 0, "modalities: there is no channel");
    for (name, len) in [
        ("normalization_schemes", plans.normalization_schemes.len()),
        ("use_mask_for_norm", plans.use_mask_for_norm.len()),
    ] {
        ensure!(len == channels, "{name} has {len} entries, and there are {channels} channels");
    }
    within("num_classes", plans.num_classes, &CLASSES)?;
    within("base_num_features", plans.base_num_features, &FEATURES)?;
    plans.conv_per_stage.map_or(Ok(()), |count| within("conv_per_stage", count, &SMALL))?;
    if let Some(export) = &plans.segmentation_export_params {
        let order = export.interpolation_order.max(export.interpolation_order_z);
        ensure!(
            order <= LARGEST_ORDER,
            "interpolation_order is {order}; splines have orders up to {LARGEST_ORDER}"
        );
    }
    ensure!(!plans.plans_per_stage.is_empty(), "plans_per_stage has no stage");
    let mut numbered = plans.plans_per_stage.iter().enumerate();
    numbered.try_for_each(|(i, stage)| check_stage(stage).with_context(|| format!("plans_per_stage {i}")))
}

fn check_stage(stage: &Stage) -> Result<()> {
    let patch = &stage.patch_size;
    ensure!(
        patch.iter().all(|len| (1..=LONGEST_AXIS).contains(len))
            && patch.iter().product::<usize>() <= LARGEST_PATCH,
        "patch_size {patch:?} is not a size of a patch"
    );
    within("batch_size", stage.batch_size, &BATCH)?;
    for (name, spacing) in
        [("current_spacing", stage.current_spacing), ("original_spacing", stage.original_spacing)]
    {
        let is_length = |length: &f64| length.is_finite() && *length > 0.0;
        ensure!(spacing.iter().all(is_length), "{name} {spacing:?} must be positive");
    }
    let (pools, kernels) = (&stage.pool_op_kernel_sizes, &stage.conv_kernel_sizes);
    ensure!(
        !pools.is_empty() && (kernels.len() == pools.len() + 1 || kernels.len() == pools.len()),
        "{} pool_op_kernel_sizes do not go with {} conv_kernel_sizes",
        pools.len(),
        kernels.len()
    );
    ensure!(pools.len() <= MOST_POOLINGS, "{} pool_op_kernel_sizes are too many", pools.len());
    for vector in pools.iter().chain(kernels) {
        ensure!(
            vector.len() == patch.len() && vector.iter().all(|len| SMALL.contains(len)),
            "{vector:?} is not a kernel or a stride for a patch of {} axes",
            patch.len()
        );
    }
    for (axis, len) in patch.iter().enumerate() {
        // At most 64 to the power of 32 would overflow.
        let divisor = pools.iter().try_fold(1_usize, |product, pool| product.checked_mul(pool[axis]));
        ensure!(
            divisor.is_some_and(|divisor| len % divisor == 0),
            "patch_size {patch:?} cannot be halved as often as pool_op_kernel_sizes {pools:?} ask for"
        );
    }
    let blocks = stage.num_blocks_encoder.iter().chain(&stage.num_blocks_decoder).flatten();
    blocks.copied().try_for_each(|count| within("num_blocks", count, &SMALL))
}

fn within(name: &str, value: usize, range: &RangeInclusive<usize>) -> Result<()> {
    ensure!(
        range.contains(&value),
        "{name} is {value}; it must be from {} to {}",
        range.start(),
        range.end()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans() -> Plans {
        let stage = Stage {
            batch_size: 2,
            patch_size: vec![8, 16, 16],
            current_spacing: [1.0; 3],
            original_spacing: [1.0; 3],
            pool_op_kernel_sizes: vec![vec![1, 2, 2]],
            conv_kernel_sizes: vec![vec![3; 3]; 2],
            ..Stage::default()
        };
        Plans {
            modalities: vec!["MRI".to_owned()],
            normalization_schemes: vec!["nonCT".to_owned()],
            use_mask_for_norm: vec![false],
            transpose_forward: [2, 0, 1],
            transpose_backward: [1, 2, 0],
            num_classes: 2,
            base_num_features: 32,
            plans_per_stage: vec![stage],
            ..Plans::default()
        }
    }

    type Change = dyn Fn(&mut Plans);

    #[test]
    fn plans_that_contradict_themselves_are_refused_by_name() {
        check_plans(&plans()).unwrap();
        let message = |change: &dyn Fn(&mut Plans)| {
            let mut changed = plans();
            change(&mut changed);
            check_plans(&changed).err().map(|error| format!("{error:#}")).unwrap_or_default()
        };
        let cases: [(&Change, &str); 10] = [
            (&|plans| plans.transpose_backward = [2, 0, 1], "are not inverse to each other"),
            (&|plans| plans.transpose_forward = [9, 0, 1], "are not inverse to each other"),
            (&|plans| plans.num_classes = usize::MAX, "num_classes is"),
            (&|plans| plans.normalization_schemes.clear(), "normalization_schemes has 0 entries"),
            (
                &|plans| plans.plans_per_stage[0].patch_size = vec![0, 16, 16],
                "plans_per_stage 0: patch_size [0",
            ),
            (&|plans| plans.plans_per_stage[0].current_spacing[1] = f64::NAN, "current_spacing"),
            (&|plans| plans.plans_per_stage[0].batch_size = usize::MAX, "batch_size is"),
            (
                &|plans| plans.plans_per_stage[0].conv_kernel_sizes.clear(),
                "do not go with 0 conv_kernel_sizes",
            ),
            (&|plans| plans.plans_per_stage[0].pool_op_kernel_sizes[0] = vec![1, 3, 2], "cannot be halved"),
            (
                &|plans| plans.plans_per_stage[0].pool_op_kernel_sizes[0] = vec![2, 2],
                "not a kernel or a stride",
            ),
        ];
        for (change, part) in cases {
            let found = message(change);
            assert!(found.contains(part), "{found:?} lacks {part:?}");
        }
    }
}
