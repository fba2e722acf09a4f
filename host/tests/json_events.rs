//! `--json`: every line of every command is an event of the schema in `docs/events.schema.json`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nnunet_test_support::http::{Server, send};
use nnunet_tests::events::Schema;
use nnunet_tests::{World, plugin};
use serde_json::Value;

const MODEL: &str = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";
const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";
const NAMES: &str = "-tr Short -pl nnUNetPlansSmall";
const NAMES_V2: &str = "-tr Short -p nnUNetPlansSmall";

/// Commands with `--json`, and the events that they printed.
struct Commands {
    world: World,
    schema: Schema,
    seen: BTreeSet<String>,
}

impl Commands {
    fn new(world: World) -> Self {
        Self { world, schema: Schema::load(), seen: BTreeSet::new() }
    }

    fn run(&mut self, line: &str, code: i32) -> String {
        self.run_with(line, code, &[])
    }

    /// Runs a command that ends with an exit code; every line it prints must be an event.
    fn run_with(&mut self, line: &str, code: i32, variables: &[(&str, &str)]) -> String {
        let outcome = self.world.run_with(&format!("--json {line}"), variables);
        assert_eq!(outcome.code, code, "{line}: {}", outcome.text);
        assert!(!outcome.text.is_empty(), "{line} printed nothing");
        let events = outcome.text.lines().map(|text| self.schema.check(text));
        let events: Vec<String> = events.collect();
        assert_eq!(events.iter().any(|event| event == "error"), code != 0, "{line}: {}", outcome.text);
        self.seen.extend(events);
        outcome.text
    }

    fn assert_seen(&self, events: &[&str]) {
        let missing: Vec<_> = events.iter().filter(|event| !self.seen.contains(**event)).collect();
        assert!(missing.is_empty(), "{missing:?} did not occur: {:?}", self.seen);
    }
}

#[test]
fn every_line_of_every_command_is_an_event_of_the_schema() {
    let mut all = Commands::new(World::with_phantoms());
    all.run("verify 900", 0);
    all.run("example_dataset --as pictures -o pictures --task cells --train 5 --test 0", 0);
    all.run("ingest --images pictures/cells/images --masks pictures/cells/masks --task Task903_Cells", 0);
    all.run("example_dataset -o . --task Task07_Ball --train 5 --test 1", 0);
    all.run("convert_decathlon_task -i Task07_Ball", 0);
    all.run("split -t 900 -s KFold --parameters folds=2 --overwrite", 0);
    all.run("plan_and_preprocess -t 900 -pl3d Small -pl2d None", 0);
    all.run("plans show 900 -p nnUNetPlansSmall", 0);
    all.run("plans edit 900 -p nnUNetPlansSmall --set plans_per_stage.0.batch_size=3 -o edited.pkl", 0);
    all.run("plans diff 900 edited.pkl -p nnUNetPlansSmall", 0);
    all.run("train 3d_fullres Short 900 0 -p nnUNetPlansSmall", 0);
    all.run("train_all 900 -m 3d_fullres -f 0 1 --tr Short -p nnUNetPlansSmall --emit sh", 0);
    all.run("train_all 900 -m 3d_fullres -f 0 1 --tr Short -p nnUNetPlansSmall --no_best --devices cpu", 0);
    all.run("models list", 0);
    all.run(&format!("find_best_configuration -m 3d_fullres -t 900 {NAMES} -f 0 1"), 0);
    all.run(&format!("predict -i {RAW}/imagesTs -o predictions --model_folder {MODEL} -z"), 0);
    all.run(&format!("predict -i {RAW}/imagesTs -o predictions --model_folder {MODEL} -z"), 0);
    all.run("ensemble -f predictions predictions -o merged", 0);
    all.run(&format!("determine_postprocessing --raw predictions --gt {RAW}/labelsTs -o determined"), 0);
    all.run(&format!("apply_postprocessing -i predictions -o cleaned -pp {MODEL}/postprocessing.json"), 0);
    all.run(&format!("evaluate_folder -ref {RAW}/labelsTs -pred predictions -l 1 2 --csv metrics.csv"), 0);
    all.run("report predictions -o report.html", 0);
    all.run(&format!("picture -i {RAW}/imagesTs -ref {RAW}/labelsTs -pred predictions -o cases.png"), 0);
    all.run("plot_task_pngs -t 900 -o drawn --use_raw", 0);
    all.run(&format!("export_model_to_zip -t 900 -o model.zip -m 3d_fullres {NAMES} -f 0 1"), 0);
    all.run("audit model.zip", 0);
    all.run("install_pretrained_model_from_zip model.zip --overwrite", 0);
    let archive = std::fs::read(all.world.path("model.zip")).unwrap();
    let server = Server::new(move |_, _, stream| {
        send(stream, &format!("200 OK\r\nContent-Length: {}", archive.len()), &archive);
    });
    let url = server.url("model.zip");
    all.run(&format!("download_pretrained_model_by_url {url} --accept_license --overwrite"), 0);
    all.run(&format!("change_trainer_class -i {MODEL} -tr nnUNetTrainerV2"), 0);
    all.run(&format!("audit {MODEL}/plans.pkl"), 0);
    all.run("trainers list", 0);
    all.run("trainers show Short", 0);
    all.run("trainers diff Short nnUNetTrainerV2", 0);
    all.run("plugins list", 0);
    all.run("plugins inspect DC_and_topk_loss", 0);
    all.run("plugins docs", 0);
    all.run("plugins new loss my-loss", 0);
    let my_trainer = plugin("my_trainer").display().to_string();
    all.run(&format!("--plugin {my_trainer} plugins inspect my-trainer"), 0);
    all.run(&format!("plugins check {my_trainer}"), 0);
    all.run("config show", 0);
    all.run("config schema", 0);
    all.run("doctor --device cpu", 0);
    all.run("setup", 0);
    all.run("print_available_pretrained_models", 0);
    all.run("print_pretrained_model_info 4", 0);
    all.run("completions bash", 0);
    all.run("man_pages --dir pages", 0);
    all.run("aliases --dir links", 0);
    all.run("--help", 0);
    all.run("--version", 0);
    all.run("v2 train --help", 0);
    all.run("plugins cargo_config", 0);
    let elsewhere = ["warning", "detail", "error"];
    let events = all.schema.events();
    let wanted: Vec<&str> = events.iter().map(String::as_str).filter(|e| !elsewhere.contains(e)).collect();
    all.assert_seen(&wanted);
}

#[test]
fn commands_of_v2_print_events_too() {
    let mut all = Commands::new(World::with_phantoms_of_v2());
    let labels = "raw/nnUNet_raw_data/Task900_Phantom/labelsTs";
    let images = "raw/nnUNet_raw_data/Task900_Phantom/imagesTs";
    let model = "nnUNet_results/Dataset900_Phantom/Short__nnUNetPlansSmall__3d_fullres";
    all.run("v2 extract_fingerprint -d 900 --clean --verify_dataset_integrity", 0);
    all.run("v2 plan_experiment -d 900 -pl Small", 0);
    all.run("v2 preprocess -d 900 -plans_name nnUNetPlansSmall -c 3d_fullres", 0);
    all.run("split -d 900 --dry_run", 0);
    for fold in 0..2 {
        let text = all.run(&format!("v2 train 900 3d_fullres {fold} {NAMES_V2} -device cpu"), 0);
        assert!(text.contains("\"event\":\"validation_label\"") && text.contains("\"body\""), "{text}");
    }
    all.run("models list", 0);
    let predict =
        format!("v2 predict -i {images} -o predictions -d 900 -c 3d_fullres {NAMES_V2} -device cpu");
    all.run(&format!("{predict} --save_probabilities --overlay"), 0);
    all.run("v2 ensemble -i predictions predictions -o merged", 0);
    let text = all.run(&format!("v2 evaluate_simple {labels} predictions -l 1 2 --csv metrics_v2.csv"), 0);
    assert!(text.contains("\"event\":\"evaluation_label\""), "{text}");
    let table = std::fs::read_to_string(all.world.path("metrics_v2.csv")).unwrap();
    assert!(table.contains(",Volume Test (ml)\n") && table.contains(",1,body,"), "{table}");
    let pictures = nnunet_test_support::files(&all.world.path("predictions"), ".png");
    assert!(!pictures.is_empty(), "--overlay draws the cases");
    let dataset = "nnUNet_raw/Dataset900_Phantom/dataset.json";
    all.run(&format!("v2 evaluate_folder {labels} predictions -djfile {dataset}"), 0);
    all.run(&format!("v2 accumulate_crossval_results 900 -c 3d_fullres -f 0 1 {NAMES_V2} -o crossval"), 0);
    all.run(&format!("v2 find_best_configuration 900 -c 3d_fullres -f 0 1 {NAMES_V2}"), 0);
    all.run("v2 determine_postprocessing -i crossval -ref nnUNet_raw/Dataset900_Phantom/labelsTr", 0);
    let rule = "crossval/postprocessing.pkl";
    all.run(&format!("v2 apply_postprocessing -i predictions -o cleaned -pp_pkl_file {rule}"), 0);
    all.run("v2 plot_overlay_pngs -d 900 -o drawn --use_raw", 0);
    all.run(&format!("v2 export_model_to_zip -d 900 -o model.zip -c 3d_fullres -f 0 1 {NAMES_V2}"), 0);
    all.run("v2 install_pretrained_model_from_zip model.zip", 0);
    all.run(&format!("report {model} -o report.html"), 0);
    all.run("v2 convert_to_task -d 900 -o tasks", 0);
    all.run("convert dataset --to v1 -i 900 -d Task901_Phantom", 0);
    all.run("convert plans --to v1 -i 900 -p nnUNetPlansSmall -d Task901_Phantom", 0);
    all.run(&format!("convert model --to v1 -i {model} -d Task901_Phantom -f 0"), 0);
    let wanted =
        ["training", "epoch", "checkpoint", "validation_label", "predicted_case", "evaluation_label"];
    all.assert_seen(&wanted);
    all.assert_seen(&["evaluation", "candidate", "best_configuration", "installed", "model", "fold"]);
}

/// What is wrong with arguments, files, configuration and machine is an event, the last of the command.
#[test]
fn failures_are_events() {
    let mut all = Commands::new(World::new());
    all.run("audit missing.pkl", 1);
    all.run("plan_and_preprocess -t 4", 1);
    for wrong in ["predict -i a", "no_such_command", "v2 train 4", "train --no_such_flag", "plugins"] {
        let text = all.run(wrong, 2);
        assert!(text.ends_with(",\"exit_code\":2}\n") || text.contains("\"exit_code\":2"), "{wrong}: {text}");
    }
    let line = "predict -i a -o b -t 4";
    let text = all.run_with(line, 1, &[("NNUNET_LIBTORCH", "/nowhere")]);
    assert!(text.contains("there is no lib/libtorch_cpu.so"), "{text}");
    all.world.write("nnunet.toml", "[use]\ntrainr = \"A\"\n");
    let text = all.run("config show", 1);
    assert_eq!(text.lines().count(), 1, "{text}");
}

/// A training that is stopped prints events to its end.
#[test]
fn a_stopped_training_prints_events_to_the_end() {
    let (world, schema) = (World::with_phantoms(), Schema::load());
    world.configure("\n[trainers.Long]\nextends = \"Short\"\nmax_num_epochs = 100\n");
    let mut command = world.command("--json train 3d_fullres Long 900 0 -p nnUNetPlansSmall");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut last = String::new();
    let mut asked = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let event = schema.check(&line);
        if event == "epoch" && !asked {
            asked = true;
            assert!(
                Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success()
            );
        }
        last = line;
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{last}");
    assert!(last.contains("continue with -c"), "{last}");
    String::from_utf8_lossy(&output.stderr).lines().for_each(|line| drop(schema.check(line)));
}

/// The events of several processes are events of the launcher, with the number of their process.
#[test]
fn a_launcher_passes_events_on() {
    let mut all = Commands::new(World::with_phantoms());
    let train = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference";
    let text = all.run(&format!("launch --nproc 2 -- {train}"), 0);
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let epochs: Vec<Value> = events.filter(|event| event["event"] == "epoch").collect();
    assert!(epochs.len() == 2 && epochs.iter().all(|epoch| epoch["rank"] == 0), "{text}");
}
