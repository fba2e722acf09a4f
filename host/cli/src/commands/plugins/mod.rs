//! `plugins`: lists, inspects, creates, checks, packs, installs and removes plugins.

mod cargo_config;
mod docs;
mod inspect;
mod install;
mod kind;
mod list;
mod new;
mod pack;
mod pin;
mod probe;
mod remove;
mod update;

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
    /// Install a plugin for all projects of this user: from a crate, a library, a pack, an archive or a git repository.
    Install(install::Args),
    /// Install plugins again from where they came from.
    Update(update::Args),
    /// Remove plugins from the user's plugin folder.
    Remove(remove::Args),
    /// Write one archive with a built plugin, for `plugins install` on other machines.
    Pack(pack::Args),
    /// Print the .cargo/config.toml with which cargo builds plugins on this machine.
    #[command(name = "cargo_config")]
    CargoConfig,
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
        Command::Update(args) => update::run(args),
        Command::Remove(args) => remove::run(args),
        Command::Pack(args) => pack::run(args),
        Command::CargoConfig => cargo_config::run(),
        Command::Pin(args) => pin::run(args, options),
        Command::Probe(args) => probe::run(args),
    };
    done.map(|()| ExitCode::SUCCESS)
}
