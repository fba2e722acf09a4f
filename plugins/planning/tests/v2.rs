//! v2's planners against the plans of Python nnU-Net 2.8.1.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use nnunet_planning::v2::{DataSet, Fingerprint, make_plans, registered_name};
use nnunet_planning::{Resolved, resolve};
use nnunet_plugin_core::{Error, Factory, Registration, inventory};
use serde::de::DeserializeOwned;
use serde_json::Value;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/v2_plan")
}

fn load<T: DeserializeOwned>(path: &Path) -> T {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn planner(class: &str) -> Resolved {
    let lookup = |name: &str| {
        let found = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name);
        match found.map(|component| component.factory) {
            Some(Factory::Planner(make)) => make(&Default::default()),
            _ => Err(Error::message(format!("no {name}"))),
        }
    };
    resolve(registered_name(class), &lookup).unwrap()
}

fn data_set(name: &str, json: &Value) -> DataSet {
    let channels = json["channel_names"].as_object().unwrap();
    DataSet {
        name: name.to_owned(),
        channel_names: channels.values().map(|name| name.as_str().unwrap().to_owned()).collect(),
        labels: json["labels"].as_object().unwrap().len(),
        training_cases: json["numTraining"].as_u64().unwrap() as usize,
        reader: "SimpleITKIO".to_owned(),
    }
}

/// Where two documents differ; numbers may by a millionth.
fn difference(path: &str, wanted: &Value, found: &Value) -> Option<String> {
    match (wanted, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            if keys(a) != keys(b) {
                return Some(format!("{path}: keys {:?} instead of {:?}", keys(b), keys(a)));
            }
            a.iter().find_map(|(key, value)| difference(&format!("{path}.{key}"), value, &b[key]))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| difference(&format!("{path}[{i}]"), a, b))
        }
        (Value::Number(a), Value::Number(b)) => {
            let same_kind = a.is_f64() == b.is_f64();
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            let same = same_kind && (a - b).abs() <= 1e-6 * a.abs().max(1e-6);
            (!same).then(|| format!("{path}: {b} instead of {a}"))
        }
        (a, b) => (a != b).then(|| format!("{path}: {b} instead of {a}")),
    }
}

#[test]
fn plans_are_those_of_python() {
    let classes = [
        ("ExperimentPlanner", "nnUNetPlans"),
        ("nnUNetPlannerResEncM", "nnUNetResEncUNetMPlans"),
        ("nnUNetPlannerResEncL", "nnUNetResEncUNetLPlans"),
        ("nnUNetPlannerResEncXL", "nnUNetResEncUNetXLPlans"),
        ("ExperimentPlanner", "nnUNetPlans24G"),
        ("ExperimentPlanner", "nnUNetPlansSpaced"),
    ];
    let mut differences = Vec::new();
    for entry in std::fs::read_dir(golden()).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let (folder, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let data = data_set(&name, &load(&folder.join("raw_dataset.json")));
        let fingerprint: Fingerprint = load(&folder.join("dataset_fingerprint.json"));
        for (class, plans) in classes {
            let mut planner = planner(class);
            let settings = planner.settings.v2.as_mut().unwrap();
            settings.plans_identifier = plans.to_owned();
            match plans {
                "nnUNetPlans24G" => settings.gpu_memory_gb = 24.0,
                "nnUNetPlansSpaced" => settings.target_spacing = Some([1.5, 1.25, 1.25]),
                _ => {}
            }
            let made = serde_json::to_value(make_plans(&planner, &data, &fingerprint).unwrap()).unwrap();
            let wanted: Value = load(&folder.join(format!("{plans}.json")));
            differences.extend(difference(&format!("{name} {plans}"), &wanted, &made));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn other_resampling_has_data_of_its_own() {
    let settings = |class: &str| planner(class).settings.v2.unwrap();
    assert_eq!(settings("nnUNetPlannerResEncL").shares_data_with.as_deref(), Some("nnUNetPlans"));
    for class in
        ["nnUNetPlannerResEncL_noResampling", "nnUNetPlannerResEncL_torchres", "nnUNetPlanner_torchres"]
    {
        assert_eq!(settings(class).shares_data_with, None, "{class}");
    }
}

#[test]
fn a_planner_of_v1_is_refused() {
    let folder = golden().join("Dataset504_SynTwoD");
    let data = data_set("Dataset504_SynTwoD", &load(&folder.join("raw_dataset.json")));
    let fingerprint: Fingerprint = load(&folder.join("dataset_fingerprint.json"));
    let error = make_plans(&planner("ExperimentPlanner3D_v21"), &data, &fingerprint).unwrap_err();
    assert!(error.to_string().contains("tasks of v1"), "{error}");
}
