//! Plugins as strangers build them: one that works, and one that misbehaves on request.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use nnunet_formats::nifti;
use nnunet_tests::{World, plugin};

fn train(world: &World, file: &str, trainer: &str, fault: &str) -> nnunet_tests::Outcome {
    let line = format!(
        "--plugin {} train 3d_fullres {trainer} Task900_Phantom 0 -p nnUNetPlansSmall --disable_validation_inference --overwrite",
        plugin(file).display()
    );
    world.run_with(&line, &[("NNUNET_MISBEHAVE", fault)])
}

#[test]
fn a_plugins_trainer_is_used_by_name_and_can_be_extended_in_toml() {
    let world = World::with_phantoms();
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    let child = "\n[trainers.Mine]\nextends = \"MyTrainer\"\nmax_num_epochs = 2\nnum_batches_per_epoch = 3\nnum_val_batches_per_epoch = 1\nbatch_size = 2\n";
    world.write("nnunet.toml", &(toml + child));
    let outcome = train(&world, "my_trainer", "Mine", "");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    // The plugin's cosine: 5e-3 at first, half of it in the middle.
    assert!(outcome.text.contains("lr: 0.005") && outcome.text.contains("lr: 0.0025"), "{}", outcome.text);
    // What the plugin logs before and during the run is in the run's log file.
    let fold = world.path("results/nnUNet/3d_fullres/Task900_Phantom/Mine__nnUNetPlansSmall/fold_0");
    let log = nnunet_test_support::files(&fold, ".txt");
    let log = log.iter().find(|file| file.display().to_string().contains("training_log_")).unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches(": soft Dice plus focal cross entropy of 3 classes").count(), 1, "{log}");
    let list = world.succeed(&format!("--plugin {} plugins list", plugin("my_trainer").display()));
    assert!(list.contains("MyTrainer") && list.contains("loaded"), "{list}");
}

#[test]
fn a_behaving_plugin_trains_also_with_its_own_architecture() {
    let world = World::with_phantoms();
    for fault in ["", "pointwise"] {
        let outcome = train(&world, "misbehaving", "Misbehaving", fault);
        assert_eq!(outcome.code, 0, "{fault}: {}", outcome.text);
    }
}

/// The example is trained, continued from a checkpoint, used to predict, and drawn as it was built.
#[test]
fn an_architecture_of_a_plugin_is_trained_and_predicts() {
    let world = World::with_phantoms();
    let library = plugin("my_architecture").display().to_string();
    let text = world.succeed(&format!("plugins check {library}"));
    assert!(text.contains("ok   architecture ConvNextUnet: learns"), "{text}");
    world.configure("\n[trainers.Next]\nextends = \"Short\"\narchitecture = \"ConvNextUnet\"\n");
    let train = format!(
        "--plugin {library} train 3d_fullres Next 900 0 -p nnUNetPlansSmall --disable_validation_inference"
    );
    world.succeed(&train);
    let fold = world.path("results/nnUNet/3d_fullres/Task900_Phantom/Next__nnUNetPlansSmall/fold_0");
    let drawing = std::fs::read(fold.join("network_architecture.pdf")).unwrap();
    let drawing = String::from_utf8_lossy(&drawing);
    assert!(drawing.contains("(encoder.0.spatial: "), "{drawing}");
    assert!(!drawing.contains("features"), "{drawing}");
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    world.write("nnunet.toml", &toml.replace("max_num_epochs = 2", "max_num_epochs = 3"));
    let text = world.succeed(&(train + " -c"));
    assert!(text.contains("epoch:  2") && !text.contains("epoch:  1"), "{text}");
    world.succeed(&format!(
        "--plugin {library} predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o out -t 900 -m 3d_fullres -f 0 -tr Next \
         -p nnUNetPlansSmall --disable_tta"
    ));
    assert_eq!(nnunet_test_support::files(&world.path("out"), ".nii.gz").len(), 2);
}

/// Only what the augmentation does differs between two trainings: stripes of some height, and of none.
#[test]
fn a_plugins_augmentation_changes_what_a_network_sees() {
    let world = World::with_phantoms();
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    let trainer = |name: &str, height: f64| {
        format!(
            "\n[trainers.{name}]\nextends = \"Short\"\naugmentation = {{ name = \"KSpaceSpikes\", p = 1.0, height = {height:?} }}\n"
        )
    };
    world.write("nnunet.toml", &(toml + &trainer("Striped", 5.0) + &trainer("Plain", 0.0)));
    let losses = ["Striped", "Plain"].map(|name| {
        let outcome = train(&world, "my_augmentation", name, "");
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        let lines: Vec<String> =
            outcome.text.lines().filter(|line| line.starts_with("train loss")).map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{}", outcome.text);
        lines
    });
    assert_ne!(losses[0], losses[1]);
    let file = "results/nnUNet/3d_fullres/Task900_Phantom/Striped__nnUNetPlansSmall/fold_0/debug.json";
    let debug = std::fs::read_to_string(world.path(file)).unwrap();
    let debug: serde_json::Value = serde_json::from_str(&debug).unwrap();
    assert_eq!(debug["augmentation"]["name"], "KSpaceSpikes");
    assert_eq!(debug["augmentation"]["height"], 5.0);
}

const CHOSEN: &str = "\n[use]\nloss = \"DC_and_CE_loss\"\n";
const CHILD: &str = "\n[trainers.Child]\nextends = \"Misbehaving\"\nloss = \"TopKLoss\"\n";

/// The trainer has a loss that panics: another is used where the project, or a child of the trainer, names it.
#[test]
fn a_loss_that_is_named_takes_the_place_of_a_trainers_own() {
    let world = World::with_phantoms();
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    let outcome = train(&world, "misbehaving", "Misbehaving", "");
    let said = "trainer Misbehaving uses its own loss instead of DC_and_CE_loss";
    assert!(outcome.text.contains(said), "{}", outcome.text);
    world.write("nnunet.toml", &(toml.clone() + CHILD));
    let outcome = train(&world, "misbehaving", "Child", "panic");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    world.write("nnunet.toml", &(toml + CHOSEN));
    let outcome = train(&world, "misbehaving", "Misbehaving", "panic");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    let said = "[use] in nnunet.toml selects the loss DC_and_CE_loss instead of that of trainer Misbehaving";
    assert!(outcome.text.contains(said), "{}", outcome.text);
}

/// Plans, preprocessing, normalization and augmentation by plugins, and what models remember of them.
const BY_PLUGINS: &str = r#"
[planners.Ranked]
extends = "RankPlanner"
base_num_features = 4
normalization = "Percentiles"
plans_identifier = "nnUNetPlansSmall"
data_identifier = "nnUNetData_ranked"

[trainers.Striped]
extends = "Short"
augmentation = "KSpaceSpikes"
"#;

const MODEL: &str = "results/nnUNet/3d_fullres/Task900_Phantom/Striped__nnUNetPlansSmall/fold_0";
const PREDICT: &str = "predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o out -t 900 -m 3d_fullres -f 0 -tr Striped -p nnUNetPlansSmall --disable_tta";

#[test]
fn a_model_remembers_all_plugins_it_was_made_with() {
    let world = World::with_phantoms();
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    world.write("nnunet.toml", &(toml + BY_PLUGINS));
    let names = ["my_preprocessor", "my_imaging", "my_augmentation"];
    for name in names {
        std::fs::copy(plugin(name), world.path(&format!("{name}.so"))).unwrap();
    }
    let with = |names: &[&str], line: &str| {
        let named: String = names.iter().map(|name| format!("--plugin {name}.so ")).collect();
        world.run(&(named + line))
    };
    let train =
        "train 3d_fullres Striped 900 0 -p nnUNetPlansSmall --disable_validation_inference --overwrite";
    for line in ["plan_and_preprocess -t 900 -pl3d Ranked -pl2d None -tl 2 -tf 2", train] {
        let outcome = with(&names, line);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        assert!(!outcome.text.contains("made with plugin"), "{}", outcome.text);
    }
    let debug = std::fs::read_to_string(world.path(MODEL).join("debug.json")).unwrap();
    let debug: serde_json::Value = serde_json::from_str(&debug).unwrap();
    let pickle =
        nnunet_formats::pickle::load(&world.path(MODEL).join("model_final_checkpoint.model.pkl")).unwrap();
    let kept = pickle.get("nnunet").and_then(|own| own.get("plugins")?.as_str()).unwrap().to_owned();
    assert_eq!(debug["made_with"], serde_json::from_str::<serde_json::Value>(&kept).unwrap());
    let used = |plugin: &str| {
        let maker =
            debug["made_with"].as_array().unwrap().iter().find(|maker| maker["name"] == plugin).unwrap();
        assert_eq!(maker["version"], "0.1.0");
        assert_eq!(maker["sha256"].as_str().unwrap().len(), 64);
        maker["components"].to_string()
    };
    assert_eq!(used("my-preprocessor"), r#"[["planner","RankPlanner"],["preprocessor","RankPreprocessor"]]"#);
    assert_eq!(used("my-imaging"), r#"[["normalization","Percentiles"]]"#);
    assert_eq!(used("my-augmentation"), r#"[["augmentation","KSpaceSpikes"]]"#);

    // Prediction needs what prepares a case, and not what made batches.
    let outcome = with(&names[1..], PREDICT);
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    let said = "the model was made with plugin my-preprocessor 0.1.0 (planner RankPlanner, preprocessor RankPreprocessor; sha256 ";
    assert!(outcome.text.contains(said), "{}", outcome.text);
    let outcome = with(&names[..1], PREDICT);
    assert!(
        outcome
            .text
            .contains("the model was made with plugin my-imaging 0.1.0 (normalization Percentiles; sha256 "),
        "{}",
        outcome.text
    );
    let outcome = with(&names[..2], PREDICT);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(!outcome.text.contains("made with plugin"), "{}", outcome.text);

    // A byte more, and it is another file.
    let file = world.path("my_preprocessor.so");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.push(0);
    std::fs::write(&file, bytes).unwrap();
    let outcome = with(&names, train);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    let said = "warning: the plans and their data were made with plugin my-preprocessor 0.1.0 (planner RankPlanner, preprocessor RankPreprocessor; sha256 ";
    assert!(outcome.text.contains(said), "{}", outcome.text);
    assert!(outcome.text.contains("; now it is version 0.1.0 with sha256 "), "{}", outcome.text);
    let outcome = with(&names, &format!("{PREDICT} --overwrite_existing"));
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(
        outcome.text.contains("warning: the model was made with plugin my-preprocessor"),
        "{}",
        outcome.text
    );
}

#[test]
fn files_that_are_no_plugins_are_refused() {
    let world = World::new();
    world.write("odd.so", "not a library");
    let outcome = world.run("--plugin odd.so plugins list");
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("plugin odd.so: cannot be loaded"), "{}", outcome.text);
    let outcome = world.run("--plugin none.so plugins list");
    assert!(outcome.text.contains("there is no such file"), "{}", outcome.text);
}

#[test]
fn a_plugin_in_a_folder_everybody_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    std::fs::create_dir(world.path("open")).unwrap();
    let copy = world.path("open/libmy_trainer.so");
    std::fs::copy(plugin("my_trainer"), &copy).unwrap();
    std::fs::set_permissions(world.path("open"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = world.run("--plugin open/libmy_trainer.so plugins list");
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("writable by everybody"), "{}", outcome.text);
}

/// Found plugins that cannot be used are shown, and the rest works.
#[test]
fn a_broken_plugin_on_the_path_is_listed_as_broken() {
    let world = World::new();
    std::fs::create_dir(world.path("found")).unwrap();
    world.write("found/broken.so", "not a library");
    let folder = world.path("found").display().to_string();
    let outcome = world.run_with("plugins list", &[("NNUNET_PLUGIN_PATH", folder.as_str())]);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains("broken.so") && outcome.text.contains("broken "), "{}", outcome.text);
    assert!(outcome.text.contains("ExperimentPlanner3D_v21"));
}

/// A postprocessor of a plugin without libtorch: by name, with parameters, from a table of nnunet.toml, and with
/// others.
#[test]
fn a_plugins_postprocessor_is_named_on_the_command_line() {
    let world = World::new();
    std::fs::create_dir(world.path("labels")).unwrap();
    // An organ, a lesion in it, and one outside.
    let line = [0, 1, 1, 2, 0, 2, 2, 0, 3];
    let labels = ndarray::Array3::from_shape_fn((1, 1, 9), |(_, _, x)| line[x]);
    let geometry = nifti::Geometry {
        size: [9, 1, 1],
        spacing: [1.0; 3],
        origin: [0.0; 3],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };
    nifti::write_labels(&world.path("labels/case.nii.gz"), labels.view(), &geometry).unwrap();
    world.write("nnunet.toml", "[postprocessors.Third]\nextends = \"LesionsInOrgan\"\nlesion = 3\n");
    let library = plugin("my_postprocessor").display().to_string();
    let after = |choice: &[&str]| -> Vec<u8> {
        let words = ["--plugin", &library, "apply_postprocessing", "-i", "labels", "-o", "out"];
        let outcome = world.run_words(&[&words[..], choice].concat());
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        nifti::read(&world.path("out/case.nii.gz")).unwrap().data.iter().map(|label| *label as u8).collect()
    };
    assert_eq!(after(&["-pp", "LesionsInOrgan"]), [0, 1, 1, 2, 0, 0, 0, 0, 3]);
    assert_eq!(after(&["-pp", "LesionsInOrgan", "--parameters", "lesion = 3"]), [0, 1, 1, 2, 0, 2, 2, 0, 0]);
    assert_eq!(after(&["-pp", "Third"]), [0, 1, 1, 2, 0, 2, 2, 0, 0]);
    assert_eq!(
        after(&["-pp", "Third", "-pp", "my-postprocessor/LesionsInOrgan"]),
        [0, 1, 1, 2, 0, 0, 0, 0, 0]
    );
    let wrong =
        format!("--plugin {library} apply_postprocessing -i labels -o out -pp Third --parameters organ=3");
    let outcome = world.run(&wrong);
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("organ and lesion are the same label"), "{}", outcome.text);
}
