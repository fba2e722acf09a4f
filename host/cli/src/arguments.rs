//! Spellings of arguments that the originals' commands and scripts accept, rewritten to those that clap knows: `-tl 2`
//! becomes `--tl 2`, `--task-ids` becomes `--task_ids`, a program called `nnUNet_train` becomes `nnunet train`, and one
//! called `nnUNetv2_train` becomes `nnunet v2 train`.

use std::ffi::OsString;
use std::path::Path;

use crate::links;

/// Global options that take a value, which may stand before the subcommand.
const WITH_VALUE: [&str; 3] = ["--config", "--plugin", "--log_file"];

/// The arguments of this process, rewritten.
#[must_use]
pub fn process_arguments() -> Vec<OsString> {
    normalize(std::env::args_os())
}

/// Rewrites the arguments of a process, the first of which is the program.
pub(crate) fn normalize(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_else(|| "nnunet".into());
    let called = Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
    let called = called.as_deref().map(links::words_of).unwrap_or_default();
    let mut all = vec![program];
    let mut has_subcommand = !called.is_empty();
    all.extend(called);
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            all.push(argument);
            all.extend(arguments);
            break;
        }
        let is_option = argument.to_string_lossy().starts_with('-');
        let is_value = all.last().is_some_and(|last| WITH_VALUE.iter().any(|option| last == option));
        if is_option {
            all.push(map_text(argument, long_option));
        } else if has_subcommand || is_value {
            all.push(argument);
        } else {
            // The commands of v2 are subcommands of `v2`.
            has_subcommand = argument != "v2";
            all.push(map_text(argument, snake_case));
        }
    }
    all
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

fn map_text(argument: OsString, map: fn(&str) -> String) -> OsString {
    argument.to_str().map(map).map_or(argument, OsString::from)
}

fn snake_case(text: &str) -> String {
    text.replace('-', "_")
}

/// An option in the form that clap knows. As in Python's argparse, long names may follow a single dash.
fn long_option(text: &str) -> String {
    let name = match text.strip_prefix("--") {
        Some(name) => name,
        None if has_long_name(text) => &text[1..],
        None => return text.to_owned(),
    };
    match name.split_once('=') {
        Some((name, value)) => format!("--{}={value}", snake_case(name)),
        None => format!("--{}", snake_case(name)),
    }
}

/// Whether more than one letter follows a single dash. `-vv` is `-v` twice, and `-0.5` is a number.
fn has_long_name(text: &str) -> bool {
    let name = &text[1..];
    let mut chars = name.chars();
    chars.next().is_some_and(char::is_alphabetic)
        && chars.next().is_some_and(|c| c != '=')
        && !name.chars().all(|c| c == 'v')
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn normalized(line: &str) -> String {
        let words = normalize(line.split(' ').map(OsString::from));
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
        ] {
            assert_eq!(normalized(line), wanted);
        }
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
        fn check(command: &clap::Command) {
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
