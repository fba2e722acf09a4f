//! v2's commands on finished cross-validations against Python's stored results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_data::v2::Postprocessing;
use nnunet_formats::json;
use nnunet_test_support::{difference, golden, same_labels};
use nnunet_tests::{World, contents, copy_folder};

/// Largest relative difference of a score.
const SCORES: f64 = 1e-9;
const MODEL: &str = "nnUNetTrainer__nnUNetPlans__";

struct Data(World);

impl Data {
    fn new() -> Self {
        let world = World::new();
        for part in ["results", "preprocessed"] {
            copy_folder(&golden("v2_selection").join(part), &world.path(part));
        }
        Self(world)
    }

    fn run(&self, line: &str) -> (i32, String) {
        let [results, preprocessed] =
            ["results", "preprocessed"].map(|part| self.0.path(part).display().to_string());
        let variables =
            [("nnUNet_results", results.as_str()), ("nnUNet_preprocessed", preprocessed.as_str())];
        let outcome = self.0.run_with(&format!("v2 {line}"), &variables);
        (outcome.code, outcome.text)
    }

    fn succeed(&self, line: &str) -> String {
        let (code, text) = self.run(line);
        assert_eq!(code, 0, "{line}\n{text}");
        text
    }
}

/// All files that Python wrote are there and say the same; paths in them are below the same folders.
fn same_as_python(world: &World, dataset: &str) -> usize {
    let expected = golden("v2_selection/expected").join(dataset);
    let ours = world.path("results").join(dataset);
    let (mut compared, root) = (0, world.path("").display().to_string());
    for file in contents(&expected).keys() {
        let name = file.strip_prefix(&expected).unwrap_or(file);
        let (theirs, own) = (expected.join(name), ours.join(name));
        assert!(own.is_file(), "{} is missing", own.display());
        let text = || {
            let text = std::fs::read_to_string(&theirs).unwrap();
            let text = text.replace("@/nnUNet_results", &format!("{}/results", root.trim_end_matches('/')));
            // Python names files in folders that it has removed since.
            let text = text.replace("temp/keep_largest_fg/", "");
            let text = text.replace("temp/keep_largest_perClassOrRegion/", "");
            text.replace("@/nnUNet_preprocessed", &format!("{}/preprocessed", root.trim_end_matches('/')))
        };
        let ending = name.extension().unwrap_or_default().to_string_lossy().into_owned();
        match ending.as_str() {
            "json" => {
                let (theirs, own) = (json::parse(&text()).unwrap(), json::load(&own).unwrap());
                // Without a raw data set, ours takes the copies of its label maps.
                let skip = |key: &str| key == "reference_file";
                assert_eq!(difference(&theirs, &own, SCORES, &skip), None, "{}", name.display());
            }
            "pkl" => {
                let [theirs, own] = [&theirs, &own].map(|path| Postprocessing::load(path).unwrap());
                assert_eq!(theirs, own, "{}", name.display());
            }
            "txt" => {
                let commands = |text: &str| -> Vec<String> {
                    let lines = text.lines().filter(|line| line.starts_with("nnUNetv2_"));
                    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
                };
                let own = std::fs::read_to_string(&own).unwrap();
                for command in commands(&text()) {
                    let is_there = commands(&own).iter().any(|own| same_command(own, &command));
                    assert!(is_there, "{command}\n{own}");
                }
            }
            _ => continue,
        }
        compared += 1;
    }
    compared
}

/// Ours names the stage before a cascade too, which Python forgets, and says as many processes as this machine is told.
fn same_command(own: &str, theirs: &str) -> bool {
    let plain = |command: &str| {
        let command = command.replace(" -prev_stage_predictions OUTPUT_FOLDER_PREV_STAGE", "");
        let words = command.split(' ').collect::<Vec<_>>();
        let is_number = |i: usize| i > 0 && words[i - 1] == "-np";
        (0..words.len()).filter(|i| !is_number(*i)).map(|i| words[i]).collect::<Vec<_>>().join(" ")
    };
    plain(own) == plain(theirs)
}

#[test]
fn the_best_of_labels_is_that_of_python() {
    let data = Data::new();
    let text = data.succeed(
        "find_best_configuration Dataset910_Labels -c 2d 3d_fullres 3d_cascade_fullres 3d_other -f 0 1",
    );
    assert!(text.contains("no configuration 3d_other"), "{text}");
    assert!(same_as_python(&data.0, "Dataset910_Labels") > 10);
    let best = "ensembles/ensemble___nnUNetTrainer__nnUNetPlans__3d_fullres___nnUNetTrainer__nnUNetPlans__3d_cascade_fullres___0_1/postprocessed";
    let expected = golden("v2_selection/expected/Dataset910_Labels").join(best);
    assert_eq!(same_labels(&expected, &data.0.path("results/Dataset910_Labels").join(best)), 5);
    let instructions =
        std::fs::read_to_string(data.0.path("results/Dataset910_Labels/inference_instructions.txt")).unwrap();
    assert!(instructions.contains("-c 3d_lowres") && instructions.contains("-prev_stage_predictions"));
}

#[test]
fn the_best_of_regions_is_that_of_python_and_stays_when_it_is_asked_for_again() {
    let data = Data::new();
    data.succeed("find_best_configuration 911 -c 2d 3d_fullres -f 0 1");
    assert!(same_as_python(&data.0, "Dataset911_Regions") > 10);
    let before = contents(&data.0.path("results/Dataset911_Regions"));
    data.succeed("find_best_configuration 911 -c 2d 3d_fullres -f 0 1 --no_overwrite");
    let after = contents(&data.0.path("results/Dataset911_Regions"));
    assert!(before == after, "the second run has changed something");
    // A fold was validated again.
    let model = data.0.path(&format!("results/Dataset911_Regions/{MODEL}2d"));
    let case = model.join("fold_0/validation/case_0.nii.gz");
    std::fs::write(&case, std::fs::read(&case).unwrap()).unwrap();
    data.succeed("find_best_configuration 911 -c 2d 3d_fullres -f 0 1 --no_overwrite");
    let collected = model.join("crossval_results_folds_0_1/case_0.nii.gz");
    let written = |path: &Path| path.metadata().unwrap().modified().unwrap();
    assert!(written(&collected) >= written(&case), "the earlier prediction was compared");
    // A case is predicted in two folds.
    let of = |fold: u8| data.0.path(&format!("results/Dataset911_Regions/{MODEL}2d/fold_{fold}/validation"));
    std::fs::copy(of(0).join("case_0.nii.gz"), of(1).join("case_0.nii.gz")).unwrap();
    let (code, text) = data.run("accumulate_crossval_results 911 -c 2d -f 0 1");
    assert!(code == 1 && text.contains("case_0.nii.gz is in the validations of the folds 0 and 1"), "{text}");
}

#[test]
fn what_is_missing_is_named() {
    let data = Data::new();
    let (code, text) = data.run("find_best_configuration 911 -c 2d -f 0 1 2");
    assert!(code == 1 && text.contains("folds 2 have no validation"), "{text}");
    let model = data.0.path(&format!("results/Dataset911_Regions/{MODEL}2d"));
    for file in contents(&model.join("fold_1/validation")).keys() {
        if file.extension().is_some_and(|ending| ending == "npz") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let (code, text) = data.run("find_best_configuration 911 -c 2d 3d_fullres -f 0 1");
    assert!(code == 1 && text.contains("--val --npz"), "{text}");
    data.succeed("find_best_configuration 911 -c 2d 3d_fullres -f 0 1 --disable_ensembling");
    let merged = model.join("crossval_results_folds_0_1");
    let truths = data.0.path("preprocessed/Dataset911_Regions/gt_segmentations");
    let text = data.succeed(&format!(
        "determine_postprocessing -i {} --ref {} --remove_postprocessed",
        merged.display(),
        truths.display()
    ));
    assert!(!text.contains("keeping the largest") && text.contains("mean Dice"), "{text}");
    assert!(merged.join("postprocessing.pkl").is_file() && !merged.join("postprocessed").exists());
    // What was found is what apply_postprocessing does.
    data.succeed(&format!(
        "apply_postprocessing -i {0} -o applied --pp_pkl_file {0}/postprocessing.pkl",
        merged.display()
    ));
    assert!(data.0.path("applied/case_0.nii.gz").is_file());
}
