//! The command line as clap parses it.

use std::ffi::OsString;

use anyhow::Result;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser};
use nnunet_engine::config::{choices, files};
use nnunet_engine::stdout::print_line;
use serde_json::json;

use crate::arguments::{last_counts, normalize};
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
        if wants_json(&words) {
            report::set_style(Style::Json);
        }
        let files = files(defaults::named_file(&words).as_deref())?;
        let choices = choices(&files);
        let command = help::by_task(last_counts(defaults::with_choices(Self::command(), &choices)));
        let parsed = links::check(&command, &words)
            .and_then(|()| command.try_get_matches_from(&words))
            .and_then(|found| Self::from_arg_matches(&found));
        let mut cli = parsed.unwrap_or_else(|error| exit(&with_true_tips(error), &words));
        cli.command.complete(&choices)?;
        cli.options.files = files;
        Ok(cli)
    }
}

/// Whether `--json` or the beginning of it is there, before anything else is parsed: mistakes in the arguments are events
/// too.
fn wants_json(words: &[OsString]) -> bool {
    let mut own = words.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    own.any(|word| word.len() > 2 && "--json".starts_with(word))
}

/// Similar subcommands that are named.
const MOST: usize = 3;

/// A mistake in the arguments without the advice to write options behind `--`, which is of no use for a mistyped one. Of
/// similar subcommands the nearest come first, without spellings that differ in capitals.
fn with_true_tips(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        tips.retain(|tip| !tip.to_string().contains("'-- "));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    if let Some(ContextValue::Strings(names)) = error.remove(ContextKind::SuggestedSubcommand) {
        let mut nearest: Vec<String> = Vec::new();
        for name in names.into_iter().rev() {
            if !nearest.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
                nearest.push(name);
            }
        }
        nearest.truncate(MOST);
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(nearest));
    }
    error
}

/// Ends the process with help, or with a message about arguments.
fn exit(error: &clap::Error, words: &[OsString]) -> ! {
    let text = links::text(error, words);
    if error.use_stderr() {
        report::usage_error(&text, error.exit_code());
    } else if report::is_json() {
        report::event("message", &json!({ "text": text.trim_end() }));
    } else {
        // Nobody may be there to read it, as behind `head`.
        let _ = print_line(text.trim_end());
    }
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
    fn tips_are_true() {
        let said = |line: &str| {
            let error = Cli::command().try_get_matches_from(line.split(' ')).unwrap_err();
            with_true_tips(error).to_string()
        };
        let trian = said("nnunet trian");
        assert!(trian.contains("'train', ") && trian.matches('_').count() < 2, "{trian}");
        assert!(!said("nnunet verify -t 900").contains("'-- -t'"));
    }

    #[test]
    fn json_is_known_before_arguments_are_parsed() {
        let wants = |line: &str| wants_json(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(wants("nnunet plans --json") && wants("nnunet --js plans") && wants("nnunet --j"));
        assert!(!wants("nnunet launch -- --json") && !wants("nnunet --quiet plans") && !wants("nnunet --"));
    }

    #[test]
    fn global_options_stand_together_behind_a_commands_own() {
        let mut command = help::by_task(Cli::command());
        command.build();
        let help = command.find_subcommand_mut("train").unwrap().render_help().to_string();
        let (own, global) = help.split_once(&format!("{}:\n", help::GLOBAL_OPTIONS)).unwrap();
        for option in ["--quiet", "--json", "--verbose", "--log_file", "--config", "--plugin", "--no_fsync"] {
            assert!(!own.contains(option) && global.contains(option), "{option}: {help}");
        }
        assert!(own.contains("Validation:\n") && global.contains("\n  nnunet train "), "{help}");
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
