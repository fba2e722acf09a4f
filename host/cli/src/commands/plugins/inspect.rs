//! `plugins inspect`: describes a component or plugin.

use anyhow::{Result, ensure};
use nnunet_data::components;
use nnunet_engine::plugin::Plugin;
use nnunet_engine::registry::Entry;
use nnunet_engine::session::Session;
use nnunet_engine::{inline_toml, reference};
use nnunet_plugin_core::suggestion::did_you_mean;
use nnunet_plugin_core::{Info, Kind};
use serde_json::{Value, json};

use crate::commands::TensorCommands;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of a component: Name, plugin/Name or kind:plugin/Name; or of a plugin.
    name: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, session: &Session, tensors: &impl TensorCommands) -> Result<()> {
    if let Some(plugin) = session.plugin(&args.name) {
        return show_plugin(plugin);
    }
    let (kinds, name) = match args.name.split_once(':') {
        Some((word, name)) => (vec![super::kind::kind(word)?], name),
        None => (Kind::ALL.to_vec(), args.name.as_str()),
    };
    let found: Vec<&Entry> =
        kinds.iter().filter_map(|kind| session.registry.find(*kind, name).ok()).collect();
    if found.is_empty() && kinds.len() == 1 {
        session.registry.find(kinds[0], name)?;
    }
    ensure!(
        !found.is_empty(),
        "there is no component `{name}`{}; nnunet plugins list shows all",
        near(name, session)
    );
    let settings = found.iter().map(|entry| settings(entry, session, tensors)).collect::<Result<Vec<_>>>()?;
    found.iter().zip(&settings).try_for_each(|(entry, settings)| show(entry, settings.as_ref(), session))
}

/// The settings of a planner, preprocessor or trainer: what it sets and what it inherits.
fn settings(entry: &Entry, session: &Session, tensors: &impl TensorCommands) -> Result<Option<Value>> {
    let Info { kind, name, .. } = &entry.component.info;
    let registry = &session.registry;
    let resolved = match kind {
        Kind::Planner => {
            components::planner(registry, name).map(|planner| serde_json::to_value(planner.settings))
        }
        Kind::Preprocessor => components::without_normalizations(registry, name)
            .map(|preprocessor| serde_json::to_value(preprocessor.settings)),
        Kind::Trainer => tensors.trainer_settings(name, session).map(serde_json::to_value),
        _ => return Ok(None),
    };
    match resolved {
        Ok(settings) => Ok(Some(settings?)),
        Err(error) => {
            report::warning(&format!("the settings of {kind} {name} cannot be resolved: {error:#}"));
            Ok(None)
        }
    }
}

fn near(name: &str, session: &Session) -> String {
    let names = session.registry.entries().iter().map(|entry| &*entry.component.info.name);
    did_you_mean(name, names)
}

fn show_plugin(plugin: &Plugin) -> Result<()> {
    let about = &plugin.about;
    if report::is_json() {
        let value =
            json!({ "about": about, "path": plugin.path.display().to_string(), "sha256": plugin.sha256 });
        report::event("plugin", &value);
        return Ok(());
    }
    report::result(&format!("plugin {} {}", about.name, about.version));
    facts(plugin);
    for info in &about.components {
        report::result(&format!("  {:<14} {:<30} {}", info.kind, info.name, info.summary));
    }
    Ok(())
}

fn facts(plugin: &Plugin) {
    let about = &plugin.about;
    let torch = if about.needs_torch { &about.libtorch } else { "not needed" };
    for (what, value) in [
        ("file", plugin.path.display().to_string()),
        ("sha256", plugin.sha256.clone()),
        ("license", about.license.clone()),
        ("ABI", about.abi.clone()),
        ("built by", about.rustc.clone()),
        ("libtorch", torch.to_owned()),
    ] {
        report::result(&format!("  {what:<10} {value}"));
    }
}

fn show(entry: &Entry, settings: Option<&Value>, session: &Session) -> Result<()> {
    let info = &entry.component.info;
    let plugin = session.plugin(&entry.plugin);
    // A planner for v2 has settings of its own, in the table `v2`; those of v1's planners are not used.
    let of_v2 = settings.and_then(|settings| settings.get("v2")).filter(|v2| v2.is_object());
    let settings = of_v2.or(settings);
    let mut rows = if of_v2.is_some() { reference::v2_planner() } else { reference::parameters(info) };
    for row in &mut rows {
        if let Some(value) = settings.and_then(|settings| settings.get(&row.name)) {
            row.default.clone_from(value);
        }
    }
    let example =
        if of_v2.is_some() { reference::v2_planner_example(info) } else { reference::example(info) };
    if report::is_json() {
        let value = json!({
            "info": info, "origin": entry.origin.to_string(), "status": entry.status(), "plugin": entry.plugin,
            "parameters": rows, "example": example,
        });
        report::event("component", &value);
        return Ok(());
    }
    report::result(&format!("{} {}", info.kind, info.name));
    report::result(&format!("  {}\n", info.summary));
    report::result(&format!("  {:<10} {} ({})", "origin", entry.origin, entry.status()));
    if let Some(plugin) = plugin {
        report::result(&format!("  {:<10} {} {}", "plugin", plugin.about.name, plugin.about.version));
        facts(plugin);
    }
    if !info.capabilities.is_empty() {
        report::result(&format!("  {:<10} {}", "can", info.capabilities.join(", ")));
    }
    if !info.description.is_empty() {
        report::result(&format!("\n{}", info.description.trim_end()));
    }
    if !rows.is_empty() {
        report::result(match (of_v2, settings) {
            (Some(_), _) => "\nSettings, in the table `v2`",
            (None, Some(_)) => "\nSettings",
            (None, None) => "\nParameters",
        });
    }
    for row in &rows {
        let range = if row.range.is_empty() { String::new() } else { format!(" ({})", row.range) };
        let default = if row.default.is_null() { "none".to_owned() } else { inline_toml(&row.default) };
        report::result(&format!("  {} = {default}   {}{range}\n      {}", row.name, row.kind, row.doc));
    }
    report::result(&format!("\nExample\n{}\n", indented(&example)));
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
