//! Links with the names of the originals' commands: `nnUNet_train` is `nnunet train`, and `nnUNetv2_train` is
//! `nnunet v2 train`. Help and errors show the command and its flags as its users type them.

mod as_typed;

use std::ffi::OsString;
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

/// Checks the words of a program that was called through a link, already rewritten to `NAME …` or `v2 NAME …`: help is
/// printed, and wrong arguments end the process with code 2, under the link's name. Other calls are left alone.
pub(crate) fn check(all: &Command, words: &[OsString]) {
    let Some(program) = words.first() else { return };
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((generation, command, before)) = command(all, &name) else { return };
    let own = words.get(before..).unwrap_or_default();
    let line = std::iter::once(OsString::from(&name)).chain(own.iter().cloned());
    if let Err(error) = command.try_get_matches_from(line) {
        finish(&error, generation);
    }
}

/// The command that a link stands for, with the options that all commands share; and how many words come before its own.
fn command(all: &Command, link: &str) -> Option<(&'static Generation, Command, usize)> {
    let (generation, name) = GENERATIONS
        .iter()
        .find_map(|generation| Some((generation, link.strip_prefix(generation.prefix)?)))?;
    let parent = match generation.parent {
        Some(parent) => all.find_subcommand(parent)?,
        None => all,
    };
    let found = parent.find_subcommand(name)?.clone().name(link.to_owned()).bin_name(link.to_owned());
    let shared: Vec<Arg> = GlobalOptions::augment_args(Command::new("nnunet"))
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .map(|arg| arg.clone().help_heading("Options of all commands"))
        .collect();
    Some((generation, found.infer_long_args(true).args(shared), 1 + words_of(link).len()))
}

#[allow(clippy::print_stdout, reason = "clap's own way of printing cannot change the text")]
fn finish(error: &clap::Error, generation: &Generation) -> ! {
    let text = as_typed::as_typed(&error.render().to_string(), generation.one_dash);
    if error.use_stderr() {
        report::usage_error(&text, error.exit_code());
    } else {
        print!("{text}");
    }
    std::process::exit(error.exit_code())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn links_stand_for_commands_that_exist() {
        let all = Cli::command();
        for link in names() {
            let (_, command, _) = command(&all, &link).unwrap_or_else(|| panic!("{link}"));
            command.debug_assert();
        }
        assert_eq!(words_of("nnUNetv2_train"), ["v2", "train"]);
        assert_eq!(words_of("nnUNet_train"), ["train"]);
        assert!(words_of("nnunet").is_empty());
    }

    #[test]
    fn help_shows_the_name_of_the_link() {
        let all = Cli::command();
        for link in names() {
            let (_, mut command, _) = command(&all, &link).unwrap();
            let help = command.render_help().to_string();
            assert!(help.contains(&format!("Usage: {link}")), "{help}");
            assert!(help.contains("Options of all commands:"), "{help}");
        }
    }
}
