//! Defaults of the command line that a project's configuration file changes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use nnunet_engine::config::Choices;

/// v1's 3D planner.
pub(crate) const PLANNER_3D: &str = "ExperimentPlanner3D_v21";
/// v1's 2D planner.
pub(crate) const PLANNER_2D: &str = "ExperimentPlanner2D_v21";
/// v1's plans.
pub(crate) const PLANS: &str = "nnUNetPlansv2.1";
/// v1's trainer.
pub(crate) const TRAINER: &str = "nnUNetTrainerV2";

/// The value of `--config`, before anything else is parsed: defaults depend on it.
pub(super) fn named_file(words: &[OsString]) -> Option<PathBuf> {
    let mut words = words.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().map(|path| Path::new(&*path).to_owned());
        }
        if let Some(path) = word.strip_prefix("--config=") {
            return Some(path.into());
        }
    }
    None
}

/// The command line with the project's defaults in place of the program's.
pub(super) fn with_choices(command: Command, choices: &Choices) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| {
        command
            .mut_subcommand(name, |sub| with_choices(sub.mut_args(|arg| with_choice(arg, choices)), choices))
    })
}

/// Arguments that have a default have it from the project too.
fn with_choice(arg: Arg, choices: &Choices) -> Arg {
    let choice = match arg.get_id().as_str() {
        "trainer" => &choices.trainer,
        "plans" => &choices.plans,
        "planner_3d" => &choices.planner_3d,
        "planner_2d" => &choices.planner_2d,
        _ => return arg,
    };
    match choice {
        Some(value) if !arg.get_default_values().is_empty() => arg.default_value(value.clone()),
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_file_is_found_in_both_forms() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let file = Some(PathBuf::from("a.toml"));
        assert_eq!(named_file(&words("nnunet plans show --config a.toml 4")), file);
        assert_eq!(named_file(&words("nnunet --config=a.toml plans show 4")), file);
        assert_eq!(named_file(&words("nnunet plans show 4")), None);
    }

    #[test]
    fn arguments_with_a_default_take_the_projects() {
        let mine = |name: &str| Some(name.to_owned());
        let choices = Choices { planner_3d: mine("Mine3D"), trainer: mine("Mine"), ..Choices::default() };
        let parsed = |line: &str| {
            let command = with_choices(Cli::command(), &choices);
            let (_, matches) = command.get_matches_from(line.split(' ')).remove_subcommand().unwrap();
            matches
        };
        let plan = parsed("nnunet plan_and_preprocess -t 1");
        assert_eq!(plan.get_one::<String>("planner_3d").unwrap(), "Mine3D");
        assert_eq!(plan.get_one::<String>("planner_2d").unwrap(), PLANNER_2D);
        let predict = parsed("nnunet predict -i a -o b -t 1");
        assert_eq!(predict.get_one::<String>("trainer").unwrap(), "Mine");
        // A trainer that must be named is not the project's.
        let train = parsed("nnunet train 3d_fullres Named 1 0");
        assert_eq!(train.get_one::<String>("trainer").unwrap(), "Named");
    }
}
