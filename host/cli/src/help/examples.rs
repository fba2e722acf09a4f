//! The examples at the end of every command's help.

use clap::Command;

/// Commands, by the words that name them, with examples.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("verify", &["nnunet verify 4", "nnunet verify Task004_Hippocampus --fix --yes"]),
    (
        "ingest",
        &[
            "nnunet ingest -i scans/t1 scans/t2 -m masks -t Task005_Tumor --channels T1 T2",
            "nnunet ingest -i photos -m masks -t Dataset006_Cells --labels 255=cell",
        ],
    ),
    ("convert_decathlon_task", &["nnunet convert_decathlon_task -i Task04_Hippocampus"]),
    ("example_dataset", &["nnunet example_dataset -o $nnUNet_raw_data_base/nnUNet_raw_data"]),
    (
        "plan_and_preprocess",
        &[
            "nnunet plan_and_preprocess -t 4 --verify_dataset_integrity",
            "nnunet plan_and_preprocess -t 4 5 -pl2d None -tl 4 -tf 2",
        ],
    ),
    ("plans show", &["nnunet plans show 4"]),
    ("plans edit", &["nnunet plans edit 4 --set plans_per_stage.0.batch_size=4"]),
    ("plans diff", &["nnunet plans diff 4 5", "nnunet plans diff old/plans.pkl new/plans.pkl"]),
    (
        "split",
        &[
            "nnunet split -t 4 -s LeaveOneOut --dry_run",
            "nnunet split -t 4 -s GroupKFold --parameters 'pattern = \"^(patient[0-9]+)_\"'",
        ],
    ),
    (
        "train",
        &[
            "nnunet train 3d_fullres nnUNetTrainerV2 4 0",
            "nnunet train 3d_fullres nnUNetTrainerV2 4 0 -c",
            "nnunet train 2d nnUNetTrainerV2 4 all --set max_num_epochs=250",
        ],
    ),
    ("train_all", &["nnunet train_all 4 -m 2d 3d_fullres --devices cuda:0,cuda:1"]),
    ("launch", &["nnunet launch --nproc 2 -- train 3d_fullres nnUNetTrainerV2 4 0"]),
    ("train_DP", &["nnunet train_DP 3d_fullres nnUNetTrainerV2_DP 4 0 -gpus 2 --dbs"]),
    ("train_DDP", &["nnunet launch --nproc 2 -- train_DDP 3d_fullres nnUNetTrainerV2_DDP 4 0 --dbs"]),
    ("trainers list", &["nnunet trainers list"]),
    ("trainers show", &["nnunet trainers show nnUNetTrainerV2"]),
    ("trainers diff", &["nnunet trainers diff nnUNetTrainerV2 nnUNetTrainerV2_noMirroring"]),
    (
        "predict",
        &[
            "nnunet predict -i IMAGES -o PREDICTIONS -t 4 -m 3d_fullres",
            "nnunet predict -i IMAGES -o PREDICTIONS -t 4 -m 2d -tr nnUNetTrainerV2 -f 0 1 -chk model_best",
            "nnunet predict -i IMAGES -o PREDICTIONS --model_folder model.zip",
        ],
    ),
    ("ensemble", &["nnunet ensemble -f PREDICTIONS_2D PREDICTIONS_3D -o MERGED -pp postprocessing.json"]),
    (
        "apply_postprocessing",
        &["nnunet apply_postprocessing -i PREDICTIONS -o CLEANED -pp postprocessing.json"],
    ),
    ("models list", &["nnunet models list", "nnunet models list 4"]),
    ("evaluate_folder", &["nnunet evaluate_folder -ref LABELS -pred PREDICTIONS -l 1 2 --csv metrics.csv"]),
    (
        "find_best_configuration",
        &["nnunet find_best_configuration -t 4", "nnunet find_best_configuration -m 2d 3d_fullres -t 4"],
    ),
    (
        "determine_postprocessing",
        &[
            "nnunet determine_postprocessing -t 4 -m 3d_fullres",
            "nnunet determine_postprocessing --raw PREDICTIONS --gt LABELS -o CLEANED",
        ],
    ),
    ("report", &["nnunet report PREDICTIONS -o report.html"]),
    ("picture", &["nnunet picture -i IMAGES -ref LABELS -pred PREDICTIONS -o cases.png"]),
    ("plot_task_pngs", &["nnunet plot_task_pngs -t 4 -o pictures --use_raw"]),
    ("export_model_to_zip", &["nnunet export_model_to_zip -t 4 -o model.zip -m 3d_fullres"]),
    ("install_pretrained_model_from_zip", &["nnunet install_pretrained_model_from_zip model.zip"]),
    ("print_available_pretrained_models", &["nnunet print_available_pretrained_models"]),
    ("print_pretrained_model_info", &["nnunet print_pretrained_model_info Task004_Hippocampus"]),
    ("download_pretrained_model", &["nnunet download_pretrained_model Task004_Hippocampus"]),
    (
        "download_pretrained_model_by_url",
        &["nnunet download_pretrained_model_by_url https://example.org/model.zip"],
    ),
    (
        "convert model",
        &["nnunet convert model --to v2 -i 3d_fullres/Task004_Hippocampus/nnUNetTrainerV2__nnUNetPlansv2.1"],
    ),
    ("convert plans", &["nnunet convert plans --to v2 -i 4"]),
    ("convert dataset", &["nnunet convert dataset --to v2 -i Task004_Hippocampus -d Dataset004_Hippocampus"]),
    (
        "change_trainer_class",
        &["nnunet change_trainer_class -i nnUNetTrainerV2__nnUNetPlansv2.1 -tr nnUNetTrainerV2_noMirroring"],
    ),
    ("audit", &["nnunet audit model.zip"]),
    ("plugins list", &["nnunet plugins list --kind trainer"]),
    (
        "plugins inspect",
        &["nnunet plugins inspect nnUNetTrainerV2", "nnunet plugins inspect loss:DC_and_CE_loss"],
    ),
    ("plugins docs", &["nnunet plugins docs"]),
    ("plugins check", &["nnunet plugins check target/release/libmy_trainer.so"]),
    ("plugins new", &["nnunet plugins new trainer my-trainer"]),
    (
        "plugins install",
        &[
            "nnunet plugins install my-trainer",
            "nnunet plugins install https://example.org/my-trainer.git --rev v1.0.0",
        ],
    ),
    ("plugins update", &["nnunet plugins update my-trainer"]),
    ("plugins remove", &["nnunet plugins remove my-trainer"]),
    ("plugins pack", &["nnunet plugins pack my-trainer -o my-trainer.nnplugin"]),
    ("plugins cargo_config", &["nnunet plugins cargo_config > .cargo/config.toml"]),
    ("plugins pin", &["nnunet plugins pin my-trainer"]),
    ("config show", &["nnunet config show --origin"]),
    ("config schema", &["nnunet config schema > nnunet.schema.json"]),
    ("doctor", &["nnunet doctor --device cuda"]),
    ("setup", &["nnunet setup", "nnunet setup --cuda"]),
    ("aliases", &["nnunet aliases --dir ~/.local/bin"]),
    ("completions", &["nnunet completions bash > ~/.local/share/bash-completion/completions/nnunet"]),
    ("man_pages", &["nnunet man_pages --dir ~/.local/share/man/man1"]),
    ("v2 extract_fingerprint", &["nnunet v2 extract_fingerprint -d 4 --verify_dataset_integrity"]),
    ("v2 plan_experiment", &["nnunet v2 plan_experiment -d 4 -pl nnUNetPlannerResEncM"]),
    (
        "v2 plan_and_preprocess",
        &[
            "nnunet v2 plan_and_preprocess -d 4 --verify_dataset_integrity",
            "nnunet v2 plan_and_preprocess -d 4 -c 3d_fullres -np 4",
        ],
    ),
    ("v2 preprocess", &["nnunet v2 preprocess -d 4 -plans_name nnUNetResEncUNetMPlans -c 3d_fullres"]),
    (
        "v2 move_plans_between_datasets",
        &["nnunet v2 move_plans_between_datasets -s 4 -t 5 -sp nnUNetPlans -tp nnUNetPlansOf4"],
    ),
    (
        "v2 convert_old_nnUNet_dataset",
        &["nnunet v2 convert_old_nnUNet_dataset Task004_Hippocampus Dataset004_Hippocampus"],
    ),
    ("v2 convert_MSD_dataset", &["nnunet v2 convert_MSD_dataset -i Task04_Hippocampus"]),
    ("v2 convert_to_task", &["nnunet v2 convert_to_task -d 4"]),
    (
        "v2 train",
        &[
            "nnunet v2 train 4 3d_fullres 0",
            "nnunet v2 train 4 3d_fullres 0 --c",
            "nnunet v2 train 4 2d all -tr nnUNetTrainer_250epochs",
        ],
    ),
    ("v2 find_best_configuration", &["nnunet v2 find_best_configuration 4 -c 2d 3d_fullres"]),
    ("v2 determine_postprocessing", &["nnunet v2 determine_postprocessing -i PREDICTIONS -ref LABELS"]),
    ("v2 accumulate_crossval_results", &["nnunet v2 accumulate_crossval_results 4 -c 3d_fullres"]),
    (
        "v2 apply_postprocessing",
        &["nnunet v2 apply_postprocessing -i PREDICTIONS -o CLEANED -pp_pkl_file postprocessing.pkl"],
    ),
    (
        "v2 download_pretrained_model_by_url",
        &["nnunet v2 download_pretrained_model_by_url https://example.org/model.zip"],
    ),
    ("v2 ensemble", &["nnunet v2 ensemble -i PREDICTIONS_2D PREDICTIONS_3D -o MERGED"]),
    (
        "v2 evaluate_folder",
        &["nnunet v2 evaluate_folder LABELS PREDICTIONS -djfile dataset.json -pfile plans.json"],
    ),
    ("v2 evaluate_simple", &["nnunet v2 evaluate_simple LABELS PREDICTIONS -l 1 2"]),
    ("v2 export_model_to_zip", &["nnunet v2 export_model_to_zip -d 4 -o model.zip -c 3d_fullres"]),
    ("v2 install_pretrained_model_from_zip", &["nnunet v2 install_pretrained_model_from_zip model.zip"]),
    ("v2 plot_overlay_pngs", &["nnunet v2 plot_overlay_pngs -d 4 -o pictures --use_raw"]),
    (
        "v2 predict",
        &[
            "nnunet v2 predict -i IMAGES -o PREDICTIONS -d 4 -c 3d_fullres",
            "nnunet v2 predict -i IMAGES -o PREDICTIONS -d 4 -c 3d_fullres -f 0 1 -chk checkpoint_best.pth",
        ],
    ),
    (
        "v2 predict_from_modelfolder",
        &[
            "nnunet v2 predict_from_modelfolder -i IMAGES -o PREDICTIONS -m nnUNetTrainer__nnUNetPlans__3d_fullres",
        ],
    ),
];

/// The command line with examples at the end of every command's help.
pub(crate) fn with_examples(command: Command) -> Command {
    within(command, "")
}

fn within(command: Command, words: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = names.iter().fold(command, |command, name| {
        command.mut_subcommand(name, |sub| within(sub, format!("{words} {name}").trim_start()))
    });
    match of(words) {
        [] => command,
        [one] => command.after_help(format!("Example:\n  {one}")),
        several => command.after_help(format!("Examples:\n  {}", several.join("\n  "))),
    }
}

/// The examples of a command.
fn of(words: &str) -> &'static [&'static str] {
    EXAMPLES.iter().find(|(command, _)| *command == words).map_or(&[], |(_, examples)| *examples)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::arguments::normalize;
    use crate::cli::Cli;

    /// The words of all commands without subcommands.
    fn leaves(command: &Command, words: &str, found: &mut Vec<String>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let words = format!("{words} {}", sub.get_name()).trim_start().to_owned();
            if sub.has_subcommands() { leaves(sub, &words, found) } else { found.push(words) }
        }
    }

    #[test]
    fn every_command_has_examples_and_every_example_a_command() {
        let mut commands = Vec::new();
        leaves(&Cli::command(), "", &mut commands);
        let without: Vec<&String> = commands.iter().filter(|words| of(words).is_empty()).collect();
        assert!(without.is_empty(), "without an example: {without:?}");
        let unknown: Vec<_> =
            EXAMPLES.iter().filter(|(words, _)| !commands.iter().any(|c| c == words)).collect();
        assert!(unknown.is_empty(), "no command: {unknown:?}");
    }

    /// As a shell would pass them, up to a redirection.
    fn shell_words(line: &str) -> Vec<OsString> {
        let line = line.split(" > ").next().unwrap_or_default();
        let quoted = line.split('\'').enumerate();
        let words = quoted.flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(OsString::from).collect(),
            _ => vec![part.into()],
        });
        words.collect()
    }

    #[test]
    fn examples_are_understood() {
        for line in EXAMPLES.iter().flat_map(|(_, examples)| examples.iter()) {
            let words = normalize(shell_words(line), &Cli::command());
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().unwrap());
        }
    }
}
