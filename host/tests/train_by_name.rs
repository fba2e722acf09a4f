//! Trainers of v1 by name, and names that do not exist.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::pickle::{self, Value};
use nnunet_tests::World;

/// v1's trainers train by name, each with its own loss, network, schedule or augmentation.
#[test]
fn the_trainers_of_v1_train_by_name() {
    let world = World::with_phantoms();
    // One of each sort; the crate of the training engine trains with all of them.
    let parents =
        ["Loss_TopK10", "noDeepSupervision", "Mish", "3ConvPerStageSameFilters", "noDataAugmentation"];
    let table = |name: &str| {
        format!(
            "[trainers.{name}]\nextends = \"nnUNetTrainerV2_{name}\"\nmax_num_epochs = 1\nbatch_size = 2\n\
             num_batches_per_epoch = 1\nnum_val_batches_per_epoch = 1\n"
        )
    };
    world.write("nnunet.toml", &parents.map(table).concat());
    for name in parents {
        world.succeed(&format!(
            "train 3d_fullres {name} 900 0 -p nnUNetPlansSmall --disable_validation_inference"
        ));
        let fold = format!("results/nnUNet/3d_fullres/Task900_Phantom/{name}__nnUNetPlansSmall/fold_0");
        let beside = pickle::load(&world.path(&format!("{fold}/model_final_checkpoint.model.pkl"))).unwrap();
        let v1 = format!("nnUNetTrainerV2_{name}");
        assert_eq!(beside.get("name").and_then(Value::as_str), Some(v1.as_str()));
    }
    let shown = world.succeed("trainers diff nnUNetTrainerV2 nnUNetTrainerV2_Loss_DicewithBG_LR1en3");
    assert_eq!(shown.lines().count(), 3, "{shown}");
    let features = world.run("trainers show nnUNetTrainerV2_Los_CE");
    assert_eq!(features.code, 1);
    assert!(features.text.contains("nnUNetTrainerV2_Loss_CE"), "{}", features.text);
}

#[test]
fn an_unknown_trainer_gets_the_nearest_names_and_the_places() {
    let world = World::with_phantoms();
    let outcome = world.run("train 3d_fullres nnUNetTrainerV3 900 0 -p nnUNetPlansSmall");
    assert_eq!(outcome.code, 1);
    for part in
        ["there is no trainer `nnUNetTrainerV3`", "nnUNetTrainerV2", "nnunet.toml", "NNUNET_PLUGIN_PATH"]
    {
        assert!(outcome.text.contains(part), "{part} is missing in: {}", outcome.text);
    }
    assert!(!world.path("results/nnUNet").exists(), "something was written");
}
