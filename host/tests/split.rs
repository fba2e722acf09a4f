//! `nnunet split`, and the folds that training makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_tests::World;
use serde_json::Value;

fn folds(text: &str) -> Vec<Vec<String>> {
    let folds: Value = serde_json::from_str(text).unwrap();
    let names = |fold: &Value| -> Vec<String> { serde_json::from_value(fold["val"].clone()).unwrap() };
    folds.as_array().unwrap().iter().map(names).collect()
}

#[test]
fn folds_of_a_task_are_made_by_a_splitter() {
    let world = World::new();
    world.succeed("example-dataset -o raw/nnUNet_raw_data --task Task900_Phantom --train 6 --test 0");
    let file = |ending: &str| world.path(&format!("preprocessed/Task900_Phantom/splits_final.{ending}"));
    let made = || folds(&std::fs::read_to_string(file("json")).unwrap());

    world.succeed("split -t 900");
    assert_eq!(made().concat().len(), 6, "v1's five folds");
    let names = |fold: &Vec<usize>| fold.iter().map(|i| format!("phantom_{i:03}")).collect::<Vec<_>>();
    assert_eq!(made().len(), 5);
    assert!(file("pkl").is_file());
    world.succeed("split -t 900");
    // Python v1 writes the pickle alone.
    let json = std::fs::read_to_string(file("json")).unwrap();
    std::fs::remove_file(file("json")).unwrap();
    assert!(world.succeed("split -t 900").contains("has these folds already"));
    std::fs::write(file("json"), json).unwrap();

    let other = ["split", "-t", "900", "-s", "GroupKFold", "--parameters"];
    let parameters = "folds = 3, pattern = \"phantom_00[0-9]\"";
    let words: Vec<&str> = other.into_iter().chain([parameters]).collect();
    let refused = world.run_words(&words);
    assert!(refused.code == 1 && refused.text.contains("--overwrite replaces them"), "{}", refused.text);
    let words: Vec<&str> = words.into_iter().chain(["--overwrite"]).collect();
    assert_eq!(world.run_words(&words).code, 0);
    assert_eq!(made().iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);

    let wrong = world.run_words(&["split", "-t", "900", "-s", "GroupKFold", "--parameters", "fold = 3"]);
    assert!(wrong.text.contains("unknown key `fold`; did you mean `folds`?"), "{}", wrong.text);

    world.write("cases.csv", "case,center\nphantom_000,a\nphantom_001,a\nphantom_002,b\nphantom_003,b\nphantom_004,c\nphantom_005,c\n");
    world.write("nnunet.toml", "[use]\nsplitter = { name = \"LeaveOneOut\", column = \"center\" }\n");
    world.succeed("split -t 900 --table cases.csv --overwrite");
    let wanted = [vec![0, 1], vec![2, 3], vec![4, 5]];
    assert_eq!(made(), wanted.iter().map(names).collect::<Vec<_>>());
    let missing = world.run_with("split -t 900 --dry_run", &[]);
    assert!(missing.text.contains("has no value of the column `center`"), "{}", missing.text);
}

#[test]
fn preprocessing_of_v2_uses_the_projects_splitter() {
    let world = World::new();
    world.succeed("example-dataset -o old --train 6 --test 0");
    let folders = ["nnUNet_raw", "nnUNet_preprocessed"].map(|name| (name, world.path(name)));
    let folders = folders.each_ref().map(|(name, path)| (*name, path.to_str().unwrap()));
    let run = |line: &str| world.run_with(line, &folders);
    assert_eq!(run("v2 convert_old_nnUNet_dataset old/Task900_Phantom Dataset900_Phantom").code, 0);
    world.write("nnunet.toml", "[use.v2]\nsplitter = { name = \"KFold\", folds = 3 }\n");
    let outcome = run("v2 plan_and_preprocess -d 900 -c 2d -np 2");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    let file = world.path("nnUNet_preprocessed/Dataset900_Phantom/splits_final.json");
    let made = || folds(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(made().len(), 3);
    let outcome = run("split -d 900 -s LeaveOneOut --overwrite");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert_eq!(made().len(), 6);
}
