//! The examples of trainers with hooks: each is trained two epochs, killed in the second one and continued, and predicts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

#[path = "trainer_hooks/heads.rs"]
mod heads;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use nnunet_formats::json;
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::torch_zip::{self, Checkpoint, TensorData};
use nnunet_tests::{World, plugin};

/// A world whose trainer `Mine` extends one of a plugin.
fn world(trainer: &str) -> World {
    world_with(trainer, "")
}

/// As [`world`], with further settings.
fn world_with(trainer: &str, settings: &str) -> World {
    let world = World::with_phantoms();
    world.configure(&format!(
        "\n[trainers.Mine]\nextends = \"{trainer}\"\nmax_num_epochs = 2\nnum_batches_per_epoch = 5\n\
         num_val_batches_per_epoch = 2\nbatch_size = 2\nsave_every = 1\n{settings}\n"
    ));
    world
}

fn line(file: &str, more: &str) -> String {
    format!("--plugin {} train 3d_fullres Mine 900 0 -p nnUNetPlansSmall {more}", plugin(file).display())
}

const FOLD: &str = "nnUNet/3d_fullres/Task900_Phantom/Mine__nnUNetPlansSmall/fold_0";

fn final_checkpoint(results: &Path) -> Checkpoint {
    torch_zip::load(&results.join(FOLD).join("model_final_checkpoint.model")).unwrap()
}

fn final_state(results: &Path) -> (Value, Vec<TensorData>) {
    let Checkpoint { root, tensors } = final_checkpoint(results);
    (root, tensors)
}

/// Trains whole, and again with a kill in the second epoch; both must end alike. Then predicts.
fn trains_resumes_and_predicts(file: &str, trainer: &str) -> (World, String) {
    trains_with(world(trainer), file, trainer)
}

fn trains_with(world: World, file: &str, trainer: &str) -> (World, String) {
    let text = world.succeed(&line(file, ""));
    let results = world.path("killed");
    std::fs::create_dir(&results).unwrap();
    let mut command = world.command(&line(file, "--disable_validation_inference"));
    let mut child = command.env("RESULTS_FOLDER", &results).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    for line in lines {
        assert!(!line.contains("Mean Dice"), "{trainer}: the kill came too late");
        if line.contains("epoch:  1") {
            assert!(
                Command::new("kill").args(["-KILL", &child.id().to_string()]).status().unwrap().success()
            );
        }
    }
    assert_eq!(child.wait().unwrap().code(), None, "{trainer}");
    let folder = results.display().to_string();
    let resumed =
        world.run_with(&line(file, "-c --disable_validation_inference"), &[("RESULTS_FOLDER", &folder)]);
    assert!(resumed.code == 0 && !resumed.text.contains("epoch:  0"), "{trainer}: {}", resumed.text);
    let whole = final_state(&world.path("results"));
    assert!(final_state(&results) == whole, "{trainer}: the end differs from that of an uninterrupted run");
    world.succeed(&format!(
        "--plugin {} predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o predicted -t 900 -m 3d_fullres -tr Mine \
         -p nnUNetPlansSmall -f 0",
        plugin(file).display()
    ));
    assert!(
        world
            .path("predicted")
            .read_dir()
            .unwrap()
            .flatten()
            .any(|file| { file.file_name().to_string_lossy().ends_with(".nii.gz") })
    );
    (world, text)
}

/// An author writes little: each of these examples is complete in at most so many lines.
#[test]
fn examples_are_short() {
    const MOST_LINES: usize = 60;
    for example in [
        "adamw",
        "dice-boundary",
        "gradient-accumulation",
        "hard-case-sampler",
        "mean-teacher",
        "mednext",
        "mixup",
        "own-criterion",
        "own-validation",
        "multi-task",
        "partial-labels",
        "regression-head",
        "sharpness-aware",
        "weight-average",
    ] {
        let source = nnunet_tests::repository().join("examples").join(example).join("src/lib.rs");
        let lines = std::fs::read_to_string(&source).unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{}: {lines} lines", source.display());
    }
}

#[test]
fn gradient_accumulation() {
    trains_resumes_and_predicts("gradient_accumulation", "GradientAccumulation");
}

/// A parameter of a plugin's trainer: in the table of a child, on the command line, and kept for `-c`.
#[test]
fn parameters_of_a_trainer_are_set_checked_and_kept() {
    let world = world("GradientAccumulation");
    world.configure("\n[trainers.One]\nextends = \"Mine\"\nbatches = 1\n");
    let plugin = plugin("gradient_accumulation");
    let train = |trainer: &str, more: &str| {
        let anew = if more.starts_with("-c") { "" } else { "--overwrite" };
        world.run(&format!(
            "--plugin {} train 3d_fullres {trainer} 900 0 -p nnUNetPlansSmall --disable_validation_inference {anew} {more}",
            plugin.display()
        ))
    };
    let losses = |outcome: nnunet_tests::Outcome| -> Vec<String> {
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        outcome.text.lines().filter(|line| line.starts_with("train loss")).map(str::to_owned).collect()
    };
    let two = losses(train("Mine", ""));
    let one = losses(train("One", ""));
    assert!(one != two && one.len() == 2, "{one:?} {two:?}");
    assert_eq!(losses(train("Mine", "--set batches=1")), one, "as in the table");
    assert_eq!(losses(train("One", "--set batches=2")), two, "the command line goes before the table");
    assert_eq!(losses(train("Mine", "--set batches=1 --set max_num_epochs=1")), one[..1]);
    let more = losses(train("Mine", "-c --set max_num_epochs=2"));
    assert_eq!(more, one[1..], "-c remembers batches = 1");
    for (set, message) in [
        ("--set batch=1", "have no setting or parameter `batch`; did you mean `batches`?"),
        ("--set max_num_epoch=1", "did you mean `max_num_epochs`?"),
        ("--set batches=many", "batches"),
        ("--set max_num_epochs=0", "--set: parameter `max_num_epochs`: must be at least 1"),
        ("--set batches", "--set batches: write --set key=value"),
    ] {
        let refused = train("Mine", set);
        assert!(refused.code == 1 && refused.text.contains(message), "{set}: {}", refused.text);
    }
    let shown = world.succeed(&format!("--plugin {} plugins inspect GradientAccumulation", plugin.display()));
    assert!(shown.contains("batches") && shown.contains("Batches for each change"), "{shown}");
}

#[test]
fn mixup() {
    trains_resumes_and_predicts("mixup", "Mixup");
}

#[test]
fn sharpness_aware_minimization() {
    trains_resumes_and_predicts("sharpness_aware", "SharpnessAware");
}

/// The `state_dict`, from which models of v1 predict, is the average; the trained weights are beside it.
#[test]
fn an_average_of_weights_predicts() {
    let (world, _) = trains_resumes_and_predicts("weight_average", "WeightAverage");
    let Checkpoint { root, tensors } = final_checkpoint(&world.path("results"));
    let own = root.get("nnunet").unwrap();
    assert_eq!(own.get("predicting").and_then(Value::as_str), Some("average"));
    let trained = own.get("networks").unwrap().get("").unwrap();
    let of = |dict: &Value| match dict.entries().unwrap()[0].1 {
        Value::Tensor(index) => tensors[index].clone(),
        _ => panic!("a tensor"),
    };
    assert_ne!(of(root.get("state_dict").unwrap()), of(trained));
}

#[test]
fn a_metric_of_ones_own_is_logged_and_the_criterion() {
    let (world, text) = trains_resumes_and_predicts("own_criterion", "OwnCriterion");
    assert_eq!(text.lines().filter(|line| line.contains("sensitivity: ")).count(), 2, "{text}");
    let own = final_checkpoint(&world.path("results")).root;
    let state = own.get("nnunet").unwrap().get("trainers").unwrap().get("OwnCriterion").unwrap();
    assert!(state.get("values").and_then(Value::as_str).unwrap().starts_with("{\"best\":"));
    // v1's criterion never takes the first epoch.
    assert!(world.path("results").join(FOLD).join("model_best.model").is_file());
}

#[test]
fn a_teacher_is_kept_in_the_checkpoint() {
    let (world, _) = trains_resumes_and_predicts("mean_teacher", "MeanTeacher");
    let own = final_checkpoint(&world.path("results")).root;
    let networks = own.get("nnunet").unwrap().get("networks").unwrap().entries().unwrap();
    assert_eq!(networks.len(), 1);
    assert_eq!(networks[0].0, Value::str("teacher"));
}

#[test]
fn classes_that_are_missing_in_some_labels() {
    trains_resumes_and_predicts("partial_labels", "PartialLabels");
}

#[test]
fn dice_and_a_boundary_loss_from_registered_parts() {
    trains_resumes_and_predicts("dice_boundary", "DiceBoundary");
}

/// A registered block in a U-Net of v2, which an architecture of the same plugin names. The checkpoint names its plugin.
#[test]
fn a_network_of_registered_blocks() {
    let trainer = "nnUNetTrainerV2\"\narchitecture = \"MedNeXt";
    let (world, _) = trains_resumes_and_predicts("mednext", trainer);
    let info = world.path("results").join(FOLD).join("model_final_checkpoint.model.pkl");
    let info = pickle::load(&info).unwrap();
    let plugins = info.get("nnunet").unwrap().get("plugins").and_then(Value::as_str).unwrap();
    assert!(plugins.contains("[\"block\",\"MedNeXtBlock\"]"), "{plugins}");
    let names = final_checkpoint(&world.path("results")).root;
    let names = names.get("state_dict").unwrap().entries().unwrap();
    assert!(
        names.iter().any(|(name, _)| name.as_str() == Some("encoder.stages.0.0.convs.0.depthwise.weight"))
    );
}

/// Its state has torch's form, so that torch's own class goes on from it.
#[test]
fn an_optimizer_from_outside() {
    let (world, _) = trains_resumes_and_predicts("adamw", "WithMyAdamW");
    let root = final_checkpoint(&world.path("results")).root;
    let optimizer = root.get("optimizer_state_dict").unwrap();
    let state = &optimizer.get("state").unwrap().entries().unwrap()[0].1;
    let names: Vec<&str> = state.entries().unwrap().iter().filter_map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["step", "exp_avg", "exp_avg_sq"]);
}

/// What the sampler learns is kept in the checkpoint. A built-in one is chosen in a table, and on the command line.
#[test]
fn a_sampler_from_outside_learns() {
    let world = world_with("nnUNetTrainerV2", "sampler = \"HardCases\"");
    let (world, _) = trains_with(world, "hard_case_sampler", "HardCases");
    let own = final_checkpoint(&world.path("results")).root;
    let sampler = own.get("nnunet").unwrap().get("sampler").unwrap();
    assert_eq!(sampler.get("name"), Some(&Value::str("HardCases")));
    let losses: serde_json::Value =
        serde_json::from_str(sampler.get("values").and_then(Value::as_str).unwrap()).unwrap();
    assert!(losses.as_object().unwrap().values().all(|loss| loss.is_f64()), "{losses}");
    let train = |set: &str| {
        let line = format!(
            "train 3d_fullres Mine 900 0 -p nnUNetPlansSmall --disable_validation_inference --overwrite \
             --set max_num_epochs=1 --set num_batches_per_epoch=2 --set sampler={set}"
        );
        world.run(&line)
    };
    let balanced = train("ClassBalanced");
    assert_eq!(balanced.code, 0, "{}", balanced.text);
    assert!(final_checkpoint(&world.path("results")).root.get("nnunet").unwrap().get("sampler").is_none());
    let unknown = train("ClassBalance");
    let message = "ClassBalanced";
    assert!(unknown.code == 1 && unknown.text.contains(message), "{}", unknown.text);
}

/// A trainer's own split, and its own inference at the final validation: no voxel of the last class is left.
#[test]
fn a_split_and_a_validation_of_ones_own() {
    let (world, text) = trains_resumes_and_predicts("own_validation", "OwnValidation");
    assert!(text.contains("splits the cases itself: 4 training and 2 validation cases"), "{text}");
    let folder = world.path("results").join(FOLD).join("validation_raw");
    let summary = json::load(&folder.join("summary.json")).unwrap();
    let cases = summary.get("results").and_then(|results| results.get("all")?.items()).unwrap();
    assert_eq!(cases.len(), 2, "the trainer's validation cases");
    for case in cases {
        let positives = |label: &str| case.get(label)?.get("Total Positives Test")?.as_f64();
        assert_eq!(positives("2"), Some(0.0), "{case:?}");
        assert!(positives("0") > Some(0.0), "{case:?}");
    }
}

/// Optimizers and parameter groups from a table: frozen parameters end as they began.
#[test]
fn optimizers_and_groups_in_tables() {
    let world = world("nnUNetTrainerV2");
    world.configure(
        "\n[trainers.Frozen]\nextends = \"Mine\"\nmax_num_epochs = 1\noptimizer = { name = \"Muon\", momentum = 0.9 }\n\
         parameter_groups = [{ parameters = \"conv_blocks_context.*\", frozen = true }]\n\
         [trainers.Wrong]\nextends = \"Mine\"\noptimizer = { name = \"Muon\", momentun = 0.9 }\n",
    );
    let train = |trainer: &str| {
        world.run(&format!(
            "train 3d_fullres {trainer} 900 0 -p nnUNetPlansSmall --disable_validation_inference"
        ))
    };
    let outcome = train("Frozen");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    let file = FOLD.replace("Mine__", "Frozen__");
    let path = world.path("results").join(file).join("model_final_checkpoint.model");
    let root = torch_zip::load(&path).unwrap().root;
    let optimizer = root.get("optimizer_state_dict").unwrap();
    let states = optimizer.get("state").unwrap().entries().unwrap().len();
    let groups = optimizer.get("param_groups").unwrap().items().unwrap();
    let all: usize = groups.iter().map(|group| group.get("params").unwrap().items().unwrap().len()).sum();
    assert_eq!(groups.len(), 2, "the group and the rest");
    assert!(0 < states && states < all, "{states} of {all} parameters are trained");
    let wrong = train("Wrong");
    let message = "unknown key `momentun`; did you mean `momentum`?";
    assert!(wrong.code == 1 && wrong.text.contains(message), "{}", wrong.text);
}

/// Schedules from a table and the command line, for all parameters and for a group. The state of `plateau` is in the
/// checkpoint, as v1 has it and with the rate.
#[test]
fn schedules_in_tables_and_on_the_command_line() {
    let world = world("nnUNetTrainerV2");
    world.configure(
        "\n[schedules.Quick]\nextends = \"cyclic\"\nlength = 2\nper_step = true\n\
         [trainers.Grouped]\nextends = \"Mine\"\nlr_schedule = \"Quick\"\n\
         parameter_groups = [{ parameters = \"seg_outputs.*\", lr_schedule = { name = \"constant\" } }]\n",
    );
    let train = |trainer: &str, more: &str| {
        world.run(&format!(
            "train 3d_fullres {trainer} 900 0 -p nnUNetPlansSmall --disable_validation_inference --overwrite {more}"
        ))
    };
    let rates = |trainer: &str, more: &str| -> Vec<String> {
        let outcome = train(trainer, more);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        outcome.text.lines().filter(|line| line.starts_with("lr")).map(str::to_owned).collect()
    };
    let grouped = rates("Grouped", "");
    assert!(grouped[0].contains("0.001") && grouped[1].contains("0.01"), "{grouped:?}");
    let constant = rates("Mine", "--set lr_schedule=constant");
    assert!(constant.iter().all(|line| line.ends_with("0.01")), "{constant:?}");
    let plateau = "{name=\"plateau\",patience=0,threshold=10.0,factor=0.5}";
    let fallen = rates("Mine", &format!("--set lr_schedule={plateau}"));
    assert!(fallen.last().unwrap().ends_with("0.005"), "{fallen:?}");
    let path = world.path("results").join(FOLD).join("model_final_checkpoint.model");
    let root = torch_zip::load(&path).unwrap().root;
    let bad = root.get("lr_scheduler_state_dict").and_then(|state| state.get("last_epoch")?.as_i64());
    assert_eq!(bad, Some(2));
    let own = root.get("nnunet").unwrap().get("lr_schedules").and_then(Value::as_str).unwrap();
    assert!(own.contains("\"learning_rate\":0.005"), "{own}");
    for (set, message) in [
        ("lr_schedule=polly", "similar names: poly"),
        ("lr_schedule={name=\"poly\",exponnt=1.0}", "did you mean `exponent`?"),
        ("lr_schedule={name=\"poly\",exponent=\"high\"}", "exponent"),
    ] {
        let refused = train("Mine", &format!("--set {set}"));
        assert!(refused.code == 1 && refused.text.contains(message), "{set}: {}", refused.text);
    }
}

/// Built-in metrics from a table, one of them under a name of its own: logged, and the criterion for the best checkpoint,
/// also for a training that continues.
#[test]
fn metrics_in_tables_choose_the_best_checkpoint() {
    let world = world("nnUNetTrainerV2");
    world.configure(
        "\n[metrics.OfTheSecond]\nextends = \"IoU\"\nclasses = [2]\n\
         [trainers.Measured]\nextends = \"Mine\"\nmetrics = [\"Sensitivity\", \"OfTheSecond\"]\n\
         best_metric = \"Sensitivity.1\"\n",
    );
    let train = |more: &str| {
        world.run(&format!(
            "train 3d_fullres Measured 900 0 -p nnUNetPlansSmall --disable_validation_inference {more}"
        ))
    };
    let outcome = train("--set max_num_epochs=1");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    for name in ["Sensitivity: ", "Sensitivity.1: ", "OfTheSecond: ", "OfTheSecond.2: "] {
        assert_eq!(outcome.text.matches(name).count(), 1, "{name}: {}", outcome.text);
    }
    let folder = world.path("results").join(FOLD.replace("Mine__", "Measured__"));
    // The Dice never takes the first epoch.
    assert!(folder.join("model_best.model").is_file());
    let criterion = || {
        let root = torch_zip::load(&folder.join("model_final_checkpoint.model")).unwrap().root;
        root.get("nnunet").unwrap().get("best_metric").and_then(Value::as_str).unwrap().to_owned()
    };
    let first = criterion();
    assert!(first.starts_with("{\"average\":"), "{first}");
    let outcome = train("-c --set max_num_epochs=2");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert_ne!(criterion(), first);
    for (set, message) in [
        ("metrics=[\"Dize\"]", "similar names: Dice"),
        ("metrics=[{name=\"Dice\",clases=[1]}]", "did you mean `classes`?"),
        ("best_metric=Dize", "there is no metric `Dize`; measured are ["),
    ] {
        let refused = train(&format!("--overwrite --set {set}"));
        assert!(refused.code == 1 && refused.text.contains(message), "{set}: {}", refused.text);
    }
}

#[test]
fn a_schedule_from_outside() {
    let (world, _) = trains_resumes_and_predicts("my_schedule", "WithHalving");
    let root = final_checkpoint(&world.path("results")).root;
    let own = root.get("nnunet").unwrap();
    let state = own.get("lr_schedules").and_then(Value::as_str).unwrap();
    assert!(state.starts_with("[{\"rate\":0.0") && state.contains("lowest"), "{state}");
}

#[test]
fn a_metric_from_outside() {
    let (world, text) = trains_resumes_and_predicts("my_metric", "ByVolume");
    assert_eq!(text.lines().filter(|line| line.contains("VolumeError: ")).count(), 2, "{text}");
    assert!(world.path("results").join(FOLD).join("model_best.model").is_file());
}
