//! The command line as clap parses it.

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser};
use nnunet_engine::config::{choices, files};

use crate::arguments::process_arguments;
use crate::commands::{Command, v2};
use crate::defaults;
use crate::global_options::GlobalOptions;

/// nnU-Net as one program: configures, trains, selects and applies segmentation pipelines.
#[derive(Debug, Parser)]
#[command(name = "nnunet", version, infer_long_args = true, rename_all = "snake_case")]
pub(crate) struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub(crate) options: GlobalOptions,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Parses the arguments of the process, in v1's style too, with the defaults of the project's configuration file.
    /// Wrong arguments end the process with code 2.
    ///
    /// # Errors
    /// Returns an error if a configuration file is invalid.
    pub(crate) fn from_process() -> Result<Self> {
        let words = process_arguments();
        v2::check(&words);
        let files = files(defaults::named_file(&words).as_deref())?;
        let choices = choices(&files);
        let command = defaults::with_choices(Self::command(), &choices);
        let matches = command.get_matches_from(words);
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        cli.command.complete(&choices)?;
        cli.options.files = files;
        Ok(cli)
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
