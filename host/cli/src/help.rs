//! `nnunet --help`: the commands by task, each task with an example.

use std::fmt::Write;

use clap::Command;

/// A heading, an example, and the commands below it.
pub(crate) const TASKS: [(&str, &str, &[&str]); 7] = [
    ("Data", "nnunet verify 4", &["ingest", "convert_decathlon_task", "example_dataset", "verify"]),
    ("Planning", "nnunet plan_and_preprocess -t 4", &["plan_and_preprocess", "plans", "split"]),
    (
        "Training",
        "nnunet train 3d_fullres nnUNetTrainerV2 4 0",
        &["train", "train_all", "train_DP", "train_DDP", "launch", "trainers"],
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
            "picture",
            "plot_task_pngs",
            "report",
        ],
    ),
    (
        "Sharing models",
        "nnunet export_model_to_zip -t 4 -o model.zip",
        &[
            "export_model_to_zip",
            "install_pretrained_model_from_zip",
            "change_trainer_class",
            "print_available_pretrained_models",
            "print_pretrained_model_info",
            "download_pretrained_model",
            "download_pretrained_model_by_url",
            "audit",
        ],
    ),
    (
        "Plugins and configuration",
        "nnunet plugins new trainer my-trainer",
        &["plugins", "config", "doctor", "setup", "aliases", "completions", "man_pages", "v2"],
    ),
];

/// The command line with its commands listed by task instead of in one list.
pub(crate) fn by_task(command: Command) -> Command {
    let list = listed(&command);
    command
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
    let mut list = |heading: &str, belongs: &dyn Fn(&str) -> bool| {
        let mut commands = visible.iter().filter(|(name, _)| belongs(name)).peekable();
        if commands.peek().is_none() {
            return;
        }
        let _ = writeln!(text, "{heading}");
        commands.for_each(|(name, about)| {
            let _ = writeln!(text, "  {name:width$}  {about}");
        });
        text.push('\n');
    };
    for (task, example, names) in TASKS {
        list(&format!("{task}, for example `{example}`:"), &|name| names.contains(&name));
    }
    list("More commands:", &|name| TASKS.iter().all(|(_, _, names)| !names.contains(&name)));
    text
}
