//! `*_plans_2D.pkl` and `*_plans_3D.pkl`.

use anyhow::{Result, bail};
use nnunet_formats::pickle::{DType, Value};
use nnunet_plugin_core::vocabulary::{Plans, SegmentationExport, Stage};

use super::{
    by_number, f64x3, field, fingerprint_from_pickle, fingerprint_to_pickle, get, int_tuple, numbered,
    optional, usizex3,
};

/// v1's plans.
#[must_use]
pub fn plans_to_pickle(plans: &Plans) -> Value {
    let fingerprint = &plans.dataset_properties;
    let texts = |values: &[String]| numbered(values.iter().map(Value::str));
    let mut entries = vec![
        ("num_stages", Value::Int(plans.plans_per_stage.len() as i64)),
        ("num_modalities", Value::Int(plans.modalities.len() as i64)),
        ("modalities", Value::Dict(texts(&plans.modalities))),
        ("normalization_schemes", Value::OrderedDict(texts(&plans.normalization_schemes))),
        ("dataset_properties", fingerprint_to_pickle(fingerprint)),
        ("list_of_npz_files", Value::List(plans.list_of_npz_files.iter().map(Value::str).collect())),
        (
            "original_spacings",
            Value::List(fingerprint.all_spacings.iter().map(|s| Value::f64_array(*s)).collect()),
        ),
        ("original_sizes", Value::List(fingerprint.all_sizes.iter().map(|size| int_tuple(*size)).collect())),
        ("preprocessed_data_folder", Value::str(&plans.preprocessed_data_folder)),
        ("num_classes", Value::Int(plans.num_classes as i64)),
        ("all_classes", Value::List(plans.all_classes.iter().map(|class| Value::Int(*class)).collect())),
        ("base_num_features", Value::Int(plans.base_num_features as i64)),
        ("use_mask_for_norm", bools(&plans.use_mask_for_norm)),
        ("keep_only_largest_region", Value::None),
        ("min_region_size_per_class", Value::None),
        ("min_size_per_class", Value::None),
        ("transpose_forward", Value::ints(plans.transpose_forward)),
        ("transpose_backward", Value::ints(plans.transpose_backward)),
        ("data_identifier", Value::str(&plans.data_identifier)),
        ("plans_per_stage", Value::Dict(numbered(plans.plans_per_stage.iter().map(stage_to_pickle)))),
        ("preprocessor_name", Value::str(&plans.preprocessor_name)),
    ];
    if let Some(convolutions) = plans.conv_per_stage {
        entries.push(("conv_per_stage", Value::Int(convolutions as i64)));
    }
    if let Some(export) = &plans.segmentation_export_params {
        entries.push(("segmentation_export_params", export_to_pickle(export)));
    }
    Value::dict(entries)
}

/// `OrderedDict` of booleans by channel.
pub(super) fn bools(values: &[bool]) -> Value {
    Value::OrderedDict(numbered(values.iter().map(|value| Value::Bool(*value))))
}

fn stage_to_pickle(stage: &Stage) -> Value {
    let array = |values: &[usize]| Value::i64_array(values.iter().map(|value| *value as i64));
    let kernels = |kernels: &[Vec<usize>]| {
        Value::List(kernels.iter().map(|k| Value::ints(k.iter().copied())).collect())
    };
    let mut entries = vec![
        ("batch_size", Value::Int(stage.batch_size as i64)),
        ("num_pool_per_axis", Value::ints(stage.num_pool_per_axis.iter().copied())),
        ("patch_size", array(&stage.patch_size)),
        ("median_patient_size_in_voxels", array(&stage.median_patient_size_in_voxels)),
        ("current_spacing", Value::f64_array(stage.current_spacing)),
        ("original_spacing", Value::f64_array(stage.original_spacing)),
        ("do_dummy_2D_data_aug", Value::Bool(stage.do_dummy_2d_data_aug)),
        ("pool_op_kernel_sizes", kernels(&stage.pool_op_kernel_sizes)),
        ("conv_kernel_sizes", kernels(&stage.conv_kernel_sizes)),
    ];
    let blocks = |counts: &[usize]| Value::Tuple(counts.iter().map(|n| Value::Int(*n as i64)).collect());
    if let (Some(encoder), Some(decoder)) = (&stage.num_blocks_encoder, &stage.num_blocks_decoder) {
        entries.push(("num_blocks_encoder", blocks(encoder)));
        entries.push(("num_blocks_decoder", blocks(decoder)));
    }
    Value::dict(entries)
}

fn export_to_pickle(export: &SegmentationExport) -> Value {
    Value::dict(vec![
        ("force_separate_z", export.force_separate_z.map_or(Value::None, Value::Bool)),
        ("interpolation_order", Value::Int(i64::from(export.interpolation_order))),
        ("interpolation_order_z", Value::Int(i64::from(export.interpolation_order_z))),
    ])
}

/// Back from v1's plans. Keys that early versions lacked take v1's fallbacks; the names of patients' files and
/// folders, which nobody reads back, may have been taken out.
///
/// # Errors
/// Returns an error for a key that is missing or of the wrong type.
pub fn plans_from_pickle(value: &Value) -> Result<Plans> {
    let texts = |v: &Value| by_number(v, |text| text.as_str().map(str::to_owned));
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let stages = field(value, "plans_per_stage", |v| by_number(v, |stage| Some(stage_from_pickle(stage))))?;
    let plans_per_stage = stages.into_iter().collect::<Result<Vec<_>>>()?;
    let is_3d = plans_per_stage.first().is_some_and(|stage| stage.patch_size.len() == 3);
    let order = |key: &str| match value.get(key) {
        None | Some(Value::None) => Ok([0, 1, 2]),
        Some(_) => field(value, key, usizex3),
    };
    Ok(Plans {
        modalities: field(value, "modalities", texts)?,
        normalization_schemes: field(value, "normalization_schemes", texts)?,
        dataset_properties: fingerprint_from_pickle(get(value, "dataset_properties")?)?,
        list_of_npz_files: optional(value, "list_of_npz_files", Value::to_strings)?.unwrap_or_default(),
        preprocessed_data_folder: optional(value, "preprocessed_data_folder", text)?.unwrap_or_default(),
        num_classes: field(value, "num_classes", |v| v.as_i64().map(|n| n as usize))?,
        all_classes: field(value, "all_classes", integers)?,
        base_num_features: field(value, "base_num_features", |v| v.as_i64().map(|n| n as usize))?,
        use_mask_for_norm: field(value, "use_mask_for_norm", |v| by_number(v, Value::as_bool))?,
        transpose_forward: order("transpose_forward")?,
        transpose_backward: order("transpose_backward")?,
        data_identifier: field(value, "data_identifier", text)?,
        plans_per_stage,
        preprocessor_name: value.get("preprocessor_name").and_then(Value::as_str).map_or_else(
            || if is_3d { "GenericPreprocessor" } else { "PreprocessorFor2D" }.to_owned(),
            str::to_owned,
        ),
        conv_per_stage: value.get("conv_per_stage").and_then(Value::as_i64).map(|n| n as usize),
        segmentation_export_params: value.get("segmentation_export_params").and_then(export_from_pickle),
    })
}

fn stage_from_pickle(value: &Value) -> Result<Stage> {
    let patch_size = field(value, "patch_size", Value::to_usize_vec)?;
    if !(2..=3).contains(&patch_size.len()) {
        bail!("`patch_size` has {} axes instead of 2 or 3", patch_size.len());
    }
    let num_pool_per_axis = field(value, "num_pool_per_axis", Value::to_usize_vec)?;
    let [pools, kernels] = default_kernels(&num_pool_per_axis);
    let blocks = |key: &str| value.get(key).and_then(Value::to_usize_vec);
    Ok(Stage {
        batch_size: field(value, "batch_size", |v| v.as_i64().map(|n| n as usize))?,
        median_patient_size_in_voxels: field(value, "median_patient_size_in_voxels", usizex3)?,
        current_spacing: field(value, "current_spacing", f64x3)?,
        original_spacing: field(value, "original_spacing", f64x3)?,
        do_dummy_2d_data_aug: field(value, "do_dummy_2D_data_aug", Value::as_bool)?,
        pool_op_kernel_sizes: optional(value, "pool_op_kernel_sizes", vectors)?.unwrap_or(pools),
        conv_kernel_sizes: optional(value, "conv_kernel_sizes", vectors)?.unwrap_or(kernels),
        num_pool_per_axis,
        num_blocks_encoder: blocks("num_blocks_encoder"),
        num_blocks_decoder: blocks("num_blocks_decoder"),
        patch_size,
    })
}

/// Whole numbers of any sequence, an array included.
fn integers(value: &Value) -> Option<Vec<i64>> {
    let is_whole = |number: &f64| number.fract() == 0.0;
    value.to_f64_vec()?.into_iter().map(|number| is_whole(&number).then_some(number as i64)).collect()
}

/// A list of vectors, or a two-dimensional array.
fn vectors(value: &Value) -> Option<Vec<Vec<usize>>> {
    match value {
        Value::Array(array) if array.dtype != DType::Object => {
            let [_, len] = array.shape[..] else { return None };
            Some(value.to_usize_vec()?.chunks(len.max(1)).map(<[usize]>::to_vec).collect())
        }
        _ => value.items()?.iter().map(Value::to_usize_vec).collect(),
    }
}

/// Poolings and kernels of plans before v1 wrote them: an axis with fewer poolings than others leaves out the first
/// ones; kernels are 3.
fn default_kernels(num_pool_per_axis: &[usize]) -> [Vec<Vec<usize>>; 2] {
    let most = num_pool_per_axis.iter().copied().max().unwrap_or(0).min(MOST_POOLINGS);
    let pool = |level: usize| {
        num_pool_per_axis
            .iter()
            .map(|count| if most.saturating_sub(*count) <= level { 2 } else { 1 })
            .collect()
    };
    [(0..most).map(pool).collect(), vec![vec![3; num_pool_per_axis.len()]; most + 1]]
}

/// More halvings than any image has voxels for.
const MOST_POOLINGS: usize = 32;

fn export_from_pickle(value: &Value) -> Option<SegmentationExport> {
    let order = |key: &str| value.get(key)?.as_i64().map(|order| order as u32);
    Some(SegmentationExport {
        force_separate_z: value.get("force_separate_z").and_then(Value::as_bool),
        interpolation_order: order("interpolation_order")?,
        interpolation_order_z: order("interpolation_order_z")?,
    })
}

#[cfg(test)]
mod tests {
    use nnunet_formats::pickle::NdArray;

    use super::*;

    #[test]
    fn axes_with_fewer_poolings_leave_out_the_first() {
        let [pools, kernels] = default_kernels(&[2, 3]);
        assert_eq!(pools, [vec![1, 2], vec![2, 2], vec![2, 2]]);
        assert_eq!(kernels, vec![vec![3, 3]; 4]);
    }

    #[test]
    fn arrays_stand_for_lists() {
        let data = [1_i64, 2, 2, 2, 2, 2].iter().flat_map(|value| value.to_le_bytes()).collect();
        let array = NdArray { dtype: DType::I64, shape: vec![2, 3], data, objects: Vec::new() };
        assert_eq!(vectors(&Value::Array(array)), Some(vec![vec![1, 2, 2], vec![2, 2, 2]]));
        assert_eq!(integers(&Value::i64_array([1, -2])), Some(vec![1, -2]));
        assert_eq!(integers(&Value::f64_array([0.5])), None);
    }
}
