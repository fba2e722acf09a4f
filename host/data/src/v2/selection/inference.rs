//! How new images are predicted with the best model or ensemble: `inference_information.json` and
//! `inference_instructions.txt`.

use std::path::Path;

use anyhow::Result;
use nnunet_formats::atomic;
use nnunet_formats::json::{self, Json};

use super::candidate::{Candidate, Search};
use super::{ModelName, previous_stage};
use crate::v2::{Folders, PlansFile};

/// Names of folders in the commands, as v2's.
const OUTPUT: &str = "OUTPUT_FOLDER";
const PREVIOUS: &str = "OUTPUT_FOLDER_PREV_STAGE";

/// Writes what a program needs to know of the choice.
pub(super) fn write_information(
    search: &Search,
    considered: &[ModelName],
    candidates: &[Candidate],
    best: usize,
    postprocessed: f64,
    to: &Path,
) -> Result<()> {
    let best = &candidates[best];
    let path = |name: &str| Json::Str(best.folder.join(name).display().to_string());
    let scores = candidates.iter().map(|each| (each.name.clone(), Json::Float(each.score))).collect();
    let chosen = object([
        ("result_on_crossval_pre_pp", Json::Float(best.score)),
        ("result_on_crossval_post_pp", Json::Float(postprocessed)),
        ("postprocessing_file", path("postprocessing.pkl")),
        ("some_plans_file", path("plans.json")),
        ("selected_model_or_models", models(&best.members, "plans_identifier")),
    ]);
    let information = object([
        ("folds", Json::Array(search.folds.iter().map(|fold| self::fold(fold)).collect())),
        ("dataset_name_or_id", Json::Str(search.dataset.clone())),
        ("considered_models", models(considered, "plans")),
        ("ensembling_allowed", Json::Bool(search.ensembles)),
        ("all_results", Json::Object(scores)),
        ("best_model_or_ensemble", chosen),
    ]);
    Ok(json::save(&to.join("inference_information.json"), &information)?)
}

fn fold(fold: &str) -> Json {
    fold.parse().map_or_else(|_| Json::Str(fold.to_owned()), Json::Int)
}

fn models(models: &[ModelName], plans: &str) -> Json {
    let text = |text: &String| Json::Str(text.clone());
    let model = |model: &ModelName| {
        object([
            ("configuration", text(&model.configuration)),
            ("trainer", text(&model.trainer)),
            (plans, text(&model.plans)),
        ])
    };
    Json::Array(models.iter().map(model).collect())
}

fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Object(entries.map(|(key, value)| (key.to_owned(), value)).into())
}

/// Writes the commands that predict new images with the best, and returns them.
pub(super) fn write_instructions(
    search: &Search,
    best: &Candidate,
    folders: &Folders,
    to: &Path,
) -> Result<String> {
    let several = best.members.len() > 1;
    let mut text = String::from("Predict new images with:\n\n");
    let mut outputs = Vec::new();
    for (i, member) in best.members.iter().enumerate() {
        let output = if several { format!("{OUTPUT}_MODEL_{}", i + 1) } else { OUTPUT.to_owned() };
        let plans = PlansFile::load(&member.folder(&search.dataset, folders)?.join("plans.json"))?;
        let mut more = String::new();
        if let Some(previous) = previous_stage(&plans, &member.configuration)? {
            let first = ModelName { configuration: previous, ..member.clone() };
            text += &predict(search, &first, PREVIOUS, "");
            more += &format!(" -prev_stage_predictions {PREVIOUS}");
        }
        if several {
            more += " --save_probabilities";
        }
        text += &predict(search, member, &output, &more);
        outputs.push(output);
    }
    let processes = search.processes;
    if several {
        text += "\nMerge the predictions of both models with:\n\n";
        text += &format!("nnUNetv2_ensemble -i {} -o {OUTPUT} -np {processes}\n", outputs.join(" "));
    }
    text += "\nThen apply the postprocessing with:\n\n";
    text += &format!(
        "nnUNetv2_apply_postprocessing -i {OUTPUT} -o {OUTPUT}_PP -pp_pkl_file {} -np {processes} -plans_json {}\n",
        best.folder.join("postprocessing.pkl").display(),
        best.folder.join("plans.json").display()
    );
    atomic::write_bytes(&to.join("inference_instructions.txt"), text.as_bytes())?;
    Ok(text)
}

fn predict(search: &Search, model: &ModelName, output: &str, more: &str) -> String {
    format!(
        "nnUNetv2_predict -d {} -i INPUT_FOLDER -o {output} -f {} -tr {} -c {} -p {}{more}\n",
        search.dataset,
        search.folds.join(" "),
        model.trainer,
        model.configuration,
        model.plans
    )
}
