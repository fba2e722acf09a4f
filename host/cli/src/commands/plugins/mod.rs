//! `plugins`: lists, inspects, creates, checks and installs plugins.

mod docs;
mod inspect;
mod install;
mod kind;
mod list;
mod new;
mod pin;
mod probe;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::commands::TensorCommands;
use crate::global_options::GlobalOptions;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List components with origin and status.
    List(list::Args),
    /// Describe a component or plugin: parameters, defaults, an example.
    Inspect(inspect::Args),
    /// Print the reference of all components in use, as Markdown.
    Docs(docs::Args),
    /// Test a plugin: handshake, manifest, and every component with unusual inputs, repeatedly and on several threads.
    Check {
        /// The plugin.
        file: PathBuf,
    },
    /// Create a crate for a new plugin.
    New(new::Args),
    /// Build a plugin's crate and copy it to the user's plugin folder.
    Install(install::Args),
    /// Write versions and hashes of plugins into nnunet.toml; they are checked before a plugin is loaded.
    Pin(pin::Args),
    /// Load a plugin and write the result to a file; other commands run this in a child process.
    #[command(hide = true)]
    Probe(probe::Args),
}

/// Runs the command.
pub(crate) fn run(args: &Args, options: &GlobalOptions, tensors: &impl TensorCommands) -> Result<ExitCode> {
    let session = || options.session(tensors.component_set());
    let done = match &args.command {
        Command::List(args) => list::run(args, &session()?),
        Command::Inspect(args) => inspect::run(args, &session()?, tensors),
        Command::Docs(args) => docs::run(args, &session()?),
        Command::Check { file } => return tensors.check_plugin(file),
        Command::New(args) => new::run(args),
        Command::Install(args) => install::run(args),
        Command::Pin(args) => pin::run(args, options),
        Command::Probe(args) => probe::run(args),
    };
    done.map(|()| ExitCode::SUCCESS)
}
