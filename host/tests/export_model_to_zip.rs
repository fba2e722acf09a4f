//! `export_model_to_zip`, `install_pretrained_model_from_zip` and `change_trainer_class`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::pickle;
use nnunet_test_support::reference;
use nnunet_tests::{World, copy_folder, plugin};

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

/// A model of a plugin's network: its archive carries the plugin, is installed where there is none, and predicts there the
/// same labels.
#[test]
fn an_archive_carries_the_plugins_of_its_model() {
    let author = World::with_phantoms();
    author.configure(
        "\n[trainers.Blocks]\nextends = \"Short\"\narchitecture = \"MedNeXt\"\nmax_num_epochs = 1\n",
    );
    let with = format!("--plugin {}", plugin("mednext").display());
    author.succeed(&format!(
        "{with} train 3d_fullres Blocks 900 0 -p nnUNetPlansSmall --disable_validation_inference"
    ));
    let export =
        "export_model_to_zip -t 900 -m 3d_fullres -tr Blocks -pl nnUNetPlansSmall -f 0 --disable_strict";
    let alone = author.run(&format!("{export} -o none.zip --with_plugins"));
    assert!(alone.code == 1 && alone.text.contains("which is not in use here"), "{}", alone.text);
    author.succeed(&format!("{with} {export} -o model.zip --with_plugins"));

    let user = World::new();
    copy_folder(&author.path("raw"), &user.path("raw"));
    let zip = author.path("model.zip");
    let carried = user.succeed(&format!("install_pretrained_model_from_zip {}", zip.display()));
    assert!(carried.contains("the model was made with plugin mednext"), "{carried}");
    assert!(carried.contains("which were not installed; if you trust its author"), "{carried}");
    let predict = "predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o out -t 900 -m 3d_fullres -f 0 -tr Blocks \
        -p nnUNetPlansSmall --disable_tta";
    let without = user.run(predict);
    assert!(without.code == 1 && without.text.contains("mednext"), "{}", without.text);
    let installed = user.succeed(&format!(
        "install_pretrained_model_from_zip {} --install_plugins --overwrite",
        zip.display()
    ));
    assert!(installed.contains("installed mednext"), "{installed}");
    assert!(user.succeed("plugins list").contains(" MedNeXtBlock "));
    user.succeed(predict);
    author.succeed(&format!("{with} {predict}"));
    let labels = |world: &World| {
        let files = nnunet_test_support::files(&world.path("out"), ".nii.gz");
        files.iter().map(|file| nnunet_formats::nifti::read(file).unwrap().data).collect::<Vec<_>>()
    };
    let (theirs, ours) = (labels(&user), labels(&author));
    assert!(!ours.is_empty() && theirs == ours, "the labels differ");
}
