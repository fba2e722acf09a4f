//! The attributes that v1's trainer writes to `debug.json`, as far as there is something like them here.

use std::path::Path;

use nnunet_trainers::Resolved;
use serde_json::{Value, json};

use super::job::Job;

/// Name and value of the attributes at the beginning of a training.
pub(super) fn of(job: &Job<'_>, trainer: &Resolved, log: &Path) -> Vec<(&'static str, Value)> {
    let mut all = of_places(job, log);
    all.extend(of_plans(job));
    all.extend(of_training(job, trainer));
    all.extend(of_progress());
    all
}

fn of_places(job: &Job<'_>, log: &Path) -> Vec<(&'static str, Value)> {
    let path = |path: &Path| json!(path.display().to_string());
    vec![
        ("plans_file", path(&job.plans_file)),
        ("output_folder", path(&job.settings.output)),
        ("output_folder_base", path(&job.settings.model)),
        ("dataset_directory", path(&job.preprocessed)),
        ("folder_with_preprocessed_data", path(&job.data())),
        ("gt_niftis_folder", path(&job.preprocessed.join("gt_segmentations"))),
        ("log_file", path(log)),
    ]
}

fn of_plans(job: &Job<'_>) -> Vec<(&'static str, Value)> {
    let (plans, stage) = (&job.plans, job.stage());
    vec![
        ("num_input_channels", json!(plans.num_modalities())),
        ("num_classes", json!(plans.num_classes + 1)),
        ("classes", json!(plans.all_classes)),
        ("base_num_features", json!(plans.base_num_features)),
        ("conv_per_stage", json!(plans.conv_per_stage.unwrap_or(2))),
        ("normalization_schemes", json!(plans.normalization_schemes)),
        ("use_mask_for_norm", json!(plans.use_mask_for_norm)),
        ("transpose_forward", json!(plans.transpose_forward)),
        ("transpose_backward", json!(plans.transpose_backward)),
        ("patch_size", json!(stage.patch_size)),
        ("batch_size", json!(stage.batch_size)),
        ("threeD", json!(stage.patch_size.len() == 3)),
        ("do_dummy_2D_aug", json!(stage.do_dummy_2d_data_aug)),
        ("net_pool_per_axis", json!(stage.num_pool_per_axis)),
        ("net_num_pool_op_kernel_sizes", json!(stage.pool_op_kernel_sizes)),
        ("net_conv_kernel_sizes", json!(stage.conv_kernel_sizes)),
        ("only_keep_largest_connected_component", Value::Null),
        ("min_region_size_per_class", Value::Null),
        ("min_size_per_class", Value::Null),
    ]
}

fn of_training(job: &Job<'_>, trainer: &Resolved) -> Vec<(&'static str, Value)> {
    let (args, settings, blueprint) = (job.args, &job.settings, &trainer.blueprint);
    let patience = blueprint.patience.as_ref();
    let regions = blueprint.regions.as_ref().map(|regions| regions.class_order.clone());
    vec![
        ("experiment_name", json!(trainer.names.last())),
        ("fold", json!(settings.fold)),
        ("network", json!(blueprint.architecture)),
        ("lr_scheduler", json!(blueprint.lr_schedule)),
        ("data_aug_params", json!(blueprint.augmentation)),
        ("fp16", json!(!settings.single_precision)),
        ("deterministic", json!(settings.deterministic)),
        ("unpack_data", json!(!args.use_compressed_data)),
        ("batch_dice", json!(blueprint.batch_dice.unwrap_or(job.batch_dice))),
        ("regions_class_order", json!(regions)),
        ("ds_loss_weights", json!(blueprint.deep_supervision_weights)),
        ("deep_supervision_scales", json!(job.stage().pool_op_kernel_sizes)),
        ("patience", json!(patience)),
        ("save_latest_only", json!(true)),
        ("also_val_in_tr_mode", json!(false)),
        ("was_initialized", json!(true)),
    ]
}

/// What v1 fills while it trains; the file is written before.
fn of_progress() -> Vec<(&'static str, Value)> {
    let lists = [
        "all_tr_losses",
        "all_val_losses",
        "all_val_losses_tr_mode",
        "all_val_eval_metrics",
        "online_eval_foreground_dc",
        "online_eval_tp",
        "online_eval_fp",
        "online_eval_fn",
    ];
    let nothing = [
        "val_eval_criterion_MA",
        "train_loss_MA",
        "best_val_eval_criterion_MA",
        "best_MA_tr_loss_for_patience",
        "best_epoch_based_on_MA_tr_loss",
        "amp_grad_scaler",
    ];
    let lists = lists.into_iter().map(|name| (name, json!([])));
    let nothing = nothing.into_iter().map(|name| (name, Value::Null));
    lists.chain(nothing).chain([("epoch", json!(0))]).collect()
}

/// A value as v1 writes it: the text that Python prints for it.
pub(super) fn text(value: &Value) -> String {
    let quoted = |value: &Value| match value {
        Value::String(text) => format!("'{text}'"),
        other => text(other),
    };
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("'{key}': {}", quoted(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_python_prints_them() {
        let value = json!({ "a": [1, 2.5, null], "b": { "c": true, "d": "x" } });
        assert_eq!(text(&value), "{'a': [1, 2.5, None], 'b': {'c': True, 'd': 'x'}}");
        assert_eq!(text(&json!("0")), "0");
    }
}
