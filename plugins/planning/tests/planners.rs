//! Every planner against what Python nnU-Net 1.7.1 plans for a few made-up data sets (fixtures/make_planners.py).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_formats::json::{self, Json};
use nnunet_planning::{DataPaths, make_plans, resolve};
use nnunet_plugin_core::vocabulary::{Fingerprint, Plans, Stage};
use nnunet_plugin_core::{Error, Factory, Registration, inventory};
use nnunet_test_support::difference;

fn fingerprint(set: &Json) -> Fingerprint {
    let rows = |key: &str| -> Vec<[f64; 3]> {
        let row = |row: &Json| {
            let row: Vec<f64> = row.items().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            row.try_into().unwrap()
        };
        set.get(key).unwrap().items().unwrap().iter().map(row).collect()
    };
    let all_sizes: Vec<[usize; 3]> =
        rows("sizes").into_iter().map(|size| size.map(|len| len as usize)).collect();
    let modalities = set.get("modalities").unwrap().items().unwrap();
    Fingerprint {
        size_reductions: (0..all_sizes.len()).map(|i| (format!("case{i:02}"), 1.0)).collect(),
        all_sizes,
        all_spacings: rows("spacings"),
        all_classes: (1..=set.get("classes").unwrap().as_f64().unwrap() as i64).collect(),
        modalities: modalities.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        intensity_properties: None,
    }
}

fn numbers<T: Copy>(values: &[T], as_f64: impl Fn(T) -> f64) -> Json {
    Json::Array(values.iter().map(|value| Json::Float(as_f64(*value))).collect())
}

fn counts(values: &[usize]) -> Json {
    numbers(values, |value| value as f64)
}

fn stage(stage: &Stage) -> Json {
    let kernels = |all: &[Vec<usize>]| Json::Array(all.iter().map(|kernel| counts(kernel)).collect());
    let spacing = |spacing: [f64; 3]| numbers(&spacing, |mm| mm);
    let mut entries = vec![
        ("batch_size", counts(&[stage.batch_size])),
        ("num_pool_per_axis", counts(&stage.num_pool_per_axis)),
        ("patch_size", counts(&stage.patch_size)),
        ("median_patient_size_in_voxels", counts(&stage.median_patient_size_in_voxels)),
        ("current_spacing", spacing(stage.current_spacing)),
        ("original_spacing", spacing(stage.original_spacing)),
        ("do_dummy_2D_data_aug", Json::Bool(stage.do_dummy_2d_data_aug)),
        ("pool_op_kernel_sizes", kernels(&stage.pool_op_kernel_sizes)),
        ("conv_kernel_sizes", kernels(&stage.conv_kernel_sizes)),
    ];
    entries.extend(stage.num_blocks_encoder.as_ref().map(|blocks| ("num_blocks_encoder", counts(blocks))));
    entries.extend(stage.num_blocks_decoder.as_ref().map(|blocks| ("num_blocks_decoder", counts(blocks))));
    entries[0].1 = Json::Float(stage.batch_size as f64);
    Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn plans_json(plans: &Plans, file: String) -> Json {
    let export = plans.segmentation_export_params.map_or(Json::Null, |export| {
        let order = |order: u32| Json::Float(f64::from(order));
        let separate = export.force_separate_z.map_or(Json::Null, Json::Bool);
        let entries = [
            ("force_separate_z", separate),
            ("interpolation_order", order(export.interpolation_order)),
            ("interpolation_order_z", order(export.interpolation_order_z)),
        ];
        Json::Object(entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
    });
    let text = |text: &str| Json::Str(text.to_owned());
    let entries = [
        ("plans_file", Json::Str(file)),
        ("data_identifier", text(&plans.data_identifier)),
        ("base_num_features", Json::Float(plans.base_num_features as f64)),
        ("conv_per_stage", plans.conv_per_stage.map_or(Json::Null, |n| Json::Float(n as f64))),
        ("preprocessor_name", text(&plans.preprocessor_name)),
        ("transpose_forward", counts(&plans.transpose_forward)),
        (
            "normalization_schemes",
            Json::Array(plans.normalization_schemes.iter().map(|name| text(name)).collect()),
        ),
        ("segmentation_export_params", export),
        ("stages", Json::Array(plans.plans_per_stage.iter().map(stage).collect())),
    ];
    Json::Object(entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
}

#[test]
fn every_planner_plans_as_v1() {
    let lookup = |name: &str| {
        let found = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name);
        match found.map(|component| component.factory) {
            Some(Factory::Planner(make)) => make(&Default::default()),
            _ => Err(Error::message(format!("no {name}"))),
        }
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/planners.json");
    let mut compared = 0;
    for set in json::load(&file).unwrap().items().unwrap() {
        let fingerprint = fingerprint(set);
        let names = inventory::iter::<Registration>().map(|registered| (registered.0)().info.name);
        for name in names {
            let Some(want) = set.get("plans").unwrap().get(&name) else { continue };
            let planner = resolve(&name, &lookup).unwrap();
            let plans = make_plans(&planner, &fingerprint, &DataPaths::default()).unwrap();
            let settings = &planner.settings;
            let file = format!("{}_plans_{}D.pkl", settings.plans_identifier, settings.dimensions);
            // v1's CT2 planner normalizes channels that were declared `noNorm`; ours leaves them (docs/decisions.md).
            let excused = |key: &str| name == "ExperimentPlannerCT2" && key == "normalization_schemes";
            let differs = difference(want, &plans_json(&plans, file), 1e-12, &excused);
            assert_eq!(differs, None, "{name} for {:?}", set.get("title"));
            compared += 1;
        }
    }
    // All of v1 but the one that takes the plans of another task.
    assert_eq!(compared, 6 * 25);
}
