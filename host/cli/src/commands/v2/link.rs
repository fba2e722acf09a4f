//! Links with the names of v2's commands: help and errors show the command as its users type it.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Args as _, Command as Line, Subcommand};

use super::Command;
use crate::global_options::GlobalOptions;

/// What v2's console commands begin with.
pub const PREFIX: &str = "nnUNetv2_";

/// v2's console commands.
pub const COMMANDS: [&str; 21] = [
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
];

/// Long flags that v2 writes with one dash.
const ONE_DASH: [&str; 33] = [
    "--cfg",
    "--channel_idx",
    "--chk",
    "--dataset_json",
    "--device",
    "--djfile",
    "--ep",
    "--fpe",
    "--gpu_memory_target",
    "--il",
    "--np",
    "--npfp",
    "--npp",
    "--nps",
    "--num_gpus",
    "--num_parts",
    "--overlay_intensity",
    "--overwrite_id",
    "--overwrite_plans_name",
    "--overwrite_target_spacing",
    "--part_id",
    "--pfile",
    "--pl",
    "--plans_json",
    "--plans_name",
    "--pp_pkl_file",
    "--preprocessor_name",
    "--pretrained_weights",
    "--prev_stage_predictions",
    "--sp",
    "--step_size",
    "--tp",
    "--tr",
];

/// Checks the words of a program that was called through a link, already rewritten to `v2 NAME …`: help is printed, and
/// wrong arguments end the process with code 2, under the link's name. Other calls are left alone.
pub fn check(words: &[OsString]) {
    let Some(program) = words.first() else { return };
    let name =
        Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(command) = name.strip_prefix(PREFIX).and_then(command) else { return };
    // After the program, `v2` and the command.
    let own = words.get(3..).unwrap_or_default();
    let line = std::iter::once(OsString::from(&name)).chain(own.iter().cloned());
    if let Err(error) = command.name(name.clone()).bin_name(name).try_get_matches_from(line) {
        finish(&error);
    }
}

/// A command of v2 with the arguments that all commands share.
fn command(name: &str) -> Option<Line> {
    let all = Command::augment_subcommands(Line::new("v2").infer_long_args(true));
    let found = all.find_subcommand(name)?.clone();
    let shared: Vec<Arg> = GlobalOptions::augment_args(Line::new("nnunet"))
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .cloned()
        .collect();
    Some(found.args(shared))
}

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clap's own way of printing cannot change the text"
)]
fn finish(error: &clap::Error) -> ! {
    let text = as_typed(&error.render().to_string());
    if error.use_stderr() {
        eprint!("{text}");
    } else {
        print!("{text}");
    }
    std::process::exit(error.exit_code())
}

/// The text with flags as v2 writes them.
fn as_typed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("--") {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let len = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let word = &rest[..len];
        out.push_str(if ONE_DASH.contains(&word) { &word[1..] } else { word });
        rest = &rest[len..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_v2_is_known() {
        let unknown: Vec<&str> = COMMANDS.into_iter().filter(|name| command(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn help_shows_flags_as_they_are_typed() {
        let text = as_typed("Usage: x --gpu_memory_target <GB> --no_pp, --np <N>... --verbose");
        assert_eq!(text, "Usage: x -gpu_memory_target <GB> --no_pp, -np <N>... --verbose");
    }

    #[test]
    fn arguments_are_consistent() {
        for name in COMMANDS {
            command(name).unwrap().debug_assert();
        }
    }
}
