//! Links with the names of the originals' commands: `nnUNet_train` is `nnunet train`, and `nnUNetv2_train` is
//! `nnunet v2 train`. Help and errors show commands and flags as the users of the originals type them.

mod as_typed;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;

use clap::{Arg, Args as _, Command};

use crate::global_options::GlobalOptions;
use crate::report;

/// The commands of one generation of nnU-Net.
struct Generation {
    /// What its console commands begin with.
    prefix: &'static str,
    /// The command of this program whose subcommands they are.
    parent: Option<&'static str>,
    /// Their names after the prefix.
    commands: &'static [&'static str],
    /// Long flags that are written with one dash there.
    one_dash: &'static [&'static str],
}

/// nnunet 1.7.1 and nnunetv2 2.8.1.
const GENERATIONS: [Generation; 2] = [
    Generation {
        prefix: "nnUNet_",
        parent: None,
        commands: &[
            "change_trainer_class",
            "convert_decathlon_task",
            "determine_postprocessing",
            "download_pretrained_model",
            "download_pretrained_model_by_url",
            "ensemble",
            "evaluate_folder",
            "export_model_to_zip",
            "find_best_configuration",
            "install_pretrained_model_from_zip",
            "plan_and_preprocess",
            "plot_task_pngs",
            "predict",
            "print_available_pretrained_models",
            "print_pretrained_model_info",
            "train",
            "train_DDP",
            "train_DP",
        ],
        one_dash: &[
            "chk",
            "ctr",
            "gpus",
            "modality_idx",
            "no_pp",
            "num_processes",
            "output_task_id",
            "overwrite_plans",
            "overwrite_plans_identifier",
            "pl",
            "pl2d",
            "pl3d",
            "pp",
            "pred",
            "pretrained_weights",
            "ref",
            "tf",
            "tl",
            "tr",
            "trc",
            "val",
        ],
    },
    Generation {
        prefix: "nnUNetv2_",
        parent: Some("v2"),
        commands: &[
            "accumulate_crossval_results",
            "apply_postprocessing",
            "convert_MSD_dataset",
            "convert_old_nnUNet_dataset",
            "determine_postprocessing",
            "download_pretrained_model_by_url",
            "ensemble",
            "evaluate_folder",
            "evaluate_simple",
            "export_model_to_zip",
            "extract_fingerprint",
            "find_best_configuration",
            "install_pretrained_model_from_zip",
            "move_plans_between_datasets",
            "plan_and_preprocess",
            "plan_experiment",
            "plot_overlay_pngs",
            "predict",
            "predict_from_modelfolder",
            "preprocess",
            "train",
        ],
        one_dash: &[
            "channel_idx",
            "chk",
            "dataset_json",
            "device",
            "djfile",
            "fpe",
            "gpu_memory_target",
            "il",
            "np",
            "npfp",
            "npp",
            "nps",
            "num_gpus",
            "num_parts",
            "overlay_intensity",
            "overwrite_id",
            "overwrite_plans_name",
            "overwrite_target_spacing",
            "part_id",
            "pfile",
            "pl",
            "plans_json",
            "plans_name",
            "pp_pkl_file",
            "preprocessor_name",
            "pretrained_weights",
            "prev_stage_predictions",
            "ref",
            "sp",
            "step_size",
            "tp",
            "tr",
        ],
    },
];

/// The names of all links.
pub(crate) fn names() -> impl Iterator<Item = String> {
    let of = |generation: &'static Generation| {
        generation.commands.iter().map(|name| format!("{}{name}", generation.prefix))
    };
    GENERATIONS.iter().flat_map(of)
}

/// The words of this program that the name of a link stands for.
pub(crate) fn words_of(name: &str) -> Vec<OsString> {
    let found =
        GENERATIONS.iter().find_map(|generation| Some((generation, name.strip_prefix(generation.prefix)?)));
    let words = found.map(|(generation, command)| generation.parent.into_iter().chain([command]));
    words.into_iter().flatten().map(OsString::from).collect()
}

/// Checks the words of a program that was called through a link, already rewritten to `NAME …` or `v2 NAME …`. Other calls
/// are left alone.
///
/// # Errors
/// Returns help, or what is wrong with the arguments, under the link's name.
pub(crate) fn check(all: &Command, words: &[OsString]) -> Result<(), clap::Error> {
    let Some(program) = words.first() else { return Ok(()) };
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((command, before)) = command(all, &name) else { return Ok(()) };
    let own = words.get(before..).unwrap_or_default();
    let line = std::iter::once(OsString::from(&name)).chain(own.iter().cloned());
    command.try_get_matches_from(line).map(drop)
}

/// The command that a link stands for, with the options that all commands share; and how many words come before its own.
fn command(all: &Command, link: &str) -> Option<(Command, usize)> {
    let (generation, name) = GENERATIONS
        .iter()
        .find_map(|generation| Some((generation, link.strip_prefix(generation.prefix)?)))?;
    let parent = match generation.parent {
        Some(parent) => all.find_subcommand(parent)?,
        None => all,
    };
    let found = parent.find_subcommand(name)?.clone().name(link.to_owned()).bin_name(link.to_owned());
    let words: Vec<&str> = std::iter::once("nnunet").chain(generation.parent).chain([name]).collect();
    let examples = found.get_after_help().map(|text| text.to_string().replace(&words.join(" "), link));
    let found = found.after_help(examples.unwrap_or_default());
    let shared: Vec<Arg> = GlobalOptions::augment_args(Command::new("nnunet"))
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .cloned()
        .collect();
    Some((found.infer_long_args(true).args(shared), 1 + words_of(link).len()))
}

/// Help, or a message about arguments, with the flags of v1, or of v2 in its commands, as their users type them.
pub(crate) fn text(error: &clap::Error, words: &[OsString]) -> String {
    let is_v2 = words.iter().skip(1).any(|word| GENERATIONS[1].parent.is_some_and(|parent| word == parent));
    let is_terminal =
        if error.use_stderr() { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let colorless = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let rendered = error.render();
    let text = if is_terminal && !colorless && !report::is_json() {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    };
    as_typed::as_typed(&text, GENERATIONS[usize::from(is_v2)].one_dash)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;
    use crate::help::{GLOBAL_OPTIONS, with_examples};

    #[test]
    fn links_stand_for_commands_that_exist() {
        let all = Cli::command();
        for link in names() {
            let (command, _) = command(&all, &link).unwrap_or_else(|| panic!("{link}"));
            command.debug_assert();
        }
        assert_eq!(words_of("nnUNetv2_train"), ["v2", "train"]);
        assert_eq!(words_of("nnUNet_train"), ["train"]);
        assert!(words_of("nnunet").is_empty());
    }

    #[test]
    fn help_shows_the_name_of_the_link() {
        let all = with_examples(Cli::command());
        for link in names() {
            let (mut command, _) = command(&all, &link).unwrap();
            let help = command.render_help().to_string();
            assert!(help.contains(&format!("Usage: {link}")), "{help}");
            let end = help.split(&format!("{GLOBAL_OPTIONS}:")).nth(1).unwrap_or_else(|| panic!("{help}"));
            let examples = end.split("Example").nth(1).unwrap_or_else(|| panic!("no example: {help}"));
            // Processes of a training are started by `nnunet launch`.
            let others = examples.lines().filter(|line| line.starts_with("  nnunet ")).collect::<Vec<_>>();
            assert!(others.iter().all(|line| line.contains("nnunet launch")), "{help}");
            let own = |line: &str| line.split_whitespace().next() == Some(link.as_str());
            assert!(!others.is_empty() || examples.lines().any(own), "{help}");
        }
    }
}
