//! `find_best_configuration`: which model, or pair of models, segments best in cross-validation.

mod results_text;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_data::folders::{self, CASCADE, CONFIGURATIONS, Folders, case_names};
use nnunet_data::images;
use nnunet_data::models;
use nnunet_data::records;
use nnunet_data::selection::{
    Determination, Merge, VALIDATION, collect, consolidate, determine, is_collected, is_current,
    is_determined, mean_dice, merge, note_foreground_mean, training_command,
};
use nnunet_data::summary::{self, Head, Pair};
use nnunet_formats::json::{self, Json};
use rayon::prelude::*;

use crate::report;

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configurations to compare; those that have a model, by default.
    #[arg(short = 'm', long = "models", num_args = 1..)]
    models: Vec<String>,
    /// Tasks, by number or name.
    #[arg(short = 't', long = "task_ids", num_args = 1.., required = true)]
    tasks: Vec<String>,
    /// Trainer of all but the cascade.
    #[arg(long = "tr", default_value = crate::defaults::TRAINER)]
    trainer: String,
    /// Trainer of the cascade.
    #[arg(long = "ctr", default_value = "nnUNetTrainerV2CascadeFullRes")]
    cascade_trainer: String,
    /// Identifier of the plans.
    #[arg(long = "pl", default_value = crate::defaults::PLANS)]
    plans: String,
    /// Folds.
    #[arg(short = 'f', long = "folds", num_args = 1.., default_values_t = [0, 1, 2, 3, 4])]
    folds: Vec<usize>,
    /// Compare single models only.
    #[arg(long = "disable_ensembling")]
    disable_ensembling: bool,
    /// Do not determine a postprocessing.
    #[arg(long = "disable_postprocessing")]
    disable_postprocessing: bool,
    /// Accepted for scripts written for v1: a postprocessing that has not been determined yet always is now.
    #[arg(long = "allow_missing_pp")]
    _allow_missing_pp: bool,
    /// A configuration without a model is an error, also when none is named.
    #[arg(long)]
    strict: bool,
}

/// A model or an ensemble, with what was measured.
struct Candidate {
    name: String,
    /// Configurations it consists of.
    configurations: Vec<String>,
    summary: PathBuf,
    score: f64,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for models or folds that are missing.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    for task in &args.tasks {
        let name = folders.task_name(task)?;
        Search { args, folders, task: &name }.run().with_context(|| name.clone())?;
    }
    Ok(())
}

struct Search<'a> {
    args: &'a Args,
    folders: &'a Folders,
    task: &'a str,
}

impl Search<'_> {
    fn run(&self) -> Result<()> {
        let configurations = self.configurations()?;
        let mut candidates = Vec::new();
        for configuration in &configurations {
            candidates.push(self.single(configuration)?);
        }
        if !self.args.disable_ensembling {
            for (i, first) in configurations.iter().enumerate() {
                for second in &configurations[i + 1..] {
                    candidates.push(self.pair(first, second)?);
                }
            }
        }
        self.write_results(&candidates)
    }

    fn trainer(&self, configuration: &str) -> &str {
        if configuration == CASCADE { &self.args.cascade_trainer } else { &self.args.trainer }
    }

    fn model(&self, configuration: &str) -> Result<PathBuf> {
        self.folders.model(configuration, self.task, self.trainer(configuration), &self.args.plans)
    }

    /// Those named, which must have models; or those that have.
    fn configurations(&self) -> Result<Vec<String>> {
        let named = !self.args.models.is_empty();
        let all: Vec<String> =
            if named { self.args.models.clone() } else { CONFIGURATIONS.map(str::to_owned).to_vec() };
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for configuration in all {
            let folder = self.model(&configuration)?;
            let is_there = folder.is_dir();
            ensure!(
                is_there || !(named || self.args.strict),
                "there is no model of {configuration} at {}; {}",
                folder.display(),
                self.nearest(&configuration)?
            );
            if is_there { found.push(configuration) } else { missing.push(configuration) }
        }
        let Args { trainer, plans, .. } = self.args;
        ensure!(
            !found.is_empty(),
            "no configuration has a model of trainer {trainer} and plans {plans}; {}",
            self.nearest(CONFIGURATIONS[2])?
        );
        for configuration in missing {
            report::line(&format!("{configuration} has no model and is left out"));
        }
        Ok(found)
    }

    /// The models that may be meant instead of one that is not there.
    fn nearest(&self, configuration: &str) -> Result<String> {
        let wanted = [self.task, configuration, self.trainer(configuration), &self.args.plans];
        Ok(models::nearest(&wanted, &models::in_v1(&self.folders.results()?)))
    }

    /// A model on its own: its folds are collected, and its postprocessing is determined where that is missing.
    fn single(&self, configuration: &str) -> Result<Candidate> {
        let model = self.model(configuration)?;
        let raw = model.join("cv_niftis_raw");
        let summary = raw.join("summary.json");
        let is_collected = is_collected(&model, &self.args.folds, VALIDATION)?;
        if raw.is_dir() && !is_collected {
            report::line(&format!("the folds of {configuration} have changed since they were collected"));
        }
        let is_up_to_date = is_collected && is_determined(&model)?;
        if !self.args.disable_postprocessing && !is_up_to_date {
            report::line(&format!("determining the postprocessing of {configuration}"));
            consolidate(&model, &self.args.folds, VALIDATION)?;
        } else if !is_collected {
            collect(&model, &self.args.folds, VALIDATION)?;
        }
        Ok(Candidate {
            name: configuration.to_owned(),
            configurations: vec![configuration.to_owned()],
            score: score(&summary)?,
            summary,
        })
    }

    fn pair(&self, first: &str, second: &str) -> Result<Candidate> {
        let part = |configuration: &str| {
            format!("{configuration}__{}__{}", self.trainer(configuration), self.args.plans)
        };
        let name = format!("ensemble_{}--{}", part(first), part(second));
        let folder = self.ensembles()?.join(&name);
        let raw = folder.join("ensembled_raw");
        folders::create(&raw)?;
        report::line(&format!("ensembling {first} and {second}"));
        let models = [self.model(first)?, self.model(second)?];
        let pairs = self.merge(&models, &raw)?;
        let summary = raw.join("summary.json");
        let merged = || pairs.iter().map(|pair| pair.test.as_path());
        let is_determined = is_current(&folder.join("postprocessing.json"), merged());
        if !is_current(&summary, merged()) {
            let plans = records::load(&models[0].join("plans.pkl"), records::plans_from_pickle)?;
            let title = format!("{}__{name}", self.task);
            let head = Head { name: &title, task: self.task, ..Head::default() };
            summary::write(&summary, &pairs, &plans.all_classes, &head)?;
        }
        if !self.args.disable_postprocessing && !is_determined {
            self.postprocess_ensemble(&folder, &name)?;
        }
        Ok(Candidate {
            name,
            configurations: vec![first.to_owned(), second.to_owned()],
            score: score(&summary)?,
            summary,
        })
    }

    fn ensembles(&self) -> Result<PathBuf> {
        Ok(self.folders.results()?.join("ensembles").join(self.task))
    }

    fn references(&self) -> Result<PathBuf> {
        Ok(self.folders.preprocessed()?.join(self.task).join("gt_segmentations"))
    }

    /// Merges the validation cases of all folds; those that are there already stay, unless a model was
    /// validated again since.
    fn merge(&self, models: &[PathBuf; 2], to: &Path) -> Result<Vec<Pair>> {
        let references = self.references()?;
        let (mut work, mut pairs) = (Vec::new(), Vec::new());
        for fold in &self.args.folds {
            let validation = |model: &PathBuf| model.join(format!("fold_{fold}")).join(VALIDATION);
            let folders = models.each_ref().map(validation);
            for case in validated(&folders)? {
                let name = format!("{case}{}", images::DEFAULT_ENDING);
                let output = to.join(&name);
                pairs.push(Pair { test: output.clone(), reference: references.join(name) });
                let sources: Vec<PathBuf> =
                    folders.iter().map(|folder| folder.join(format!("{case}.npz"))).collect();
                if !is_current(&output, sources.iter().map(PathBuf::as_path)) {
                    work.push(Merge { sources, output, save_npz: false });
                }
            }
        }
        let bar = report::bar(work.len(), "merging");
        work.par_iter().try_for_each(|case| {
            bar.inc(1);
            merge(case)
        })?;
        bar.finish_and_clear();
        Ok(pairs)
    }

    fn postprocess_ensemble(&self, folder: &Path, name: &str) -> Result<()> {
        determine(&Determination {
            raw: folder.join("ensembled_raw"),
            references: self.references()?,
            output: folder.to_owned(),
            final_name: "ensembled_postprocessed".to_owned(),
            advanced: false,
            threshold: 0.0,
        })?;
        let path = folder.join("ensembled_postprocessed/summary.json");
        let Json::Object(mut entries) = json::load(&path)? else {
            bail!("{} is not a summary", path.display())
        };
        entries.push(("experiment_name".to_owned(), Json::Str(name.to_owned())));
        json::save(&path, &Json::Object(entries))?;
        let all = self.folders.results()?.join("summary_jsons");
        folders::create(&all)?;
        folders::copy_file(&path, &all.join(format!("{}__{name}.json", self.task)))
    }
}

/// Cases of a fold that both models have validated with probabilities.
fn validated(folders: &[PathBuf; 2]) -> Result<Vec<String>> {
    for folder in folders {
        let again = training_command(folder.parent().unwrap_or(folder), " -val --npz");
        ensure!(
            folder.join("summary.json").is_file(),
            "{} is not a finished validation: {again}",
            folder.display()
        );
        let (cases, labels) = (case_names(folder)?, images::list(folder)?);
        let stems = labels.iter().map(|name| images::stem(name));
        let lacking: Vec<&str> = stems
            .filter(|case| !case.ends_with("noPostProcess") && !case.ends_with("_postprocessed"))
            .filter(|case| !cases.iter().any(|known| known == case))
            .collect();
        ensure!(lacking.is_empty(), "{} lacks the npz files of {lacking:?}: {again}", folder.display());
    }
    let [first, second] = [case_names(&folders[0])?, case_names(&folders[1])?];
    ensure!(
        first == second,
        "{} and {} hold different cases; were both trained with the same splits?",
        folders[0].display(),
        folders[1].display()
    );
    Ok(first)
}

fn score(summary: &Path) -> Result<f64> {
    let score = mean_dice(summary)?;
    note_foreground_mean(summary)?;
    Ok(score)
}
