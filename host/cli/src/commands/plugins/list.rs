//! `plugins list`: all components, their origin and their status.

use anyhow::Result;
use nnunet_engine::registry::{Entry, Status};
use nnunet_engine::session::Session;
use nnunet_plugin_core::Kind;
use serde::Serialize;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this kind.
    #[arg(long, value_parser = super::kind::kind)]
    kind: Option<Kind>,
    /// Also components that are hidden behind others of their name.
    #[arg(long)]
    all: bool,
    /// Only plugins that were found but are not used, and why.
    #[arg(long, conflicts_with_all = ["kind", "all"])]
    refused: bool,
}

/// One line of the list.
#[derive(Serialize)]
struct Row {
    kind: String,
    name: String,
    plugin: String,
    origin: String,
    version: Option<String>,
    abi: Option<String>,
    status: String,
    summary: String,
}

impl Row {
    fn of(entry: &Entry, session: &Session) -> Self {
        let about = session.plugin(&entry.plugin).map(|plugin| &plugin.about);
        let info = &entry.component.info;
        Self {
            kind: info.kind.to_string(),
            name: info.name.to_string(),
            plugin: entry.plugin.clone(),
            origin: entry.origin.to_string(),
            version: about.map(|about| about.version.clone()),
            abi: about.map(|about| about.abi.clone()),
            status: entry.status().to_string(),
            summary: info.summary.to_string(),
        }
    }

    fn cells(self) -> [String; 6] {
        let version = match (&self.version, &self.abi) {
            (Some(version), Some(abi)) => format!("{version} (ABI {abi})"),
            _ => String::new(),
        };
        [self.kind, self.name, self.status, self.origin, version, self.summary]
    }
}

/// Runs the command.
pub(super) fn run(args: &Args, session: &Session) -> Result<()> {
    let shown = |entry: &&Entry| {
        !args.refused
            && args.kind.is_none_or(|kind| entry.component.info.kind == kind)
            && (args.all || entry.status() != Status::Shadowed)
    };
    let mut entries: Vec<&Entry> = session.registry.entries().iter().filter(shown).collect();
    entries.sort_by_key(|entry| (entry.component.info.kind, entry.component.info.name.clone()));
    let rejected = session.rejected.iter().map(|rejected| Row {
        kind: "plugin".to_owned(),
        name: rejected.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        plugin: String::new(),
        origin: rejected.path.display().to_string(),
        version: None,
        abi: None,
        status: rejected.status.to_owned(),
        summary: format!("{:#}", rejected.error),
    });
    if args.refused && session.rejected.is_empty() {
        report::line("every plugin that was found is used");
        return Ok(());
    }
    let rows = entries.iter().map(|entry| Row::of(entry, session)).chain(rejected);
    if !report::is_json() {
        report::result(&report::table(rows.map(Row::cells)));
        return Ok(());
    }
    for row in rows {
        report::event("listed_component", &serde_json::to_value(&row)?);
    }
    Ok(())
}
