//! `plugins update`: installs plugins again from where they came from.

use anyhow::{Context, Result, bail};
use nnunet_engine::ship::{self, Installed};

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Plugins to update; by default all that `nnunet plugins install` installed.
    names: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let all = ship::installed()?;
    if let Some(name) = args.names.iter().find(|name| !all.iter().any(|plugin| plugin.name == **name)) {
        bail!(
            "it is not known where plugin `{name}` came from; install it again with nnunet plugins install"
        );
    }
    let chosen = |plugin: &&Installed| args.names.is_empty() || args.names.contains(&plugin.name);
    for plugin in all.iter().filter(chosen) {
        update(plugin).with_context(|| format!("plugin {} from {}", plugin.name, plugin.source))?;
    }
    Ok(())
}

fn update(plugin: &Installed) -> Result<()> {
    let fetched = plugin.source.fetch()?;
    let (about, _) = ship::install(&fetched, &plugin.source)?;
    if about.name != plugin.name {
        bail!("the source has plugin {} now; remove {} if it replaces it", about.name, plugin.name);
    }
    let (name, old, new) = (&plugin.name, &plugin.version, &about.version);
    let same = ship::installed()?.iter().any(|now| now.name == *name && now.sha256 == plugin.sha256);
    report::line(&match (same, old == new) {
        (true, _) => format!("{name} {old} is up to date"),
        (false, true) => format!("{name} {old} was built again"),
        (false, false) => format!("{name} {old} is now {new}"),
    });
    Ok(())
}
