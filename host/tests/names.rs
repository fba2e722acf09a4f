//! Mistyped names get the nearest ones and what there is; a project's file is found from the folders below it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_tests::World;

const IMAGES: &str = "raw/nnUNet_raw_data/Task900_Phantom/imagesTs";
const NEAREST: &str = "the nearest models are Task900_Phantom 3d_fullres Short nnUNetPlansSmall (folds 0)";
const FOLD_OF_V2: &str = "nnUNet_results/Dataset900_Phantom/Once__nnUNetPlansSmall__3d_fullres/fold_0";

#[test]
fn mistyped_names_get_the_nearest_ones() {
    let world = World::with_phantoms();
    world.succeed("train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference");
    let predict = format!("predict -i {IMAGES} -o out -tr Short -p nnUNetPlansSmall");
    for (line, said) in [
        ("train 3d_fulres Short 900 0 -p nnUNetPlansSmall".to_owned(), "did you mean `3d_fullres`?"),
        ("train 3d_fullres Short 900 0 -p nnUNetPlansSmal".to_owned(), "there are nnUNetPlansSmall"),
        ("train 3d_fullres Short Task900_Phantm 0".to_owned(), "did you mean `Task900_Phantom`?"),
        ("train 3d_fullres Short 901 0".to_owned(), "; there are Task900_Phantom"),
        (
            format!("{predict} -t 900 -m 3d_fulres"),
            "Task900_Phantom 3d_fullres Short nnUNetPlansSmall (folds 0)",
        ),
        (format!("{predict} -t 900 -f 3"), "There are the folds 0"),
    ] {
        let outcome = world.run(&line);
        assert!(outcome.code == 1 && outcome.text.contains(said), "{line}: {}", outcome.text);
    }
    let list = world.succeed("models list 900");
    assert!(list.contains("Short") && list.contains("folds 0"), "{list}");
    let none = world.succeed("models list 901");
    assert!(none.starts_with("there are no trained models of 901 in "), "{none}");
    for (line, said) in [
        ("find_best_configuration -t 900 -tr Shrot -pl nnUNetPlansSmall", NEAREST),
        ("find_best_configuration -t 900 -tr Short -pl nnUNetPlansSmall -m 3d_fulres", NEAREST),
        ("determine_postprocessing -t 900 -m 3d_fullres -tr Shrot -pl nnUNetPlansSmall", NEAREST),
        ("export_model_to_zip -t 900 -o a.zip -m 3d_fullres -tr Shrot -pl nnUNetPlansSmall", NEAREST),
        (
            "find_best_configuration -t 900 -tr Short -pl nnUNetPlansSmall",
            "folds 1, 2, 3, 4 are not trained: nnunet train 3d_fullres Short Task900_Phantom 1 -p nnUNetPlansSmall",
        ),
    ] {
        let outcome = world.run(line);
        assert!(outcome.code == 1 && outcome.text.contains(said), "{line}: {}", outcome.text);
    }
    // Folds that were edited in the JSON alone.
    let folds = world.path("preprocessed/Task900_Phantom/splits_final.json");
    let text = std::fs::read_to_string(&folds).unwrap();
    assert!(text.contains("phantom_003"), "{text}");
    let edited = r#"[{"train": ["phantom_000", "phantom_001"], "val": ["phantom_002"]}]"#;
    std::fs::write(&folds, edited).unwrap();
    let train = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --overwrite --disable_validation_inference";
    let refused = world.run(train);
    assert!(refused.code == 1 && refused.text.contains("remove the .pkl"), "{}", refused.text);
    std::fs::remove_file(folds.with_extension("pkl")).unwrap();
    let used = world.succeed(train);
    assert!(used.contains("This split has 2 training and 1 validation cases."), "{used}");
    // Python's forms of flags.
    let text = world.succeed(&format!("{predict} -t900 -fNone -m3d_fullres"));
    assert!(text.contains("folds: 0;") && text.contains("precision: fp32"), "{text}");
    assert!(text.contains("postprocessing: None; none was determined for this model"), "{text}");
}

#[test]
fn mistyped_names_of_v2_get_the_nearest_ones() {
    let world = World::with_phantoms_of_v2();
    world.configure("\n[trainers.Once]\nextends = \"Short\"\nmax_num_epochs = 1\n");
    let train = "v2 train 900 3d_fullres 0 -tr Once -p nnUNetPlansSmall -device cpu";
    world.succeed(train);
    let predict = format!("v2 predict -i {IMAGES} -o out -p nnUNetPlansSmall -tr Once");
    for (line, said) in [
        (train.replace("3d_fullres", "3d_fulres"), "there are 2d, 3d_fullres; did you mean `3d_fullres`?"),
        (train.replace("PlansSmall", "PlansSmal"), "there are nnUNetPlansSmall"),
        (train.replace("Once", "Onse"), "Once"),
        (train.replace("900", "Dataset900_Phantm"), "did you mean `Dataset900_Phantom`?"),
        (train.replace("900", "901"), "; there are Dataset900_Phantom"),
        (
            format!("{predict} -d 900 -c 3d_fulres"),
            "Dataset900_Phantom 3d_fullres Once nnUNetPlansSmall (folds 0)",
        ),
        (
            "v2 find_best_configuration 900 -tr Onse -p nnUNetPlansSmall -c 3d_fullres".to_owned(),
            "the nearest models are Dataset900_Phantom 3d_fullres Once",
        ),
        (
            "v2 find_best_configuration 900 -tr Once -p nnUNetPlansSmal -c 3d_fullres".to_owned(),
            "name others with -p; the nearest models are Dataset900_Phantom 3d_fullres Once",
        ),
        (
            "v2 export_model_to_zip -d 900 -o a.zip -tr Onse -p nnUNetPlansSmall -c 3d_fullres".to_owned(),
            "the nearest models are Dataset900_Phantom 3d_fullres Once",
        ),
        (train.to_owned(), "--overwrite trains it anew, --c only repeats its validation"),
    ] {
        let outcome = world.run(&line);
        assert!(outcome.code == 1 && outcome.text.contains(said), "{line}: {}", outcome.text);
    }
    let again = world.succeed(&format!("{train} --c"));
    assert!(!again.contains("Epoch 0") && again.contains("Mean Validation Dice"), "{again}");
    assert!(world.succeed(&format!("{train} --overwrite --set max_num_epochs=2")).contains("Epoch 1"));
    let again = world.succeed(&format!("{train} --c"));
    assert!(again.contains("epochs: 2 of 2 are done"), "the checkpoint keeps --set: {again}");
    let predict = format!("{predict} -d 900 -c 3d_fullres -device cpu");
    let said = world.succeed(&predict);
    assert!(said.contains("trainer: Once; folds: 0;"), "{said}");
    let again = world.succeed(&format!("{predict} --continue_prediction"));
    assert!(again.contains("nothing to do") && again.contains("without --continue_prediction"), "{again}");
    let logs = nnunet_test_support::files(&world.path(FOLD_OF_V2), ".txt");
    let log = logs.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect::<String>();
    assert!(
        log.contains("validation, label 1 (body): mean Dice") && log.contains("Mean Validation Dice"),
        "{log}"
    );
    for line in ["The split file contains 5 splits.", "Training done.", "predicting phantom_0"] {
        assert!(log.contains(line), "{line} is missing in {log}");
    }
}

#[test]
fn a_projects_file_is_found_from_below() {
    let world = World::new();
    world.write("nnunet.toml", "[use]\ntrainer = \"Mine\"\n");
    std::fs::create_dir_all(world.path("a/b")).unwrap();
    let output = world.command("config show").current_dir(world.path("a/b")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("use.trainer = \"Mine\""), "{text}");
}
