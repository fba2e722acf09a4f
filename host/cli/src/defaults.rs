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
    use super::*;

    #[test]
    fn the_file_is_found_in_both_forms() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let file = Some(PathBuf::from("a.toml"));
        assert_eq!(named_file(&words("nnunet plans show --config a.toml 4")), file);
        assert_eq!(named_file(&words("nnunet --config=a.toml plans show 4")), file);
        assert_eq!(named_file(&words("nnunet plans show 4")), None);
    }

    #[test]
    fn only_arguments_with_a_default_take_the_projects() {
        let choices = Choices { trainer: Some("Mine".to_owned()), ..Choices::default() };
        let sub = Command::new("predict")
            .arg(Arg::new("trainer").long("tr").default_value("nnUNetTrainerV2"))
            .arg(Arg::new("plans").long("plans").default_value("nnUNetPlansv2.1"));
        let command = with_choices(Command::new("nnunet").subcommand(sub), &choices);
        let matches = command.get_matches_from(["nnunet", "predict"]);
        let predict = matches.subcommand_matches("predict").unwrap();
        assert_eq!(predict.get_one::<String>("trainer").unwrap(), "Mine");
        assert_eq!(predict.get_one::<String>("plans").unwrap(), "nnUNetPlansv2.1");
    }
}
