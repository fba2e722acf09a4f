//! The command line as clap parses it.

use std::ffi::OsString;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser};
use nnunet_engine::config::{choices, files};

use crate::arguments::normalize;
use crate::commands::Command;
use crate::global_options::GlobalOptions;
use crate::report::Style;
use crate::{defaults, help, links, report};

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

/// The arguments of this process, rewritten as clap takes them.
#[must_use]
pub fn process_arguments() -> Vec<OsString> {
    normalize(std::env::args_os(), &Cli::command())
}

impl Cli {
    /// Parses the arguments of the process, in v1's style too, with the defaults of the project's configuration file.
    /// Wrong arguments end the process with code 2.
    ///
    /// # Errors
    /// Returns an error if a configuration file is invalid.
    pub(crate) fn from_process() -> Result<Self> {
        let words = process_arguments();
        if words.iter().take_while(|word| *word != "--").any(|word| word == "--json") {
            report::set_style(Style::Json);
        }
        let files = files(defaults::named_file(&words).as_deref())?;
        let choices = choices(&files);
        let command = help::by_task(defaults::with_choices(Self::command(), &choices));
        links::check(&command, &words);
        let parsed = command.try_get_matches_from(words).and_then(|found| Self::from_arg_matches(&found));
        let mut cli = parsed.unwrap_or_else(|error| exit(&error));
        cli.command.complete(&choices)?;
        cli.options.files = files;
        Ok(cli)
    }
}

/// Ends the process with help, or with a message about arguments.
fn exit(error: &clap::Error) -> ! {
    if !error.use_stderr() || !report::is_json() {
        error.exit();
    }
    report::usage_error(&error.render().to_string(), error.exit_code());
    std::process::exit(error.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_is_listed_once_with_its_description() {
        let text = help::by_task(Cli::command()).render_help().to_string();
        for sub in Cli::command().get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let lines: Vec<&str> =
                text.lines().filter(|line| line.split_whitespace().next() == Some(sub.get_name())).collect();
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(lines.len() == 1 && lines[0].ends_with(&about), "{}: {lines:?}", sub.get_name());
        }
        assert!(text.contains("--config") && text.contains("Usage:"), "{text}");
    }

    #[test]
    fn tasks_name_commands_that_exist() {
        let command = Cli::command();
        let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let listed = help::TASKS.iter().flat_map(|(_, _, listed)| listed.iter());
        assert_eq!(listed.filter(|name| !names.contains(name)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
