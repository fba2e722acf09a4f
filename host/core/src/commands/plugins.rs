//! `plugins list`: all components and where they come from.

use anyhow::Result;
use clap::Subcommand;
use nnunet_plugin_api::Kind;
use serde_json::json;

use crate::config::World;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List components with origin and status.
    List {
        /// Only this kind.
        #[arg(long)]
        kind: Option<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// A kind that does not exist.
pub(super) fn run(args: &Args, world: &World) -> Result<()> {
    let What::List { kind } = &args.command;
    let kind = kind
        .as_deref()
        .map(|word| {
            Kind::from_word(word)
                .ok_or_else(|| anyhow::anyhow!("there is no kind `{word}`; kinds: {}", kinds()))
        })
        .transpose()?;
    let mut rows: Vec<_> = world
        .registry
        .entries()
        .iter()
        .filter(|entry| kind.is_none_or(|kind| entry.component.info.kind == kind))
        .collect();
    rows.sort_by_key(|entry| (entry.component.info.kind, entry.component.info.name.to_string()));
    for entry in rows {
        let info = &entry.component.info;
        let version = world.plugins.iter().find(|plugin| plugin.name == entry.plugin);
        if report::is_json() {
            let (version, abi) =
                version.map_or((None, None), |plugin| (Some(&plugin.version), Some(&plugin.abi)));
            report::result(&json!({
                "kind": info.kind, "name": info.name, "plugin": entry.plugin, "origin": entry.origin.to_string(),
                "version": version, "abi": abi, "status": entry.status(), "summary": info.summary,
            }).to_string());
        } else {
            report::result(&format!(
                "{:<14} {:<46} {:<10} {:<10} {}",
                info.kind,
                info.name,
                entry.status(),
                entry.origin,
                info.summary
            ));
        }
    }
    for (path, error) in &world.broken {
        report::result(&format!("{:<14} {:<46} {:<10} {error:#}", "plugin", path.display(), "broken"));
    }
    Ok(())
}

fn kinds() -> String {
    Kind::ALL.map(Kind::as_str).join(", ")
}
