//! The command line: global options, and how a process runs it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser};
use nnunet_data::{folders, images};
use nnunet_engine::component_set::ComponentSet;
use nnunet_engine::config::{choices, files};
use nnunet_engine::session::Session;

use crate::arguments::process_arguments;
use crate::commands::{self, Command};
use crate::defaults;
use crate::report::{self, Style};
use crate::tensor_commands::TensorCommands;

/// nnU-Net as one program: configures, trains, selects and applies segmentation pipelines.
#[derive(Debug, Parser)]
#[command(name = "nnunet", version, infer_long_args = true, rename_all = "snake_case")]
pub struct Cli {
    /// Print results and errors only.
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Print one JSON object per line.
    #[arg(long, global = true)]
    pub json: bool,
    /// Print more messages; -vv prints all of them.
    #[arg(short = 'v', long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Also write all messages to a file, with times.
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Configuration file to use instead of ./nnunet.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Plugin to load; may be given several times.
    #[arg(long, global = true, value_name = "FILE")]
    pub plugin: Vec<PathBuf>,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Runs the command line of this process and prints its error, if there is one.
pub fn main(tensors: &impl TensorCommands) -> ExitCode {
    let outcome = run(tensors).and_then(|code| report::finish().map(|()| code));
    outcome.unwrap_or_else(|error| {
        report::error(&error);
        ExitCode::FAILURE
    })
}

fn run(tensors: &impl TensorCommands) -> Result<ExitCode> {
    let cli = Cli::from_process()?;
    cli.start_report()?;
    commands::run(&cli, tensors)
}

impl Cli {
    /// Parses the arguments of the process, in v1's style too, with the defaults of the project's configuration file.
    /// Wrong arguments end the process with code 2.
    ///
    /// # Errors
    /// Returns an error if a configuration file is invalid.
    fn from_process() -> Result<Self> {
        let words = process_arguments();
        let files = files(defaults::named_file(&words).as_deref())?;
        folders::set_from(&files);
        let choices = choices(&files);
        let command = defaults::with_choices(Self::command(), &choices);
        let matches = command.get_matches_from(words);
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        cli.command.complete(&choices)?;
        Ok(cli)
    }

    fn start_report(&self) -> Result<()> {
        let style = match (self.json, self.quiet) {
            (true, _) => Style::Json,
            (false, true) => Style::Quiet,
            (false, false) => Style::Human,
        };
        report::start(style, self.verbose, self.log_file.as_deref())
    }

    /// Opens a session with the configuration files and plugins of this command line.
    ///
    /// # Errors
    /// Returns an error if a configuration file is invalid or a named plugin cannot be used.
    pub fn session(&self, set: ComponentSet) -> Result<Session> {
        let session = Session::open(set, self.config.as_deref(), &self.plugin)?;
        images::install(&session.registry);
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
