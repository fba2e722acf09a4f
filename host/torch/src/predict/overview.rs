//! What is said before a prediction: the model and its trainer, the folds that were found, and the postprocessing.

use std::path::{Path, PathBuf};

use nnunet_cli::commands::predict::Args;
use nnunet_cli::report;
use nnunet_data::models::{is_complete, is_unfinished};
use serde_json::json;

use crate::devices;
use crate::family::LoadedModel;
use crate::network;

/// No postprocessing.
const NONE: &str = "None";

/// Prints the facts about a model that is about to predict.
pub(super) fn print(folder: &Path, model: &LoadedModel, args: &Args) {
    let name = |path: &PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let checkpoint = model.checkpoints.first().and_then(name).unwrap_or_default();
    report::line(&format!("model: {}", folder.display()));
    report::line(&format!(
        "trainer: {}; folds: {}; checkpoint: {checkpoint}; precision: {}",
        model.trainer,
        folds(&model.checkpoints).join(" "),
        network::precision_name(model.window.kind)
    ));
    let left_out = if args.folds.is_empty() { left_out(folder, &model.checkpoints) } else { Vec::new() };
    if !left_out.is_empty() {
        report::line(&format!("left out, since they have no {checkpoint}: folds {}", left_out.join(" ")));
    }
    for fold in replaced(&model.checkpoints) {
        report::line(&format!(
            "fold {fold} has a newer training that is not complete; the earlier one predicts"
        ));
    }
    let of_v1 = model
        .checkpoints
        .first()
        .is_some_and(|file| file.extension().is_some_and(|ending| ending == "model"));
    let undetermined = of_v1 && !args.postprocessing.is_given() && model.postprocessing == NONE;
    report::line(&format!(
        "postprocessing: {}{}",
        model.postprocessing,
        if undetermined {
            "; none was determined for this model (find_best_configuration does that)"
        } else {
            ""
        }
    ));
    let checkpoints: Vec<String> = model.checkpoints.iter().map(|file| file.display().to_string()).collect();
    let fields = json!({
        "folder": folder.display().to_string(), "trainer": model.trainer, "folds": folds(&model.checkpoints),
        "checkpoints": checkpoints, "device": devices::name(model.window.device),
        "precision": network::precision_name(model.window.kind), "postprocessing": model.postprocessing,
    });
    report::event("prediction_model", &fields);
}

/// The folds of checkpoints, as `-f` takes them.
fn folds(checkpoints: &[PathBuf]) -> Vec<String> {
    let folder = |path: &PathBuf| Some(path.parent()?.file_name()?.to_string_lossy().into_owned());
    let names = checkpoints.iter().filter_map(folder);
    names.map(|name| name.strip_prefix("fold_").unwrap_or(&name).to_owned()).collect()
}

/// The folds of a model, but that on all cases, that none of its checkpoints is of.
fn left_out(model: &Path, checkpoints: &[PathBuf]) -> Vec<String> {
    let used = folds(checkpoints);
    let entries = std::fs::read_dir(model).into_iter().flatten().flatten();
    let names =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix("fold_")?.to_owned()));
    let mut others: Vec<String> = names.filter(|name| name != "all" && !used.contains(name)).collect();
    others.sort();
    others
}

/// The folds whose complete checkpoint is used, and that have a newer one of a training that is not.
fn replaced(checkpoints: &[PathBuf]) -> Vec<String> {
    let is_replaced =
        |path: &&PathBuf| path.parent().is_some_and(|fold| is_complete(fold) && is_unfinished(fold));
    let is_final = |path: &&PathBuf| path.to_string_lossy().contains("final");
    folds(&checkpoints.iter().filter(is_final).filter(is_replaced).cloned().collect::<Vec<_>>())
}

/// Prints which cases of a part are left to predict.
pub(super) fn print_cases(cases: usize, open: usize, args: &Args) {
    let output = args.output.display();
    let again = if args.of_v2 {
        "without --continue_prediction they are predicted again"
    } else {
        "--overwrite_existing predicts them again"
    };
    match (cases, open) {
        (0, _) => report::line("nothing to do: there are more parts (--num_parts) than cases"),
        (_, 0) => {
            report::line(&format!("nothing to do: all {cases} label maps are in {output} already; {again}"));
        }
        _ if open < cases => {
            let left = cases - open;
            report::line(&format!(
                "{left} of {cases} label maps are in {output} already and are left as they are; {again}"
            ));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_named_as_on_the_command_line() {
        let files = ["m/fold_0/a.model", "m/fold_12/a.model", "m/all/a.model"].map(PathBuf::from);
        assert_eq!(folds(&files), ["0", "12", "all"]);
    }

    #[test]
    fn folds_without_the_checkpoint_and_with_a_newer_one_are_known() {
        let model = tempfile::tempdir().unwrap();
        let write = |name: &str, seconds: u64| {
            let path = model.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = std::fs::File::create(&path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
            path
        };
        let used = [0, 1].map(|fold| write(&format!("fold_{fold}/model_final_checkpoint.model"), 5));
        write("fold_1/model_latest.model", 9);
        write("fold_2/model_latest.model", 1);
        write("fold_all/model_final_checkpoint.model", 1);
        assert_eq!(left_out(model.path(), &used), ["2"]);
        assert_eq!(replaced(&used), ["1"]);
    }
}
