//! `export_model_to_zip`, `install_pretrained_model_from_zip` and `change_trainer_class`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::pickle;
use nnunet_test_support::reference;
use nnunet_tests::{World, copy_folder};

#[test]
fn models_change_hands() {
    let Some(root) = reference("model_v1", "exchange::models_change_hands") else { return };
    let model = "nnUNet/3d_fullres/Task004_Hippocampus/nnUNetTrainerV2_tiny__nnUNetPlansSmall";
    let world = World::new();
    copy_folder(&root.join("results").join(model), &world.path("results").join(model));
    let export = "export_model_to_zip -t Task004_Hippocampus -o out/model.zip -tr nnUNetTrainerV2_tiny -pl nnUNetPlansSmall";
    let strict = world.run(&format!("{export} -f 0 1"));
    assert_eq!(strict.code, 1);
    assert!(strict.text.contains("--disable_strict"), "{}", strict.text);
    world.succeed(&format!("{export} -f 0 1 --disable_strict"));
    let again = world.run(&format!("{export} -f 0 1 --disable_strict"));
    assert!(again.text.contains("exists already"), "{}", again.text);
    let elsewhere = world.path("elsewhere").display().to_string();
    let install = |line: &str| world.run_with(line, &[("RESULTS_FOLDER", elsewhere.as_str())]);
    let outcome = install("install_pretrained_model_from_zip out/model.zip");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    for file in
        ["fold_0/model_final_checkpoint.model", "fold_1/model_final_checkpoint.model.pkl", "plans.pkl"]
    {
        let [before, after] = ["results", "elsewhere"]
            .map(|root| std::fs::read(world.path(root).join(model).join(file)).unwrap());
        assert!(before == after, "{file}");
    }
    assert_eq!(install("install_pretrained_model_from_zip out/model.zip").code, 1);
    world.succeed(&format!("change_trainer_class -i elsewhere/{model} -tr nnUNetTrainerV2_noMirroring"));
    let path = world.path("elsewhere").join(model).join("fold_1/model_final_checkpoint.model.pkl");
    let value = pickle::load(&path).unwrap();
    assert_eq!(value.get("name").unwrap().as_str(), Some("nnUNetTrainerV2_noMirroring"));
}
