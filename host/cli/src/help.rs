//! `nnunet --help`: the commands by task, each task with an example; and the examples of every command's own help.

mod examples;

use std::fmt::Write;

use clap::Command;

pub(crate) use examples::with_examples;

/// The heading of the options that all commands have.
pub(crate) const GLOBAL_OPTIONS: &str = "Global options";

/// A heading, an example, and the commands below it.
pub(crate) const TASKS: [(&str, &str, &[&str]); 7] = [
    ("Data", "nnunet verify 4", &["verify", "ingest", "convert_decathlon_task", "example_dataset"]),
    ("Planning", "nnunet plan_and_preprocess -t 4", &["plan_and_preprocess", "plans", "split"]),
    (
        "Training",
        "nnunet train 3d_fullres nnUNetTrainerV2 4 0",
        &["train", "train_all", "launch", "train_DP", "train_DDP", "trainers"],
    ),
    (
        "Prediction",
        "nnunet predict -i IMAGES -o PREDICTIONS -t 4 -m 3d_fullres",
        &["predict", "ensemble", "apply_postprocessing", "models"],
    ),
    (
        "Evaluation and choice of a model",
        "nnunet evaluate_folder -ref LABELS -pred PREDICTIONS -l 1 2",
        &[
            "evaluate_folder",
            "find_best_configuration",
            "determine_postprocessing",
            "report",
            "picture",
            "plot_task_pngs",
        ],
    ),
    (
        "Sharing models",
        "nnunet export_model_to_zip -t 4 -o model.zip",
        &[
            "export_model_to_zip",
            "install_pretrained_model_from_zip",
            "print_available_pretrained_models",
            "print_pretrained_model_info",
            "download_pretrained_model",
            "download_pretrained_model_by_url",
            "convert",
            "change_trainer_class",
            "audit",
        ],
    ),
    (
        "Plugins and configuration",
        "nnunet plugins new trainer my-trainer",
        &["plugins", "config", "doctor", "setup", "aliases", "completions", "man_pages", "v2"],
    ),
];

/// The command line with its commands listed by task instead of in one list, and with examples.
pub(crate) fn by_task(command: Command) -> Command {
    let list = listed(&command);
    with_examples(command)
        .help_template(format!("{{about}}\n\n{{usage-heading}} {{usage}}\n\n{list}Options:\n{{options}}\n"))
}

fn listed(command: &Command) -> String {
    let visible: Vec<(&str, String)> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .map(|sub| (sub.get_name(), sub.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    let width = visible.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (task, example, names) in TASKS {
        let _ = writeln!(text, "{task}, for example `{example}`:");
        let found = names.iter().filter_map(|name| visible.iter().find(|(visible, _)| visible == name));
        found.for_each(|(name, about)| {
            let _ = writeln!(text, "  {name:width$}  {about}");
        });
        text.push('\n');
    }
    text
}
