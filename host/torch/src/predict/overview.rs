//! What is said before a prediction: the model and its trainer, the folds that were found, and the postprocessing.

use std::path::{Path, PathBuf};

use nnunet_cli::commands::predict::Args;
use nnunet_cli::report;
use serde_json::json;

use crate::devices;
use crate::family::LoadedModel;

/// Prints the facts about a model that is about to predict.
pub(super) fn print(folder: &Path, model: &LoadedModel) {
    let name = |path: &PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let checkpoint = model.checkpoints.first().and_then(name).unwrap_or_default();
    report::line(&format!("model: {}", folder.display()));
    report::line(&format!(
        "trainer: {}; folds: {}; checkpoint: {checkpoint}; precision: {:?}",
        model.trainer,
        folds(&model.checkpoints).join(" "),
        model.window.kind
    ));
    report::line(&format!("postprocessing: {}", model.postprocessing));
    let checkpoints: Vec<String> = model.checkpoints.iter().map(|file| file.display().to_string()).collect();
    let fields = json!({
        "folder": folder.display().to_string(), "trainer": model.trainer, "folds": folds(&model.checkpoints),
        "checkpoints": checkpoints, "device": devices::name(model.window.device),
        "precision": format!("{:?}", model.window.kind).to_lowercase(), "postprocessing": model.postprocessing,
    });
    report::event("prediction_model", &fields);
}

/// The folds of checkpoints, as `-f` takes them.
fn folds(checkpoints: &[PathBuf]) -> Vec<String> {
    let folder = |path: &PathBuf| Some(path.parent()?.file_name()?.to_string_lossy().into_owned());
    let names = checkpoints.iter().filter_map(folder);
    names.map(|name| name.strip_prefix("fold_").unwrap_or(&name).to_owned()).collect()
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
}
