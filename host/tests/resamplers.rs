//! Resamplers by name: of the program, of nnunet.toml and of a plugin, in plans of v1 and v2.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_formats::npz;
use nnunet_tests::{World, plugin};

/// A world with a data set of v2.
struct V2(World);

impl V2 {
    fn new() -> Self {
        let world = Self(World::new());
        world.0.succeed("example-dataset -o old --train 5 --test 0");
        world.succeed("v2 convert_old_nnUNet_dataset old/Task900_Phantom Dataset900_Phantom");
        world.succeed("v2 extract_fingerprint -d 900");
        world
    }

    fn run(&self, line: &str) -> nnunet_tests::Outcome {
        let folders = ["nnUNet_raw", "nnUNet_preprocessed"].map(|name| (name, self.0.path(name)));
        let folders = folders.each_ref().map(|(name, path)| (*name, path.to_str().unwrap()));
        self.0.run_with(line, &folders)
    }

    fn succeed(&self, line: &str) {
        let outcome = self.run(line);
        assert_eq!(outcome.code, 0, "nnunet {line}\n{}", outcome.text);
    }

    fn preprocessed(&self, name: &str) -> std::path::PathBuf {
        self.0.path("nnUNet_preprocessed/Dataset900_Phantom").join(name)
    }

    fn plans(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(self.preprocessed(name)).unwrap()).unwrap()
    }
}

/// Image and labels of a case.
fn arrays(folder: &Path) -> (ndarray::Array4<f32>, ndarray::Array4<f32>) {
    let file = folder.join("phantom_000.npz");
    (npz::load_f32(&file, "data").unwrap(), npz::load_f32(&file, "seg").unwrap())
}

#[test]
fn plans_of_v2_name_a_resampler_of_a_plugin_and_of_a_table() {
    let world = V2::new();
    world.0.write(
        "nnunet.toml",
        "[resamplers.Straight]\nextends = \"resample_data_or_seg_to_shape\"\norder = 1\n\
         [planners.Spline]\nextends = \"nnUNetPlanner\"\n\
         v2 = { plans_identifier = \"SplinePlans\", target_spacing = [3.0, 1.5, 2.0], resampler_data = \"Straight\" }\n\
         [planners.Mean]\nextends = \"Spline\"\n\
         v2 = { plans_identifier = \"MeanPlans\", resampler_data = \"MeanOfVoxels\", resampler_seg = \"MeanOfVoxels\" }\n\
         [planners.Cubic]\nextends = \"Spline\"\n\
         v2 = { plans_identifier = \"CubicPlans\", resampler_data = { name = \"Straight\", order = 3 } }\n",
    );
    let plugin = format!("--plugin {}", plugin("my_resampler").display());
    for planner in ["Spline", "Mean", "Cubic"] {
        world.succeed(&format!("{plugin} v2 plan_experiment -d 900 -pl {planner}"));
        let line = format!("v2 preprocess -d 900 -plans_name {planner}Plans -c 3d_fullres -np 2 --store npz");
        if planner == "Mean" {
            let refused = world.run(&line);
            let error = "resampling_fn_data: there is no resampler `MeanOfVoxels`";
            assert!(refused.code == 1 && refused.text.contains(error), "{}", refused.text);
        }
        world.succeed(&format!("{plugin} {line}"));
    }
    let plans = world.plans("MeanPlans.json");
    let configuration = &plans["configurations"]["3d_fullres"];
    assert_eq!(configuration["resampling_fn_data"], "MeanOfVoxels");
    assert_eq!(configuration["resampling_fn_probabilities"], "resample_data_or_seg_to_shape");
    assert_eq!(configuration["data_identifier"], "MeanPlans_3d_fullres", "its data are its own");
    let of = |name: &str| arrays(&world.preprocessed(&format!("{name}Plans_3d_fullres")));
    let ((spline, labels), (mean, mean_labels), (cubic, _)) = (of("Spline"), of("Mean"), of("Cubic"));
    assert_eq!((spline.dim(), labels.dim()), (mean.dim(), mean_labels.dim()));
    assert!(spline != mean && spline != cubic && cubic != mean, "three resamplers, three images");
    let known = |labels: &ndarray::Array4<f32>| labels.iter().all(|label| label.fract() == 0.0);
    assert!(known(&labels) && known(&mean_labels));
}

#[test]
fn a_preprocessor_of_v1_names_a_resampler() {
    let world = World::with_phantoms();
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    let planner = |name: &str| {
        format!(
            "\n[planners.{name}]\nextends = \"Small\"\npreprocessor = \"{name}Preprocessor\"\n\
             plans_identifier = \"nnUNetPlans{name}\"\ndata_identifier = \"nnUNetData_{name}\"\n\
             [preprocessors.{name}Preprocessor]\nextends = \"GenericPreprocessor\"\n"
        )
    };
    let with = |name: &str, resampler: &str| format!("{}resampler = {resampler}\n", planner(name));
    let tables = [
        format!("{}order_data = 1\n", planner("Settings")),
        with("Patient", "{ name = \"resample_patient\", order_data = 1 }"),
        with("Mean", "\"MeanOfVoxels\""),
        with("Kept", "\"no_resampling_hack\""),
    ];
    world.write("nnunet.toml", &(toml + &tables.concat()));
    let plugin = format!("--plugin {}", plugin("my_resampler").display());
    let of = |name: &str| {
        world.succeed(&format!("{plugin} plan_and_preprocess -t 900 -pl3d {name} -pl2d None -tl 2 -tf 2"));
        let file = format!("preprocessed/Task900_Phantom/nnUNetData_{name}_stage0/phantom_000.npz");
        npz::load_f32(&world.path(&file), "data").unwrap()
    };
    let [settings, patient, mean, kept] = ["Settings", "Patient", "Mean", "Kept"].map(of);
    assert_eq!(settings, patient, "the component does what the settings do");
    assert_eq!(settings.dim(), mean.dim());
    assert!(kept.dim() != mean.dim() || kept != mean, "without resampling");
    let record = std::fs::read_to_string(
        world.path("preprocessed/Task900_Phantom/nnUNetPlansMean_plans_3D.plugins.json"),
    );
    assert!(record.is_ok_and(|record| record.contains("my-resampler")), "plans record the plugin");
}

/// Python preprocesses everything again, and cuts arrays by the patch of the plans.
#[test]
fn another_patch_cuts_the_blocks_of_stored_arrays_again() {
    let world = V2::new();
    world.succeed("v2 plan_experiment -d 900");
    let preprocess = || {
        world.succeed("v2 preprocess -d 900 -c 3d_fullres -np 2");
        std::fs::read(world.preprocessed("nnUNetPlans_3d_fullres/phantom_000.b2nd")).unwrap()
    };
    let first = preprocess();
    assert_eq!(first, preprocess());
    let mut plans = world.plans("nnUNetPlans.json");
    plans["configurations"]["3d_fullres"]["patch_size"] = serde_json::json!([8, 8, 8]);
    std::fs::write(world.preprocessed("nnUNetPlans.json"), plans.to_string()).unwrap();
    let cut = preprocess();
    assert_ne!(first, cut, "the same values in other blocks");
    std::fs::remove_dir_all(world.preprocessed("nnUNetPlans_3d_fullres")).unwrap();
    assert_eq!(cut, preprocess());
}

#[test]
fn a_planner_for_v2_shows_its_own_settings() {
    let world = World::new();
    let text = world.succeed("plugins inspect nnUNetPlannerResEncL");
    assert!(text.contains("gpu_memory_gb = 24.0") && text.contains("v2.plans_identifier"), "{text}");
    assert!(!text.contains("conv_per_stage"), "v1's settings: {text}");
    assert!(world.succeed("plugins inspect ExperimentPlanner3D_v21").contains("conv_per_stage"));
}
