//! The trained models in the folders of results, of v1 and v2.

use std::path::{Path, PathBuf};

use nnunet_plugin_core::suggestion::similar;
use serde::Serialize;

use crate::folders::{CONFIGURATIONS, Folders, subfolders};

/// Checkpoints of a training that is complete, and of one that is not, in v1 and v2.
const STATES: [[&str; 2]; 2] = [
    ["model_final_checkpoint.model", "model_latest.model"],
    ["checkpoint_final.pth", "checkpoint_latest.pth"],
];
/// The fold that is trained on all cases.
const ALL: [&str; 2] = ["all", "fold_all"];

/// A trained model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TrainedModel {
    /// Its data set.
    pub task: String,
    /// Its configuration.
    pub configuration: String,
    /// Its trainer.
    pub trainer: String,
    /// Identifier of its plans.
    pub plans: String,
    /// Version of nnU-Net: 1 or 2.
    pub version: u8,
    /// Folds whose training is complete, as `-f` takes them.
    pub folds: Vec<String>,
    /// Folds whose training is not complete: also those with an earlier training that is.
    pub unfinished: Vec<String>,
    /// Its folder.
    pub folder: PathBuf,
}

impl TrainedModel {
    /// Configuration, trainer, plans and folds, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { task, configuration, trainer, plans, .. } = self;
        format!("{task} {configuration} {trainer} {plans} ({})", self.describe_folds())
    }

    /// The folds, for people.
    #[must_use]
    pub fn describe_folds(&self) -> String {
        let done =
            if self.folds.is_empty() { String::new() } else { format!("folds {}", self.folds.join(" ")) };
        match self.unfinished.as_slice() {
            [] => done,
            open if done.is_empty() => format!("unfinished: {}", open.join(" ")),
            open => format!("{done}; unfinished: {}", open.join(" ")),
        }
    }
}

/// All models, sorted by data set. Folders of results that are not set, or not there, have none.
#[must_use]
pub fn trained(v1: &Folders, v2_results: Option<&Path>) -> Vec<TrainedModel> {
    let mut all = Vec::new();
    if let Ok(results) = v1.results() {
        all.extend(in_v1(&results));
    }
    all.extend(v2_results.into_iter().flat_map(in_v2));
    all.sort();
    all
}

/// The models in v1's folder of results.
#[must_use]
pub fn in_v1(results: &Path) -> Vec<TrainedModel> {
    CONFIGURATIONS.iter().flat_map(|name| of_v1(results, name)).collect()
}

/// The models in v2's folder of results.
#[must_use]
pub fn in_v2(results: &Path) -> Vec<TrainedModel> {
    subfolders(results).iter().flat_map(|dataset| of_v2(results, dataset)).collect()
}

/// The end of a message about a model that is not there: the models whose names are nearest, of the same data set first.
#[must_use]
pub fn nearest(wanted: &[&str], all: &[TrainedModel]) -> String {
    let names = |model: &TrainedModel| {
        [&model.task, &model.configuration, &model.trainer, &model.plans].map(String::as_str).join(" ")
    };
    let (same, other): (Vec<_>, Vec<_>) =
        all.iter().partition(|model| wanted.first().is_some_and(|task| *task == model.task));
    let near = |models: Vec<&TrainedModel>| -> Vec<String> {
        let described: Vec<_> = models.iter().map(|model| (names(model), model.describe())).collect();
        let found = similar(&wanted.join(" "), described.iter().map(|(name, _)| name.as_str()), MOST);
        let text =
            |name: &&str| described.iter().find(|(other, _)| other == name).map(|(_, text)| text.clone());
        found.iter().filter_map(text).collect()
    };
    let found: Vec<String> = near(same).into_iter().chain(near(other)).take(MOST).collect();
    match found.as_slice() {
        [] => "train it first (nnunet train); nnunet models list shows the models there are".to_owned(),
        models => format!("the nearest models are {}", models.join(", ")),
    }
}

/// Models that a message names.
const MOST: usize = 3;

/// `CONFIGURATION/TASK/TRAINER__PLANS`.
fn of_v1(results: &Path, configuration: &str) -> Vec<TrainedModel> {
    let root = results.join(configuration);
    let models = |task: String| {
        let folder = root.join(&task);
        let model = |name: String| {
            let (trainer, plans) = name.split_once("__")?;
            model(&folder.join(&name), 1, &task, configuration, trainer, plans)
        };
        subfolders(&folder).into_iter().filter_map(model).collect::<Vec<_>>()
    };
    subfolders(&root).into_iter().flat_map(models).collect()
}

/// `DATASET/TRAINER__PLANS__CONFIGURATION`.
fn of_v2(results: &Path, dataset: &str) -> Vec<TrainedModel> {
    let folder = results.join(dataset);
    let model = |name: String| {
        let mut parts = name.split("__");
        let (trainer, plans, configuration) = (parts.next()?, parts.next()?, parts.next()?);
        model(&folder.join(&name), 2, dataset, configuration, trainer, plans)
    };
    subfolders(&folder).into_iter().filter_map(model).collect()
}

fn model(
    folder: &Path,
    version: u8,
    task: &str,
    configuration: &str,
    trainer: &str,
    plans: &str,
) -> Option<TrainedModel> {
    let mut names: Vec<String> = subfolders(folder)
        .into_iter()
        .filter(|name| name.starts_with("fold_") || ALL.contains(&name.as_str()))
        .filter(|name| has_checkpoint(&folder.join(name)))
        .collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    let folds = |fits: fn(&Path) -> bool| -> Vec<String> {
        let found = names.iter().filter(|name| fits(&folder.join(name)));
        found.map(|name| name.strip_prefix("fold_").unwrap_or(name).to_owned()).collect()
    };
    (!names.is_empty()).then(|| TrainedModel {
        task: task.to_owned(),
        configuration: configuration.to_owned(),
        trainer: trainer.to_owned(),
        plans: plans.to_owned(),
        version,
        folds: folds(is_complete),
        unfinished: folds(is_unfinished),
        folder: folder.to_owned(),
    })
}

/// Whether the training of a fold is complete.
#[must_use]
pub fn is_complete(fold: &Path) -> bool {
    STATES.iter().any(|[last, _]| fold.join(last).is_file())
}

/// Whether a fold has a training that can be continued. A training that ends removes its latest checkpoint: one that is
/// newer than a final checkpoint is that of a training that was started anew.
#[must_use]
pub fn is_unfinished(fold: &Path) -> bool {
    let written = |file: &str| fold.join(file).metadata().and_then(|file| file.modified()).ok();
    !is_complete(fold) || STATES.iter().any(|[last, latest]| written(latest) > written(last))
}

/// Whether a fold has any checkpoint.
#[must_use]
pub fn has_checkpoint(fold: &Path) -> bool {
    let entries = std::fs::read_dir(fold).into_iter().flatten().flatten();
    let endings = entries.filter_map(|entry| entry.path().extension().map(ToOwned::to_owned));
    endings.into_iter().any(|ending| ending == "model" || ending == "pth")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn models_of_both_versions_are_found_with_their_folds() {
        let root = tempfile::tempdir().unwrap();
        let v1 = "3d_fullres/Task004_A/nnUNetTrainerV2__nnUNetPlansv2.1";
        write(root.path(), &format!("{v1}/fold_0/model_final_checkpoint.model"));
        write(root.path(), &format!("{v1}/fold_1/model_latest.model"));
        write(root.path(), &format!("{v1}/gt_niftis/a.nii.gz"));
        let found = of_v1(root.path(), "3d_fullres");
        let [one] = &found[..] else { panic!("one model: {found:?}") };
        assert_eq!((one.folds.clone(), one.unfinished.clone()), (vec!["0".into()], vec!["1".into()]));
        assert!(one.describe().ends_with("(folds 0; unfinished: 1)"), "{}", one.describe());
        let v2 = "Dataset004_A/nnUNetTrainer__nnUNetPlans__2d/fold_all";
        write(root.path(), &format!("{v2}/checkpoint_final.pth"));
        let found = of_v2(root.path(), "Dataset004_A");
        assert_eq!((found[0].configuration.as_str(), found[0].folds[0].as_str()), ("2d", "all"));
        assert!(of_v2(root.path(), "3d_fullres").is_empty());
    }

    #[test]
    fn a_fold_with_a_newer_training_is_complete_and_unfinished() {
        let root = tempfile::tempdir().unwrap();
        let fold = "3d_fullres/Task004_A/Mine__Plans/fold_0";
        for (file, seconds, expected) in [
            ("model_final_checkpoint.model", 5, "(folds 0)"),
            ("model_latest.model", 1, "(folds 0)"),
            ("model_latest.model", 9, "(folds 0; unfinished: 0)"),
        ] {
            write(root.path(), &format!("{fold}/{file}"));
            let file = std::fs::File::options().write(true).open(root.path().join(fold).join(file)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
            let found = of_v1(root.path(), "3d_fullres")[0].describe();
            assert!(found.ends_with(expected), "{found}");
        }
    }

    #[test]
    fn a_mistyped_model_gets_the_nearest_ones() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "3d_fullres/Task004_A/Mine__Plans/fold_0/model_final_checkpoint.model");
        let all = of_v1(root.path(), "3d_fullres");
        let near = nearest(&["Task004_A", "3d_fulres", "Mine", "Plans"], &all);
        assert_eq!(near, "the nearest models are Task004_A 3d_fullres Mine Plans (folds 0)");
        assert!(nearest(&["Task004_A", "2d", "Mine", "Plans"], &[]).contains("nnunet models list"));
        // Three others are more alike.
        for name in ["Task004_B", "Task004_C", "Task004_D"] {
            write(root.path(), &format!("3d_fullres/{name}/Mine__Plans/fold_0/model_final_checkpoint.model"));
        }
        write(root.path(), "2d/Task004_A/Other__PlansOther/fold_0/model_final_checkpoint.model");
        let all = [of_v1(root.path(), "3d_fullres"), of_v1(root.path(), "2d")].concat();
        let near = nearest(&["Task004_A", "3d_lowres", "Mine", "Plans"], &all);
        assert!(near.contains("Task004_A 2d Other PlansOther (folds 0), Task004_"), "{near}");
    }
}
