//! `--json`: every line of every command is an event of the schema in `docs/events.schema.json`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use nnunet_tests::{World, repository};
use serde_json::Value;

const MODEL: &str = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";
const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";

/// The schema, as far as it is used in our document: an event's fields, which of them are required, and their types.
struct Schema(Value);

impl Schema {
    fn load() -> Self {
        let text = std::fs::read_to_string(repository().join("docs/events.schema.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// Checks a line, and returns the name of its event.
    fn check(&self, text: &str) -> String {
        let line: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let event = line["event"].as_str().unwrap_or_else(|| panic!("no event: {text}"));
        let definition = &self.0["$defs"][event];
        assert!(definition.is_object(), "`{event}` is not in the schema: {text}");
        for field in definition["required"].as_array().unwrap() {
            assert!(line.get(field.as_str().unwrap()).is_some(), "{field} is missing: {text}");
        }
        for (field, wanted) in definition["properties"].as_object().unwrap() {
            let Some(value) = line.get(field) else { continue };
            assert!(wanted.get("const").is_none_or(|only| only == value), "{field}: {text}");
            let types = match &wanted["type"] {
                Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect::<Vec<_>>(),
            };
            assert!(types.is_empty() || types.iter().any(|name| is_of(value, name)), "{field}: {text}");
        }
        event.to_owned()
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("the schema has the type {other}"),
    }
}

#[test]
fn every_line_of_every_command_is_an_event_of_the_schema() {
    let (world, schema) = (World::with_phantoms(), Schema::load());
    let mut seen = BTreeSet::new();
    let mut run = |line: &str, code: i32| {
        let outcome = world.run(&format!("{line} --json"));
        assert_eq!(outcome.code, code, "{line}: {}", outcome.text);
        seen.extend(outcome.text.lines().map(|text| schema.check(text)));
        outcome.text
    };
    run("verify 900", 0);
    run("example_dataset --as pictures -o pictures --task cells --train 5 --test 0", 0);
    run("ingest --images pictures/cells/images --masks pictures/cells/masks --task Task903_Cells", 0);
    run("plan_and_preprocess -t 900 -pl3d Small -pl2d None", 0);
    run("plans show 900 -p nnUNetPlansSmall", 0);
    run("train 3d_fullres Short 900 0 -p nnUNetPlansSmall", 0);
    run("train_all 900 -m 3d_fullres -f 0 1 --tr Short -p nnUNetPlansSmall --no_best --devices cpu", 0);
    run("models list", 0);
    run(&format!("predict -i {RAW}/imagesTs -o predictions --model_folder {MODEL}"), 0);
    run(&format!("evaluate_folder -ref {RAW}/labelsTs -pred predictions -l 1 2"), 0);
    run("report predictions -o report.html", 0);
    run(&format!("audit {MODEL}/plans.pkl"), 0);
    run("trainers list", 0);
    run("trainers show Short", 0);
    run("trainers diff Short nnUNetTrainerV2", 0);
    run("plugins list", 0);
    run("plugins inspect DC_and_topk_loss", 0);
    run("config show", 0);
    run("doctor --device cpu", 0);
    run("print_available_pretrained_models", 0);
    run("completions bash", 0);
    let failed = run("audit missing.pkl", 1);
    assert!(failed.ends_with(",\"exit_code\":1}\n"), "{failed}");
    let usage = run("predict -i a", 2);
    assert!(usage.contains("\"event\":\"error\"") && usage.contains("\"exit_code\":2"), "{usage}");
    let wanted = [
        "message",
        "error",
        "ingested",
        "verification",
        "plans",
        "training",
        "estimate",
        "epoch",
        "checkpoint",
        "validation_label",
        "job",
        "job_epoch",
        "model",
        "prediction_model",
        "predicted_case",
        "prediction",
        "evaluation_label",
        "evaluation",
        "written",
        "file_content",
        "trainer",
        "trainer_settings",
        "difference",
        "listed_component",
        "component",
        "setting",
        "doctor",
        "pretrained_model",
        "completions",
    ];
    let missing: Vec<_> = wanted.iter().filter(|event| !seen.contains(**event)).collect();
    assert!(missing.is_empty(), "{missing:?} did not occur: {seen:?}");
}

/// A mistake in a configuration file is found before options are parsed.
#[test]
fn an_invalid_configuration_file_is_an_event_too() {
    let (world, schema) = (World::new(), Schema::load());
    world.write("nnunet.toml", "[use]\ntrainr = \"A\"\n");
    let outcome = world.run("config show --json");
    assert_eq!(outcome.code, 1);
    let events: Vec<String> = outcome.text.lines().map(|text| schema.check(text)).collect();
    assert_eq!(events, ["error"], "{}", outcome.text);
}
