//! `plugins docs`: prints the reference of all components in use.

use anyhow::Result;
use nnunet_engine::reference;
use nnunet_engine::session::Session;
use nnunet_plugin_core::Info;
use serde_json::json;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only components that need tensors.
    #[arg(long)]
    tensors: bool,
    /// One JSON document, of which the program without tensors is made.
    #[arg(long, hide = true)]
    array: bool,
}

/// Runs the command: Markdown, or with --json an event for each component.
pub(super) fn run(args: &Args, session: &Session) -> Result<()> {
    let infos = session.registry.entries().iter().map(|entry| &entry.component.info);
    let mut infos: Vec<&Info> = infos.filter(|info| !args.tensors || info.kind.needs_tensors()).collect();
    infos.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    if args.array {
        let lines: Vec<String> = infos.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        report::result(&format!("[\n{}\n]", lines.join(",\n")));
    } else if report::is_json() {
        infos.iter().for_each(|info| report::event("component_info", &json!({ "info": info })));
    } else {
        report::result(reference::markdown(&infos).trim_end());
    }
    Ok(())
}
