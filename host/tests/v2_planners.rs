//! Planners of one's own for data sets of v2.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_tests::World;

/// The example of docs/v2.md: a table changes the memory and the name of its parent's plans.
#[test]
fn a_planner_in_a_table_plans_for_v2() {
    let world = World::new();
    world.succeed("example-dataset -o old --train 5 --test 0");
    let folders = ["nnUNet_raw", "nnUNet_preprocessed"].map(|name| (name, world.path(name)));
    let folders = folders.each_ref().map(|(name, path)| (*name, path.to_str().unwrap()));
    let succeed = |line: &str| {
        let outcome = world.run_with(line, &folders);
        assert_eq!(outcome.code, 0, "nnunet {line}\n{}", outcome.text);
    };
    succeed("v2 convert_old_nnUNet_dataset old/Task900_Phantom Dataset900_Phantom");
    world.write(
        "nnunet.toml",
        "[planners.Small]\nextends = \"nnUNetPlannerResEncL\"\n\
         v2 = { gpu_memory_gb = 0.5, plans_identifier = \"SmallPlans\" }\n",
    );
    succeed("v2 extract_fingerprint -d 900");
    for planner in ["nnUNetPlannerResEncL", "Small"] {
        succeed(&format!("v2 plan_experiment -d 900 -pl {planner}"));
    }
    world.write("nnunet.toml", "[planners.V1]\nextends = \"nnUNetPlanner\"\nplans_identifier = \"P\"\n");
    let refused = world.run_with("v2 plan_experiment -d 900 -pl V1", &folders);
    assert!(refused.code == 1 && refused.text.contains("V1 changes plans_identifier"), "{}", refused.text);
    let plans = |name: &str| -> serde_json::Value {
        let file = world.path("nnUNet_preprocessed/Dataset900_Phantom").join(name);
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    };
    let (parent, small) = (plans("nnUNetResEncUNetLPlans.json"), plans("SmallPlans.json"));
    assert_eq!(small["experiment_planner_used"], "Small");
    let of = |plans: &serde_json::Value, configuration: &str, key: &str| {
        plans["configurations"][configuration][key].clone()
    };
    let network = |plans| of(plans, "3d_fullres", "architecture")["network_class_name"].clone();
    assert_eq!(network(&small), network(&parent), "the parent's network");
    let batch = |plans| of(plans, "2d", "batch_size").as_u64().unwrap();
    assert!(batch(&small) < batch(&parent), "less memory, a smaller batch");
}
