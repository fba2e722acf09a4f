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

/// The subcommand with the commands of v2.
const V2: &str = "v2";

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
    with_defaults(command, &|id| match id {
        "trainer" => choices.trainer.as_deref(),
        "plans" => choices.plans.as_deref(),
        "planner_3d" => choices.planner_3d.as_deref(),
        "planner_2d" => choices.planner_2d.as_deref(),
        _ => None,
    })
    // v1's names are no names of v2.
    .mut_subcommand(V2, |command| {
        with_defaults(command, &|id| match id {
            "planner" => choices.v2.planner.as_deref(),
            "plans" | "plans_name" => choices.v2.plans.as_deref(),
            "trainer" => choices.v2.trainer.as_deref(),
            _ => None,
        })
    })
}

/// The subcommands with other defaults; `default` returns that of an argument.
fn with_defaults<'a>(command: Command, default: &impl Fn(&str) -> Option<&'a str>) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.iter().filter(|name| *name != V2).fold(command, |command, name| {
        command.mut_subcommand(name, |sub| {
            with_defaults(sub.mut_args(|arg| with_default(arg, default)), default)
        })
    })
}

/// Arguments that have a default have it from the project too.
fn with_default<'a>(arg: Arg, default: &impl Fn(&str) -> Option<&'a str>) -> Arg {
    match default(arg.get_id().as_str()) {
        Some(value) if !arg.get_default_values().is_empty() => arg.default_value(value.to_owned()),
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use nnunet_engine::config::V2Choices;

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
        let v2 = V2Choices { plans: mine("Mine2"), ..V2Choices::default() };
        let (planner_3d, trainer) = (mine("Mine3D"), mine("Mine"));
        let choices = Choices { planner_3d, trainer, v2, ..Choices::default() };
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
        let v2 = parsed("nnunet v2 predict -i a -o b -d 1 -c 2d").remove_subcommand().unwrap().1;
        assert_eq!(v2.get_one::<String>("trainer").unwrap(), "nnUNetTrainer", "v1's is no trainer of v2");
        assert_eq!(v2.get_one::<String>("plans").unwrap(), "Mine2");
        // A trainer that must be named is not the project's.
        let train = parsed("nnunet train 3d_fullres Named 1 0");
        assert_eq!(train.get_one::<String>("trainer").unwrap(), "Named");
    }
}
