//! `plugins`: what components and plugins there are, and everything to make and keep one.

pub mod check;
mod docs;
mod inspect;
mod install;
mod list;
mod new;
mod pin;
mod probe;

use anyhow::{Result, anyhow, bail};
use clap::Subcommand;
use nnunet_engine::session::ComponentSet;
use nnunet_plugin_api::Kind;

use super::Cli;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List components with origin and status.
    List(list::Args),
    /// Show everything a component or plugin says of itself: parameters, defaults, an example.
    Inspect(inspect::Args),
    /// Print the reference of all components in use, as Markdown.
    Docs(docs::Args),
    /// Try a plugin: handshake, manifest, and every component with odd inputs, twice, and on several threads.
    Check(check::Args),
    /// Make a crate to start a plugin from.
    New(new::Args),
    /// Build a plugin's crate and put it into the user's plugins folder.
    Install(install::Args),
    /// Write versions and hashes of plugins into nnunet.toml; they are checked before a plugin is loaded.
    Pin(pin::Args),
    /// Load one plugin and write down what came of it; other commands start this as a child process.
    #[command(hide = true)]
    Probe(probe::Args),
}

impl Args {
    /// The arguments of `plugins check`, which needs tensors.
    #[must_use]
    pub fn check(&self) -> Option<&check::Args> {
        match &self.command {
            What::Check(args) => Some(args),
            _ => None,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// What the command returns.
pub(super) fn run(args: &Args, cli: &Cli, set: ComponentSet) -> Result<()> {
    match &args.command {
        What::List(args) => list::run(args, &cli.session(set)?),
        What::Inspect(args) => inspect::run(args, &cli.session(set)?),
        What::Docs(args) => docs::run(args, &cli.session(set)?),
        What::Check(_) => bail!("plugins check needs nnunet-torch"),
        What::New(args) => new::run(args),
        What::Install(args) => install::run(args),
        What::Pin(args) => pin::run(args, cli),
        What::Probe(args) => probe::run(args),
    }
}

/// The kind of a word on the command line.
fn kind(word: &str) -> Result<Kind> {
    let kinds = || Kind::ALL.map(Kind::as_str).join(", ");
    Kind::from_word(word).ok_or_else(|| anyhow!("there is no kind `{word}`; kinds: {}", kinds()))
}
