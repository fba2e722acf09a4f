//! Plans of v1 in v2's words.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_plugin_core::vocabulary::{Plans, Regions, Stage};
use serde_json::{Map, Value, json};

use super::network::{Network, SLOPE};
use super::other_networks::RESIDUAL;
use crate::folders::CASCADE;

/// The names in v2 of what is converted.
#[derive(Debug, Clone)]
pub struct Task {
    /// Name of the data set.
    pub dataset: String,
    /// Name of the plans.
    pub plans: String,
}

/// v1's largest number of features, in 2D and in 3D.
const MOST_FEATURES: [usize; 2] = [480, 320];
/// v1's convolutions per stage where plans do not say.
const CONVOLUTIONS: usize = 2;
const FULL: &str = "3d_fullres";
const LOW: &str = "3d_lowres";

/// The plans of a task, those for slices, those for volumes or both, as one file of v2. The network is v1's
/// `Generic_UNet` with v2's kernels.
///
/// # Errors
/// Returns an error for plans with a method that v2 does not have.
pub fn plans_to_v2(task: &Task, slices: Option<&Plans>, volumes: Option<&Plans>) -> Result<Value> {
    let first = volumes.or(slices).context("there are no plans to convert")?;
    let mut configurations = Map::new();
    if let Some(plans) = slices {
        let stage = plans.plans_per_stage.last().context("the 2D plans have no stage")?;
        configurations
            .insert("2d".to_owned(), configuration(task, plans, stage, "2d", planned(plans, stage)?)?);
    }
    if let Some(plans) = volumes {
        let stages = &plans.plans_per_stage;
        if let [low, _, ..] = stages.as_slice() {
            configurations.insert(LOW.to_owned(), first_stage(task, plans, low)?);
        }
        let stage = stages.last().context("the 3D plans have no stage")?;
        configurations
            .insert(FULL.to_owned(), configuration(task, plans, stage, FULL, planned(plans, stage)?)?);
        if stages.len() > 1 {
            configurations.insert(CASCADE.to_owned(), second_stage());
        }
    }
    document(task, first, configurations)
}

/// The first stage of a cascade.
fn first_stage(task: &Task, plans: &Plans, stage: &Stage) -> Result<Value> {
    let mut low = configuration(task, plans, stage, LOW, planned(plans, stage)?)?;
    low["next_stage"] = CASCADE.into();
    Ok(low)
}

fn second_stage() -> Value {
    json!({ "inherits_from": FULL, "previous_stage": LOW })
}

/// The plans of a model: its configuration, with the network that its weights make, and those that a cascade needs.
pub(super) fn plans_of_model(
    task: &Task,
    plans: &Plans,
    stage: usize,
    configuration: &str,
    network: Value,
) -> Result<Value> {
    let own = plans.plans_per_stage.get(stage).with_context(|| format!("the plans have no stage {stage}"))?;
    let is_cascade = configuration == CASCADE;
    let name = if is_cascade { FULL } else { configuration };
    let mut all = Map::from_iter([(name.to_owned(), self::configuration(task, plans, own, name, network)?)]);
    if is_cascade {
        all.insert(LOW.to_owned(), first_stage(task, plans, &plans.plans_per_stage[0])?);
        all.insert(CASCADE.to_owned(), second_stage());
    }
    document(task, plans, all)
}

fn document(task: &Task, plans: &Plans, configurations: Map<String, Value>) -> Result<Value> {
    let full = plans.plans_per_stage.last().context("the plans have no stage")?;
    Ok(json!({
        "dataset_name": task.dataset,
        "plans_name": task.plans,
        "original_median_spacing_after_transp": full.original_spacing,
        "original_median_shape_after_transp": full.median_patient_size_in_voxels,
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": plans.transpose_forward,
        "transpose_backward": plans.transpose_backward,
        "configurations": configurations,
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": intensities(plans),
    }))
}

/// Zero where v1 has none: it keeps them for CT only.
fn intensities(plans: &Plans) -> Value {
    let known = plans.dataset_properties.intensity_properties.as_deref().unwrap_or_default();
    let channel = |channel: usize| {
        let of = known.get(channel).map(|found| found.global).unwrap_or_default();
        let own = json!({
            "max": of.mx, "mean": of.mean, "median": of.median, "min": of.mn,
            "percentile_00_5": of.percentile_00_5, "percentile_99_5": of.percentile_99_5, "std": of.sd,
        });
        (channel.to_string(), own)
    };
    Value::Object((0..plans.modalities.len()).map(channel).collect())
}

fn configuration(task: &Task, plans: &Plans, stage: &Stage, name: &str, network: Value) -> Result<Value> {
    let axes = stage.patch_size.len();
    ensure!(
        matches!(plans.preprocessor_name.as_str(), "GenericPreprocessor" | "PreprocessorFor2D"),
        "v2 has no preprocessor like v1's {}",
        plans.preprocessor_name
    );
    ensure!(stage.num_blocks_encoder.is_none(), "{RESIDUAL}");
    let normalizations = plans.normalization_schemes.iter().zip(&plans.use_mask_for_norm);
    let normalizations: Vec<&str> =
        normalizations.map(|(scheme, mask)| normalization(scheme, *mask)).collect::<Result<_>>()?;
    let export = plans.segmentation_export_params.unwrap_or_default();
    let kwargs = |is_seg: bool, order: u32, order_z: u32, separate: Option<bool>| json!({ "is_seg": is_seg, "order": order, "order_z": order_z, "force_separate_z": separate });
    let function = "resample_data_or_seg_to_shape";
    Ok(json!({
        "data_identifier": format!("{}_{name}", task.plans),
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": stage.batch_size,
        "patch_size": stage.patch_size,
        "median_image_size_in_voxels": stage.median_patient_size_in_voxels[3 - axes..],
        "spacing": stage.current_spacing[3 - axes..],
        "normalization_schemes": normalizations,
        "use_mask_for_norm": plans.use_mask_for_norm,
        "resampling_fn_data": function,
        "resampling_fn_seg": function,
        "resampling_fn_data_kwargs": kwargs(false, 3, 0, None),
        "resampling_fn_seg_kwargs": kwargs(true, 1, 0, None),
        "resampling_fn_probabilities": function,
        "resampling_fn_probabilities_kwargs":
            kwargs(false, export.interpolation_order, export.interpolation_order_z, export.force_separate_z),
        "architecture": network,
        "batch_dice": axes == 2 || (name == FULL && plans.plans_per_stage.len() > 1),
    }))
}

/// v2's class for a scheme of v1.
fn normalization(scheme: &str, mask: bool) -> Result<&'static str> {
    Ok(match scheme {
        "nonCT" => "ZScoreNormalization",
        "noNorm" => "NoNormalization",
        "CT" if !mask => "CTNormalization",
        "CT" => bail!("v2 has no normalization of CT inside the nonzero mask only"),
        other => bail!("v2 has no normalization like v1's {other}"),
    })
}

/// The network that v1 plans.
fn planned(plans: &Plans, stage: &Stage) -> Result<Value> {
    let axes = stage.patch_size.len();
    let most = MOST_FEATURES[axes.saturating_sub(2).min(1)];
    let stages = stage.conv_kernel_sizes.len();
    let features: Vec<usize> = (0..stages)
        .map(|level| plans.base_num_features.checked_shl(level as u32).unwrap_or(most).min(most))
        .collect();
    // v1's decoder has the kernels of the resolution below its own, v2's those of its own.
    let mut kernels = stage.conv_kernel_sizes.clone();
    for level in 0..stages.saturating_sub(1) {
        for (own, below) in kernels[level].iter_mut().zip(&stage.conv_kernel_sizes[level + 1]) {
            *own = (*own).max(*below);
        }
    }
    let convolutions = vec![plans.conv_per_stage.unwrap_or(CONVOLUTIONS); stages];
    architecture(axes, &features, &kernels, &stage.pool_op_kernel_sizes, &convolutions, SLOPE)
}

/// The network that weights make, its kernels being v2's.
pub(super) fn made(network: &Network, slope: f64) -> Result<Value> {
    let convolutions: Vec<usize> = network.encoder.iter().map(Vec::len).collect();
    architecture(
        network.axes(),
        &network.features(),
        &network.kernels(),
        &network.strides(),
        &convolutions,
        slope,
    )
}

fn architecture(
    axes: usize,
    features: &[usize],
    kernels: &[Vec<usize>],
    strides: &[Vec<usize>],
    convolutions: &[usize],
    slope: f64,
) -> Result<Value> {
    ensure!(
        features.len() == kernels.len() && kernels.len() == strides.len() + 1,
        "the plans have {} kernels and {} poolings",
        kernels.len(),
        strides.len()
    );
    let mut all_strides = vec![vec![1; axes]];
    all_strides.extend_from_slice(strides);
    let mut nonlinearity = json!({ "inplace": true });
    if (slope - SLOPE).abs() > f64::EPSILON {
        nonlinearity["negative_slope"] = slope.into();
    }
    Ok(json!({
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": features.len(),
            "features_per_stage": features,
            "conv_op": format!("torch.nn.modules.conv.Conv{axes}d"),
            "kernel_sizes": kernels,
            "strides": all_strides,
            "n_conv_per_stage": convolutions,
            "n_conv_per_stage_decoder": &convolutions[..features.len() - 1],
            "conv_bias": true,
            "norm_op": format!("torch.nn.modules.instancenorm.InstanceNorm{axes}d"),
            "norm_op_kwargs": { "eps": 1e-5, "affine": true },
            "dropout_op": null,
            "dropout_op_kwargs": null,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": nonlinearity,
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }))
}

/// `dataset.json` of v2: with the names in that of v1, if there is one, or else with numbers for names.
pub(super) fn description(plans: &Plans, regions: Option<&Regions>, v1: Option<&Path>) -> Result<Value> {
    let channels = plans.modalities.iter().enumerate().map(|(i, name)| (i.to_string(), name.as_str().into()));
    let mut labels = Map::from_iter([("background".to_owned(), Value::from(0))]);
    let mut own = json!({
        "channel_names": Value::Object(channels.collect()),
        "numTraining": plans.dataset_properties.all_sizes.len(),
        "file_ending": ".nii.gz",
    });
    match regions {
        Some(regions) => {
            ensure!(
                regions.regions.iter().any(|region| region.labels.len() > 1),
                "regions of one label each are labels in v2"
            );
            labels.extend(regions.regions.iter().map(|region| (region.name.clone(), json!(region.labels))));
            own["regions_class_order"] = json!(regions.class_order);
        }
        None => {
            let consecutive = (1..).zip(&plans.all_classes).all(|(number, class)| number == *class);
            ensure!(consecutive, "v1's labels {:?} are not the numbers from 1 on", plans.all_classes);
            let names = v1.map(names).transpose()?.unwrap_or_default();
            labels.extend(plans.all_classes.iter().map(|class| {
                let name = names.get(&class.to_string()).and_then(Value::as_str);
                (name.map_or_else(|| format!("class_{class}"), str::to_owned), Value::from(*class))
            }));
            ensure!(labels.len() == plans.all_classes.len() + 1, "two labels have the same name");
        }
    }
    own["labels"] = labels.into();
    Ok(own)
}

/// Names of labels by number in `dataset.json` of v1.
fn names(path: &Path) -> Result<Map<String, Value>> {
    let description: Map<String, Value> = crate::v2::load(path)?;
    Ok(description.get("labels").and_then(Value::as_object).cloned().unwrap_or_default())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::generations::plans_to_v1;

    pub(in super::super) fn sample() -> Plans {
        let stage = Stage {
            batch_size: 2,
            num_pool_per_axis: vec![1, 2, 2],
            patch_size: vec![8, 32, 32],
            median_patient_size_in_voxels: [9, 40, 44],
            current_spacing: [3.0, 1.0, 1.0],
            original_spacing: [3.0, 1.0, 1.0],
            do_dummy_2d_data_aug: true,
            pool_op_kernel_sizes: vec![vec![1, 2, 2], vec![2, 2, 2]],
            conv_kernel_sizes: vec![vec![1, 3, 3], vec![3, 3, 3], vec![3, 3, 3]],
            ..Stage::default()
        };
        Plans {
            modalities: vec!["MRI".into()],
            normalization_schemes: vec!["nonCT".into()],
            use_mask_for_norm: vec![true],
            num_classes: 2,
            all_classes: vec![1, 2],
            base_num_features: 8,
            transpose_forward: [0, 1, 2],
            transpose_backward: [0, 1, 2],
            data_identifier: "nnUNetData_plans_v2.1".into(),
            plans_per_stage: vec![Stage { current_spacing: [6.0, 2.0, 2.0], ..stage.clone() }, stage],
            preprocessor_name: "GenericPreprocessor".into(),
            conv_per_stage: Some(2),
            ..Plans::default()
        }
    }

    fn task() -> Task {
        Task { dataset: "Dataset004_X".into(), plans: "nnUNetPlansv2.1".into() }
    }

    #[test]
    fn plans_of_two_stages_have_a_cascade() {
        let made = plans_to_v2(&task(), None, Some(&sample())).unwrap();
        let names: Vec<&String> = made["configurations"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["3d_lowres", "3d_fullres", "3d_cascade_fullres"]);
        let network = &made["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"];
        // The decoder's kernels are those of the resolution below in v1, so the first stage of v2 has to have them.
        assert_eq!(network["kernel_sizes"], json!([[3, 3, 3], [3, 3, 3], [3, 3, 3]]));
        assert_eq!(network["features_per_stage"], json!([8, 16, 32]));
        assert_eq!(made["configurations"]["3d_fullres"]["batch_dice"], json!(true));
        let back = plans_to_v1(&made, 2, "").unwrap().1.unwrap();
        assert_eq!(back.plans_per_stage.len(), 2);
        assert_eq!(
            back.plans_per_stage[1].pool_op_kernel_sizes,
            sample().plans_per_stage[1].pool_op_kernel_sizes
        );
        assert_eq!((back.base_num_features, back.conv_per_stage), (8, Some(2)));
    }

    #[test]
    fn methods_that_v2_lacks_are_named() {
        let refused = |change: &dyn Fn(&mut Plans)| {
            let mut plans = sample();
            change(&mut plans);
            plans_to_v2(&task(), None, Some(&plans)).unwrap_err().to_string()
        };
        assert!(refused(&|plans| plans.normalization_schemes = vec!["CT2".into()]).contains("CT2"));
        let inside = |plans: &mut Plans| plans.normalization_schemes = vec!["CT".into()];
        assert!(refused(&inside).contains("mask"));
        assert!(refused(&|plans| plans.preprocessor_name = "Mine".into()).contains("Mine"));
    }

    #[test]
    fn labels_are_numbers_from_one_on() {
        let mut plans = sample();
        assert_eq!(description(&plans, None, None).unwrap()["labels"]["class_2"], json!(2));
        plans.all_classes = vec![1, 3];
        assert!(description(&plans, None, None).is_err());
    }
}
