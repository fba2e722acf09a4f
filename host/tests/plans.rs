//! `plans show`, `set` and `diff`, and plans of another task.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::{json, nifti, npz, pickle};
use nnunet_tests::World;

const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";
const PREPROCESSED: &str = "preprocessed/Task900_Phantom";

#[test]
fn plans_are_shown_changed_and_compared() {
    let world = World::with_raw_phantoms(5);
    world.succeed("plan_and_preprocess -t 900 -pl2d None -no_pp");
    let shown = world.succeed("plans show 900");
    assert!(shown.contains("patch        ["), "{shown}");
    let file = format!("{PREPROCESSED}/nnUNetPlansv2.1_plans_3D.pkl");
    let wrong = world.run("plans edit 900 --set plans_per_stage.0.patch_size=[33,33,33]");
    assert_eq!(wrong.code, 1);
    assert!(wrong.text.contains("must be divisible by"), "{}", wrong.text);
    world.succeed("plans edit 900 --set plans_per_stage.0.batch_size=7 base_num_features=8 -o other.pkl");
    let twin = world.path("other.json");
    let edited = std::fs::read_to_string(&twin)
        .unwrap()
        .replace("\"base_num_features\": 8", "\"base_num_features\": 6");
    let whole = std::fs::read(&twin).unwrap();
    std::fs::write(&twin, &edited).unwrap();
    let refused = world.run("plans edit other.pkl --set base_num_features=4");
    assert!(refused.code == 1 && refused.text.contains("other.json"), "{}", refused.text);
    assert_eq!(
        std::fs::read_to_string(&twin).unwrap(),
        edited,
        "what was edited by hand is not written over"
    );
    std::fs::write(&twin, whole).unwrap();
    let difference = world.succeed(&format!("plans diff {file} other.pkl"));
    assert!(difference.contains("plans_per_stage.0.batch_size: "), "{difference}");
    assert!(
        difference.contains(" -> 7\n") && difference.contains("base_num_features: 32 -> 8"),
        "{difference}"
    );
    assert_eq!(difference.lines().count(), 2, "{difference}");
    let written = pickle::load(&world.path("other.pkl")).unwrap();
    assert_eq!(written.get("base_num_features").and_then(pickle::Value::as_i64), Some(8));
    let twin = json::load(&world.path("other.json")).unwrap();
    assert_eq!(twin.get("base_num_features").and_then(json::Json::as_f64), Some(8.0));
}

#[test]
fn the_plans_of_another_task_can_be_taken_over() {
    let world = World::with_raw_phantoms(5);
    world.succeed("plan_and_preprocess -t 900 -pl2d None -no_pp");
    world.succeed(&format!(
        "plans edit 900 --set plans_per_stage.0.current_spacing=[2.0,2.0,2.0] -o {PREPROCESSED}/other.pkl"
    ));
    let alone = world.run("plan_and_preprocess -t 900 -pl3d ExperimentPlanner3D_v21_Pretrained -pl2d None");
    assert!(alone.text.contains("needs -overwrite_plans FILE"), "{}", alone.text);
    world.succeed(&format!(
        "plan_and_preprocess -t 900 -pl3d ExperimentPlanner3D_v21_Pretrained -pl2d None \
         -overwrite_plans {PREPROCESSED}/other.pkl -overwrite_plans_identifier FINE"
    ));
    let plans =
        pickle::load(&world.path(&format!("{PREPROCESSED}/nnUNetPlans_pretrained_FINE_plans_3D.pkl")))
            .unwrap();
    let identifier = plans.get("data_identifier").and_then(pickle::Value::as_str);
    assert_eq!(identifier, Some("nnUNetData_pretrained_FINE"));
    let case = world.path(&format!("{PREPROCESSED}/nnUNetData_pretrained_FINE_stage0/phantom_000.npz"));
    let original =
        nifti::read_geometry(&world.path(&format!("{RAW}/imagesTr/phantom_000_0000.nii.gz"))).unwrap();
    let (_, z, _, _) = npz::load_f32(&case, "data").unwrap().dim();
    assert!(z < original.size[2], "{z} slices of {:?}", original.size);
}
