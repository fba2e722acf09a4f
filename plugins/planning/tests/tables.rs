//! Topologies and memory estimates against values computed by Python nnU-Net 1.7.1.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_formats::json::{self, Json};
use nnunet_planning::{
    PoolAndConv, generic_unet_vram, pool_and_conv_props, pool_and_conv_props_pool_late,
    pool_and_conv_props_v2,
};
use nnunet_test_support::golden;

fn load(folder: &Path, name: &str) -> Json {
    json::load(&folder.join(name)).unwrap()
}

fn numbers(value: &Json, key: &str) -> Vec<f64> {
    value.get(key).unwrap().items().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn sizes(value: &Json, key: &str) -> Vec<usize> {
    numbers(value, key).into_iter().map(|number| number as usize).collect()
}

fn kernels(value: &Json, key: &str) -> Vec<Vec<usize>> {
    let kernel =
        |kernel: &Json| kernel.items().unwrap().iter().map(|edge| edge.as_f64().unwrap() as usize).collect();
    value.get(key).unwrap().items().unwrap().iter().map(kernel).collect()
}

fn size(value: &Json, key: &str) -> usize {
    value.get(key).unwrap().as_f64().unwrap() as usize
}

type Rule = fn(&[f64], &[usize], usize, usize) -> PoolAndConv;

#[test]
fn topologies_are_those_of_v1() {
    let folder = golden("train_step");
    let rules: [(&str, Rule); 3] = [
        ("get_pool_and_conv_props", pool_and_conv_props),
        ("get_pool_and_conv_props_v2", pool_and_conv_props_v2),
        ("get_pool_and_conv_props_poolLateV2", pool_and_conv_props_pool_late),
    ];
    let (mut compared, table) = (0, load(&folder, "pool_and_conv_props.json"));
    for case in table.get("cases").unwrap().items().unwrap() {
        for (name, rule) in rules {
            let want = case.get(name).unwrap();
            if want.get("exception").is_some() {
                continue;
            }
            let patch = sizes(case, "patch_size");
            let spacing = numbers(case, "spacing");
            let got = rule(&spacing, &patch, size(case, "min_feature_map_size"), size(case, "max_numpool"));
            let want = PoolAndConv {
                num_pool_per_axis: sizes(want, "num_pool_per_axis"),
                pool_op_kernel_sizes: kernels(want, "pool_op_kernel_sizes"),
                conv_kernel_sizes: kernels(want, "conv_kernel_sizes"),
                patch_size: sizes(want, "patch_size"),
                must_be_divisible_by: sizes(want, "must_be_divisible_by"),
            };
            assert_eq!(got, want, "{name} of {spacing:?} {patch:?}");
            compared += 1;
        }
    }
    assert!(compared > 80, "only {compared} topologies compared");
}

#[test]
fn memory_estimates_are_those_of_v1() {
    let folder = golden("train_step");
    let table = load(&folder, "vram.json");
    let cases = table.get("cases").unwrap().items().unwrap();
    assert!(!cases.is_empty());
    for case in cases.iter().filter(|case| case.get("deep_supervision") == Some(&Json::Bool(false))) {
        let got = generic_unet_vram(
            &sizes(case, "patch_size"),
            &kernels(case, "pool_op_kernel_sizes"),
            (size(case, "base_num_features"), size(case, "max_num_features")),
            (size(case, "num_modalities"), size(case, "num_classes")),
            size(case, "conv_per_stage"),
        );
        assert_eq!(got, case.get("result").unwrap().as_f64().unwrap(), "{case:?}");
    }
}
