//! `trainers`: lists trainers, and shows the settings that a trainer resolves to.

use anyhow::Result;
use nnunet_cli::commands::trainers::{Args, Command, For};
use nnunet_cli::differences::{self, flatten};
use nnunet_cli::report;
use nnunet_engine::session::Session;
use nnunet_plugin_api::vocabulary::{Blueprint, Plans};
use nnunet_plugin_api::{Kind, TrainerContext};
use nnunet_trainers::Resolved;
use serde_json::json;

use crate::components;

/// Runs the command.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    match &args.command {
        Command::List => list(session),
        Command::Show { trainer, for_ } => show(session, trainer, for_),
        Command::Diff { a, b, for_ } => diff(session, a, b, for_),
    }
}

fn resolve(session: &Session, name: &str, for_: &For) -> Result<Resolved> {
    let configuration = for_.configuration.clone();
    let context = TrainerContext { configuration, plans: Plans::default(), stage: 0 };
    components::resolve_trainer(&session.registry, name, &context)
}

/// A trainer's settings, those of its parents included.
pub(crate) fn settings(session: &Session, name: &str) -> Result<Blueprint> {
    Ok(resolve(session, name, &For::default())?.blueprint)
}

fn list(session: &Session) -> Result<()> {
    let for_ = For::default();
    for entry in session.registry.entries().iter().filter(|entry| entry.component.info.kind == Kind::Trainer)
    {
        let info = &entry.component.info;
        let names = resolve(session, &info.name, &for_).map(|trainer| trainer.names).unwrap_or_default();
        let parent = names.iter().rev().nth(1).map_or("-", String::as_str);
        if report::is_json() {
            let value = json!({
                "name": info.name, "parent": parent, "origin": entry.origin.to_string(), "summary": info.summary
            });
            report::event("trainer", &value);
        } else {
            report::result(&format!("{:50} {:42} {}", info.name, parent, info.summary));
        }
    }
    Ok(())
}

fn show(session: &Session, name: &str, for_: &For) -> Result<()> {
    let trainer = resolve(session, name, for_)?;
    if report::is_json() {
        let fields = json!({ "names": trainer.names, "blueprint": trainer.blueprint });
        report::event("trainer_settings", &fields);
        return Ok(());
    }
    let root = trainer.names.first().cloned().unwrap_or_default();
    let defaults = flatten(&resolve(session, &root, for_)?.blueprint)?;
    report::result(&trainer.names.join(" > "));
    for (key, value) in flatten(&trainer.blueprint)? {
        let note = match defaults.get(&key) {
            Some(same) if *same == value => String::new(),
            Some(other) => format!("   ({root}: {other})"),
            None => format!("   (not in {root})"),
        };
        report::result(&format!("{key:34} {value}{note}"));
    }
    Ok(())
}

fn diff(session: &Session, a: &str, b: &str, for_: &For) -> Result<()> {
    let values = |name: &str| flatten(&resolve(session, name, for_)?.blueprint);
    differences::print(&values(a)?, &values(b)?)
}
