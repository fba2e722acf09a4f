//! Spellings of arguments that the originals' commands and scripts accept, rewritten to those that clap knows: `-tl 2`
//! becomes `--tl 2`, `--task-ids` becomes `--task_ids`, a program called `nnUNet_train` becomes `nnunet train`, and one
//! called `nnUNetv2_train` becomes `nnunet v2 train`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgAction, Command};

use crate::links;

/// Global options that take a value, which may stand before the subcommand.
const WITH_VALUE: [&str; 3] = ["--config", "--plugin", "--log_file"];

/// The command line with options of which the last counts where one is given several times, as for argparse: scripts add to
/// a list of options that they have. Those that collect values go on to collect them.
pub(crate) fn last_counts(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = command.mut_args(|arg: Arg| {
        let is_one = matches!(arg.get_action(), ArgAction::Set | ArgAction::SetTrue) && !arg.is_positional();
        let id = arg.get_id().clone();
        if is_one { arg.overrides_with(id) } else { arg }
    });
    names.iter().fold(command, |command, name| command.mut_subcommand(name, last_counts))
}

/// Rewrites the arguments of a process, the first of which is the program; `all` is the command line with its options.
pub(crate) fn normalize(arguments: impl IntoIterator<Item = OsString>, all: &Command) -> Vec<OsString> {
    let mut names = BTreeSet::from(["help".to_owned(), "version".to_owned()]);
    collect_long_names(all, &mut names);
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_else(|| "nnunet".into());
    let called = Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
    let called = called.as_deref().map(links::words_of).unwrap_or_default();
    let mut words = vec![program];
    let mut has_subcommand = !called.is_empty();
    words.extend(called);
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            words.push(argument);
            words.extend(arguments);
            break;
        }
        let is_option = argument.to_string_lossy().starts_with('-');
        let is_value = words.last().is_some_and(|last| WITH_VALUE.iter().any(|option| last == option));
        if is_option {
            words.push(map_text(argument, |text| long_option(text, &names)));
        } else if has_subcommand || is_value {
            words.push(argument);
        } else {
            // The commands of v2 are subcommands of `v2`.
            has_subcommand = argument != "v2";
            words.push(map_text(argument, snake_case));
        }
    }
    words
}

/// A fold as folders name it: `all`, or a number without leading zeros.
///
/// # Errors
/// Returns an error for any other text.
pub(crate) fn fold(text: &str) -> Result<String, String> {
    let number = text.parse::<u32>().map(|number| number.to_string());
    number.or_else(|_| {
        if text == "all" { Ok(text.to_owned()) } else { Err("a fold is a number or all".to_owned()) }
    })
}

/// The word for what SLURM says of an array job.
const SLURM: &str = "slurm";

/// A number of parts, or [`SLURM`] for the number of tasks of this array job.
///
/// # Errors
/// Returns an error for other text, and outside an array job.
pub(crate) fn num_parts(text: &str) -> Result<usize, String> {
    match text {
        SLURM => slurm("SLURM_ARRAY_TASK_COUNT"),
        number => number.parse().map_err(|_| "it is a number or slurm".to_owned()),
    }
}

/// The index of a part, from 0, or [`SLURM`] for the place of this task in its array job.
///
/// # Errors
/// As [`num_parts`].
pub(crate) fn part_id(text: &str) -> Result<usize, String> {
    if text != SLURM {
        return text.parse().map_err(|_| "it is a number or slurm".to_owned());
    }
    let (id, first) = (slurm("SLURM_ARRAY_TASK_ID")?, slurm("SLURM_ARRAY_TASK_MIN")?);
    let step = slurm("SLURM_ARRAY_TASK_STEP").unwrap_or(1).max(1);
    Ok(id.saturating_sub(first) / step)
}

fn slurm(variable: &str) -> Result<usize, String> {
    let value = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    value.ok_or_else(|| format!("{variable} is not set: this is no array job of SLURM"))
}

/// Python's word for a flag that is not given.
pub(crate) const NONE: &str = "None";

/// As [`fold`], or [`NONE`].
///
/// # Errors
/// As [`fold`].
pub(crate) fn fold_or_none(text: &str) -> Result<String, String> {
    if text == NONE { Ok(text.to_owned()) } else { fold(text) }
}

fn map_text(argument: OsString, map: impl Fn(&str) -> String) -> OsString {
    argument.to_str().map(map).map_or(argument, OsString::from)
}

fn snake_case(text: &str) -> String {
    text.replace('-', "_")
}

/// An option in the form that clap knows. As in Python's argparse, long names may follow a single dash.
fn long_option(text: &str, names: &BTreeSet<String>) -> String {
    let name = match text.strip_prefix("--") {
        Some(name) => name,
        None if has_long_name(text, names) => &text[1..],
        None => return text.to_owned(),
    };
    match name.split_once('=') {
        Some((name, value)) => format!("--{}={value}", snake_case(name)),
        None => format!("--{}", snake_case(name)),
    }
}

/// Whether the beginning of the name of a long option follows a single dash. `-f0` is the flag `-f` with its value, `-vv`
/// is `-v` twice, and `-0.5` is a number.
fn has_long_name(text: &str, names: &BTreeSet<String>) -> bool {
    let name = text[1..].split('=').next().unwrap_or_default();
    name.len() > 1 && names.iter().any(|long| long.starts_with(&snake_case(name)))
}

/// Adds the names of all long options of a command and those below it.
fn collect_long_names(command: &Command, names: &mut BTreeSet<String>) {
    for option in command.get_arguments() {
        let aliases = option.get_all_aliases().unwrap_or_default();
        names.extend(option.get_long().into_iter().chain(aliases).map(str::to_owned));
    }
    command.get_subcommands().for_each(|sub| collect_long_names(sub, names));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn normalized(line: &str) -> String {
        let words = normalize(line.split(' ').map(OsString::from), &Cli::command());
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn folds_have_one_name() {
        assert_eq!(["00", "3", "all"].map(|text| fold(text).unwrap()), ["0", "3", "all"]);
        assert!(fold("-1").is_err() && fold("fold_0").is_err());
    }

    #[test]
    fn v1_style_is_understood() {
        for (line, wanted) in [
            ("nnunet plan_and_preprocess -t 4 -tl 2", "nnunet plan_and_preprocess -t 4 --tl 2"),
            ("/x/nnUNet_train 3d_fullres -c", "/x/nnUNet_train train 3d_fullres -c"),
            ("/x/nnUNetv2_preprocess -np 1", "/x/nnUNetv2_preprocess v2 preprocess --np 1"),
            ("nnunet x --step_size -0.5 -pl3d None", "nnunet x --step_size -0.5 --pl3d None"),
            ("nnunet x -pl3d=None -t=4", "nnunet x --pl3d=None -t=4"),
            ("nnunet -vv x -v", "nnunet -vv x -v"),
            ("nnunet predict -t901 -f0 -m2d -oout", "nnunet predict -t901 -f0 -m2d -oout"),
            ("nnunet predict -fall -i/in -tTask004_X", "nnunet predict -fall -i/in -tTask004_X"),
            ("nnunet predict -overwrite_ex -f None", "nnunet predict --overwrite_ex -f None"),
        ] {
            assert_eq!(normalized(line), wanted);
        }
    }

    #[test]
    fn of_a_repeated_option_the_last_counts() {
        let parsed = |line: &str| {
            let words = normalize(line.split(' ').map(OsString::from), &Cli::command());
            last_counts(Cli::command()).try_get_matches_from(words).unwrap().remove_subcommand().unwrap().1
        };
        let predict = parsed("nnunet predict -i a -o b -t 1 -m 2d --overlay -m 3d_fullres --overlay");
        assert_eq!(predict.get_one::<String>("model").unwrap(), "3d_fullres");
        let train = parsed("nnunet train 2d T 1 0 --set a=1 --set b=2");
        assert_eq!(train.get_many::<String>("set").unwrap().count(), 2);
    }

    #[test]
    fn options_and_subcommands_may_be_written_in_kebab_case() {
        for (line, wanted) in [
            ("nnunet example-dataset a-b", "nnunet example_dataset a-b"),
            ("nnunet predict --max-ram 8G", "nnunet predict --max_ram 8G"),
            ("nnunet predict --model-folder=a-b", "nnunet predict --model_folder=a-b"),
            ("nnunet predict --disable-t", "nnunet predict --disable_t"),
            ("nnunet --config a-b.toml plan-and-preprocess", "nnunet --config a-b.toml plan_and_preprocess"),
            ("nnunet --json --plugin=a-b.so train-dp", "nnunet --json --plugin=a-b.so train_dp"),
            ("nnunet v2 plan-and-preprocess -d a-b", "nnunet v2 plan_and_preprocess -d a-b"),
            ("nnunet audit -- --a-b", "nnunet audit -- --a-b"),
        ] {
            assert_eq!(normalized(line), wanted);
        }
    }

    /// No option and no subcommand has a dash in its name: it could not be reached any more.
    #[test]
    fn every_name_is_in_snake_case() {
        fn check(command: &Command) {
            for sub in command.get_subcommands() {
                for name in std::iter::once(sub.get_name()).chain(sub.get_all_aliases()) {
                    assert!(!name.contains('-'), "{name}");
                }
                check(sub);
            }
            for option in command.get_arguments() {
                let all = option.get_all_aliases().unwrap_or_default();
                for name in option.get_long().into_iter().chain(all) {
                    assert!(!name.contains('-'), "{} --{name}", command.get_name());
                }
            }
        }
        check(&Cli::command());
    }
}
