//! `trainers`: what a trainer's name means.

use std::collections::BTreeMap;

use anyhow::Result;
use nnunet_host::commands::trainers::{Args, Command, For};
use nnunet_host::config::World;
use nnunet_host::report;
use nnunet_plugin_api::vocabulary::Plans;
use nnunet_plugin_api::{Kind, TrainerContext};
use nnunet_trainers::Resolved;
use serde_json::{Value, json};

use crate::components;

/// Runs the command.
pub(crate) fn run(args: &Args, world: &World) -> Result<()> {
    match &args.command {
        Command::List => list(world),
        Command::Show { trainer, for_ } => show(world, trainer, for_),
        Command::Diff { a, b, for_ } => diff(world, a, b, for_),
    }
}

fn resolve(world: &World, name: &str, for_: &For) -> Result<Resolved> {
    let configuration = for_.configuration.clone();
    let context = TrainerContext { configuration, plans: Plans::default(), stage: 0 };
    components::resolve_trainer(&world.registry, name, &context)
}

/// One line a value, by its path.
fn values(trainer: &Resolved) -> Result<BTreeMap<String, String>> {
    let mut lines = BTreeMap::new();
    flatten("", &serde_json::to_value(&trainer.blueprint)?, &mut lines);
    Ok(lines)
}

fn flatten(path: &str, value: &Value, lines: &mut BTreeMap<String, String>) {
    let Value::Object(entries) = value else {
        lines.insert(path.to_owned(), value.to_string());
        return;
    };
    for (key, value) in entries {
        flatten(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, lines);
    }
}

fn list(world: &World) -> Result<()> {
    let for_ = For { configuration: "3d_fullres".to_owned() };
    for entry in world.registry.entries().iter().filter(|entry| entry.component.info.kind == Kind::Trainer) {
        let info = &entry.component.info;
        let names = resolve(world, &info.name, &for_).map(|trainer| trainer.names).unwrap_or_default();
        let parent = names.iter().rev().nth(1).map_or("-", String::as_str);
        if report::is_json() {
            let value = json!({
                "name": info.name, "parent": parent, "origin": entry.origin.to_string(), "summary": info.summary
            });
            report::result(&value.to_string());
        } else {
            report::result(&format!("{:50} {:42} {}", info.name, parent, info.summary));
        }
    }
    Ok(())
}

fn show(world: &World, name: &str, for_: &For) -> Result<()> {
    let trainer = resolve(world, name, for_)?;
    if report::is_json() {
        report::result(&json!({ "names": trainer.names, "blueprint": trainer.blueprint }).to_string());
        return Ok(());
    }
    let root = trainer.names.first().cloned().unwrap_or_default();
    let usual = values(&resolve(world, &root, for_)?)?;
    report::result(&trainer.names.join(" > "));
    for (key, value) in values(&trainer)? {
        let note = match usual.get(&key) {
            Some(same) if *same == value => String::new(),
            Some(other) => format!("   ({root}: {other})"),
            None => format!("   (not in {root})"),
        };
        report::result(&format!("{key:34} {value}{note}"));
    }
    Ok(())
}

fn diff(world: &World, a: &str, b: &str, for_: &For) -> Result<()> {
    let [first, second] = [a, b].map(|name| resolve(world, name, for_).and_then(|trainer| values(&trainer)));
    let (first, second) = (first?, second?);
    let keys = first.keys().chain(second.keys().filter(|key| !first.contains_key(*key)));
    let differing: Vec<&String> = keys.filter(|key| first.get(*key) != second.get(*key)).collect();
    if report::is_json() {
        let pairs: BTreeMap<_, _> =
            differing.iter().map(|key| (*key, [first.get(*key), second.get(*key)])).collect();
        report::result(&serde_json::to_string(&pairs)?);
        return Ok(());
    }
    let shown =
        |side: &BTreeMap<String, String>, key: &String| side.get(key).map_or("-".to_owned(), Clone::clone);
    for key in &differing {
        report::result(&format!("{key}: {} -> {}", shown(&first, key), shown(&second, key)));
    }
    if differing.is_empty() {
        report::line("no values differ; hooks may");
    }
    Ok(())
}
