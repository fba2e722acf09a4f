//! What is to be trained, and in which order.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use nnunet_data::folders::{CASCADE, CONFIGURATIONS, Folders};
use nnunet_data::records::{self, FOLDS, has_splits, listed_splits};
use nnunet_data::v2::selection::ModelName;
use nnunet_data::v2::{self, PlansFile};
use nnunet_plugin_core::suggestion::did_you_mean;
use serde::Deserialize;

use super::args::Args;
use crate::defaults::{PLANS, TRAINER};

/// The first stage of v1's cascade.
const FIRST_STAGE: &str = "3d_lowres";
/// Flags after which a training has no validation that models could be compared by.
const NO_VALIDATION: [&str; 2] = ["--disable_validation_inference", "--find_lr"];

/// The version of nnU-Net that a task belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// A configuration, and the one that must be trained before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration {
    pub(super) name: String,
    /// The first stage of a cascade, where it is to be trained too.
    pub(super) after: Option<String>,
    /// The model's folder.
    pub(super) model: PathBuf,
    pub(super) trainer: String,
}

/// All that is to be trained.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) version: Version,
    /// Name of the task.
    pub(super) task: String,
    /// First stages of cascades come before second ones.
    pub(super) configurations: Vec<Configuration>,
    pub(super) folds: Vec<String>,
    pub(super) trainer: String,
    pub(super) cascade_trainer: Option<String>,
    pub(super) plans: String,
    /// Arguments of every training.
    pub(super) training: Vec<String>,
    /// Whether the best configuration is looked for at the end.
    pub(super) best: bool,
    /// Why it is not, where it would be with other folds.
    pub(super) no_comparison: Option<String>,
    /// Where logs are written, and which jobs are done.
    pub(super) records: PathBuf,
}

impl Request {
    /// # Errors
    /// Returns an error if the task is unknown, if it has no plans, or if they lack a configuration.
    pub(super) fn new(args: &Args, folders: &Folders) -> Result<Self> {
        let v2_folders = v2::Folders::from_environment();
        let (version, task) = task(&args.task, folders, &v2_folders)?;
        let (trainer, plans) = match version {
            Version::V1 => (TRAINER, PLANS),
            Version::V2 => ("nnUNetTrainer", "nnUNetPlans"),
        };
        let trainer = args.trainer.clone().unwrap_or_else(|| trainer.to_owned());
        let plans = args.plans.clone().unwrap_or_else(|| plans.to_owned());
        let (cascade_trainer, results) = match version {
            Version::V1 => {
                let own = args.cascade_trainer.as_deref().unwrap_or("nnUNetTrainerV2CascadeFullRes");
                (Some(own.to_owned()), folders.results()?)
            }
            Version::V2 => (None, v2_folders.results()?.to_owned()),
        };
        let mut request = Self {
            version,
            configurations: Vec::new(),
            folds: args.folds.clone(),
            training: args.training.clone(),
            best: !args.no_best && compares(args),
            no_comparison: None,
            records: results.join("train_all").join(&task).join(format!("{trainer}__{plans}")),
            task,
            trainer,
            cascade_trainer,
            plans,
        };
        let planned = match version {
            Version::V1 => planned_v1(&request, folders)?,
            Version::V2 => planned_v2(&request, &v2_folders)?,
        };
        request.configurations = request.chosen(&args.configurations, planned, folders, &v2_folders)?;
        let has_probabilities = request.training.iter().any(|arg| arg == "--npz");
        if request.best && request.configurations.len() > 1 && !has_probabilities {
            // Ensembles are made of probabilities, later perhaps, when the other folds are trained too.
            request.training.push("--npz".to_owned());
        }
        if version == Version::V1 && request.best {
            request.no_comparison = lacking_folds(&request, folders)?;
            request.best = request.no_comparison.is_none();
        }
        Ok(request)
    }

    /// The configurations asked for, or all that are planned, first stages first.
    fn chosen(
        &self,
        asked: &[String],
        planned: Vec<(String, Option<String>)>,
        folders: &Folders,
        v2_folders: &v2::Folders,
    ) -> Result<Vec<Configuration>> {
        let names: Vec<&str> = planned.iter().map(|(name, _)| name.as_str()).collect();
        for name in asked {
            ensure!(
                names.contains(&name.as_str()),
                "the plans {} of {} have no configuration `{name}`{}; they have {}",
                self.plans,
                self.task,
                did_you_mean(name, names.iter().copied()),
                names.join(", ")
            );
        }
        let is_chosen = |name: &String| asked.is_empty() || asked.contains(name);
        let mut chosen = Vec::new();
        for (name, after) in planned.iter().filter(|(name, _)| is_chosen(name)) {
            let trainer = match &self.cascade_trainer {
                Some(trainer) if name == CASCADE => trainer.clone(),
                _ => self.trainer.clone(),
            };
            let model = match self.version {
                Version::V1 => folders.model(name, &self.task, &trainer, &self.plans)?,
                Version::V2 => {
                    let (plans, configuration) = (self.plans.clone(), name.clone());
                    ModelName { trainer: trainer.clone(), plans, configuration }
                        .folder(&self.task, v2_folders)?
                }
            };
            let after = after.clone().filter(is_chosen);
            chosen.push(Configuration { name: name.clone(), after, model, trainer });
        }
        chosen.sort_by_key(|configuration| configuration.after.is_some());
        Ok(chosen)
    }

    /// The words that train a fold.
    pub(super) fn train(&self, configuration: &Configuration, fold: &str) -> Vec<String> {
        let Configuration { name, trainer, .. } = configuration;
        let words = match self.version {
            Version::V1 => vec!["train", name, trainer, &self.task, fold, "-p", &self.plans],
            Version::V2 => vec!["v2", "train", &self.task, name, fold, "--tr", trainer, "-p", &self.plans],
        };
        words.into_iter().map(str::to_owned).chain(self.training.iter().cloned()).collect()
    }

    /// The flag that continues a training.
    pub(super) const fn continue_flag(&self) -> &'static str {
        match self.version {
            Version::V1 => "-c",
            Version::V2 => "--c",
        }
    }

    /// The folder of a fold.
    pub(super) fn fold_folder(configuration: &Configuration, version: Version, fold: &str) -> PathBuf {
        let is_v1_all = version == Version::V1 && fold == "all";
        configuration.model.join(if is_v1_all { "all".to_owned() } else { format!("fold_{fold}") })
    }

    /// The words that find the best configuration; none where that is not wanted.
    pub(super) fn find_best(&self) -> Option<Vec<String>> {
        let names = || self.configurations.iter().map(|configuration| configuration.name.as_str());
        let Self { task, trainer, plans, .. } = self;
        let mut words = match self.version {
            Version::V1 => vec!["find_best_configuration", "-t", task, "-m"],
            Version::V2 => vec!["v2", "find_best_configuration", task, "-c"],
        };
        words.extend(names());
        words.extend(["-f"].into_iter().chain(self.folds.iter().map(String::as_str)));
        words.extend(["--tr", trainer.as_str()]);
        match &self.cascade_trainer {
            Some(cascade) => words.extend(["--ctr", cascade.as_str(), "--pl", plans.as_str()]),
            None => words.extend(["-p", plans.as_str()]),
        }
        self.best.then(|| words.into_iter().map(str::to_owned).collect())
    }
}

/// Whether there will be validations to compare: those of numbered folds.
fn compares(args: &Args) -> bool {
    let validates = !args.training.iter().any(|arg| NO_VALIDATION.contains(&arg.as_str()));
    validates && args.folds.iter().all(|fold| fold != "all")
}

/// The sentence for folds of v1 that do not validate all cases together, which its comparison needs.
fn lacking_folds(request: &Request, folders: &Folders) -> Result<Option<String>> {
    let preprocessed = folders.preprocessed()?.join(&request.task);
    let count = if has_splits(&preprocessed) { listed_splits(&preprocessed)?.len() } else { FOLDS };
    let is_chosen = |fold: &String| request.folds.contains(fold);
    let lacking: Vec<String> =
        (0..count).map(|fold| fold.to_string()).filter(|fold| !is_chosen(fold)).collect();
    Ok((!lacking.is_empty()).then(|| {
        format!(
            "configurations are not compared: that takes all {count} folds, and {} of them are not among --folds",
            lacking.join(", ")
        )
    }))
}

/// A task of v1, or a data set of v2 by its name or where only it has the number.
fn task(given: &str, v1: &Folders, v2: &v2::Folders) -> Result<(Version, String)> {
    if given.starts_with("Dataset") {
        return Ok((Version::V2, v2.dataset_name(given)?));
    }
    match v1.task_name(given) {
        Ok(name) => Ok((Version::V1, name)),
        Err(error) => match v2.dataset_name(given) {
            Ok(name) => Ok((Version::V2, name)),
            Err(_) => Err(error),
        },
    }
}

fn planned_v1(request: &Request, folders: &Folders) -> Result<Vec<(String, Option<String>)>> {
    let preprocessed = folders.preprocessed()?.join(&request.task);
    let file = |dimensions: usize| preprocessed.join(format!("{}_plans_{dimensions}D.pkl", request.plans));
    let mut planned = Vec::new();
    if file(2).is_file() {
        planned.push(("2d".to_owned(), None));
    }
    if file(3).is_file() {
        let plans = records::load_with_twin(&file(3), records::plans_from_pickle)?;
        let has_cascade = plans.plans_per_stage.len() > 1;
        let of_cascade = |name: &str| name == FIRST_STAGE || name == CASCADE;
        let names =
            CONFIGURATIONS.into_iter().filter(|name| *name != "2d" && (has_cascade || !of_cascade(name)));
        planned
            .extend(names.map(|name| (name.to_owned(), (name == CASCADE).then(|| FIRST_STAGE.to_owned()))));
    }
    ensure!(
        !planned.is_empty(),
        "there are no plans {} in {}; run nnunet plan_and_preprocess, or name others with -p",
        request.plans,
        preprocessed.display()
    );
    Ok(planned)
}

fn planned_v2(request: &Request, folders: &v2::Folders) -> Result<Vec<(String, Option<String>)>> {
    /// What the order of trainings depends on.
    #[derive(Deserialize)]
    struct Stage {
        previous_stage: Option<String>,
    }
    let file = folders.preprocessed()?.join(&request.task).join(format!("{}.json", request.plans));
    if !file.is_file() {
        bail!(
            "there are no plans at {}; run nnUNetv2_plan_and_preprocess, or name others with -p",
            file.display()
        );
    }
    let plans = PlansFile::load(&file)?;
    let stage = |name: &str| -> Result<(String, Option<String>)> {
        let stage: Stage = plans.configuration_as(name).with_context(|| file.display().to_string())?;
        Ok((name.to_owned(), stage.previous_stage))
    };
    plans.names().map(stage).collect()
}
