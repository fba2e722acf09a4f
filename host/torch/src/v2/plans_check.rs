//! Reads v2's plans, and checks them before anything is computed.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_data::v2::PlansFile;

use super::plans::{Configuration, Plans};

/// The class of v2 that preprocesses.
const PREPROCESSOR: &str = "DefaultPreprocessor";
/// The class of v2 that knows what labels mean.
const LABEL_MANAGER: &str = "LabelManager";
/// The longest axis of a patch, in voxels.
const LONGEST_AXIS: usize = 1 << 14;
/// The largest patch, in voxels.
const LARGEST_PATCH: usize = 1 << 30;

/// Reads a model's `plans.json`.
///
/// # Errors
/// Returns an error if the file cannot be read; it names the first value that contradicts another, or that is not
/// supported here.
pub(super) fn load(folder: &Path) -> Result<Plans> {
    let path = folder.join("plans.json");
    check_plans(PlansFile::load(&path)?).with_context(|| path.display().to_string())
}

/// A configuration with everything that it inherits.
///
/// # Errors
/// As [`load`].
pub(super) fn configuration(plans: &Plans, name: &str) -> Result<Configuration> {
    let configuration = plans.configuration(name)?;
    check_configuration(&configuration).with_context(|| format!("plans.json, configuration {name}"))?;
    Ok(configuration)
}

/// Checks what all configurations share.
fn check_plans(file: PlansFile) -> Result<Plans> {
    match file.label_manager.as_deref() {
        None | Some(LABEL_MANAGER) => Plans::new(file),
        Some(other) => bail!("label_manager {other} is not known here; {LABEL_MANAGER} is"),
    }
}

fn check_configuration(configuration: &Configuration) -> Result<()> {
    let Configuration { patch_size, spacing, .. } = configuration;
    if let Some(other) = configuration.preprocessor_name.as_deref().filter(|name| *name != PREPROCESSOR) {
        bail!("preprocessor_name {other} is not known here; {PREPROCESSOR} is");
    }
    let axes = patch_size.len();
    ensure!((2..=3).contains(&axes) && spacing.len() == axes, "patch_size and spacing need 2 or 3 axes");
    ensure!(
        patch_size.iter().all(|len| (1..=LONGEST_AXIS).contains(len))
            && patch_size.iter().product::<usize>() <= LARGEST_PATCH,
        "patch_size {patch_size:?} is not a size of a patch"
    );
    ensure!(
        spacing.iter().all(|length| length.is_finite() && *length > 0.0),
        "spacing {spacing:?} must be positive"
    );
    let (schemes, masks) = (&configuration.normalization_schemes, &configuration.use_mask_for_norm);
    ensure!(
        !schemes.is_empty() && schemes.len() == masks.len(),
        "normalization_schemes and use_mask_for_norm need one entry for each channel"
    );
    configuration.network.check(patch_size)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(changes: Value) -> String {
        let mut one = json!({
            "patch_size": [8, 8], "spacing": [1.0, 1.0], "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [false], "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape", "resampling_fn_data_kwargs": {},
            "resampling_fn_probabilities_kwargs": {}, "preprocessor_name": "DefaultPreprocessor",
            "architecture": {"network_class_name": "x.PlainConvUNet", "arch_kwargs": {"strides": [[1, 1], [2, 2]]}},
        });
        let mut plans_json = json!({ "transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0] });
        for (key, value) in changes.as_object().unwrap() {
            let target = if key.starts_with("transpose") || key == "label_manager" {
                &mut plans_json
            } else {
                &mut one
            };
            target[key] = value.clone();
        }
        plans_json["configurations"] = json!({ "2d": one });
        let read: PlansFile = serde_json::from_value(plans_json).unwrap();
        let checked = check_plans(read).and_then(|plans| configuration(&plans, "2d").map(|_| ()));
        checked.err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    fn network(arch_kwargs: Value) -> Value {
        json!({"architecture": {"network_class_name": "x.PlainConvUNet", "arch_kwargs": arch_kwargs}})
    }

    #[test]
    fn plans_that_contradict_themselves_are_refused_by_name() {
        assert_eq!(message(json!({})), "");
        for (changes, part) in [
            (json!({"transpose_backward": [2, 0, 1]}), "are not inverse to each other"),
            (json!({"transpose_forward": [7, 0, 1]}), "are not inverse to each other"),
            (json!({"label_manager": "MyLabels"}), "label_manager MyLabels"),
            (json!({"preprocessor_name": "MyPreprocessor"}), "preprocessor_name MyPreprocessor"),
            (json!({"patch_size": [0, 8]}), "patch_size [0, 8]"),
            (json!({"patch_size": [1_000_000, 8]}), "patch_size"),
            (json!({"spacing": [1.0, 0.0]}), "spacing"),
            (json!({"spacing": [1.0]}), "2 or 3 axes"),
            (json!({"use_mask_for_norm": []}), "one entry for each channel"),
            (network(json!({"strides": [[1, 1], [3, 2]]})), "cannot be halved"),
            (network(json!({"features_per_stage": [8, 1_000_000_000]})), "features_per_stage"),
            (network(json!({"kernel_sizes": [[3, 3], [3, 300]]})), "kernel_sizes"),
            (network(json!({"n_conv_per_stage": [2, 1000]})), "n_conv_per_stage"),
        ] {
            let found = message(changes);
            assert!(found.contains(part), "{found:?} lacks {part:?}");
        }
    }
}
