//! Which model of v2, or ensemble of two, segments best in cross-validation (v2 `find_best_configuration`).

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::candidate::{Candidate, Search};
use super::cross_validation::{CrossValidation, accumulate};
use super::determine::{Determination, Determined, determine};
use super::ensembles::merge_validations;
use super::{ModelName, SUMMARY, evaluation, inference, merged_folder, references, score};
use crate::models::{in_v2, nearest};
use crate::v2::{Dataset, Folders, PlansFile, evaluate};

/// The result of a search.
#[derive(Debug, Clone)]
pub struct Found {
    /// All that were compared.
    pub candidates: Vec<Candidate>,
    /// Number of the best among them; of several that are equal, the first, which is the simplest.
    pub best: usize,
    /// Its postprocessing.
    pub determined: Determined,
    /// How new images are predicted with it, as written to `inference_instructions.txt`.
    pub instructions: String,
}

/// Collects the cross-validations of all models, merges them in pairs, and determines the postprocessing of the best.
/// Writes `inference_information.json` and `inference_instructions.txt` for the data set.
///
/// # Errors
/// Returns an error for models that are not trained, or validated without probabilities where ensembles are wanted.
pub fn find_best(search: &Search, folders: &Folders) -> Result<Found> {
    let models = search.available(folders)?;
    let mut candidates = Vec::new();
    for model in &models {
        candidates.push(search.single(model, folders)?);
    }
    if search.ensembles {
        for (i, first) in models.iter().enumerate() {
            for second in &models[i + 1..] {
                candidates.push(search.pair([first, second], folders)?);
            }
        }
    }
    let best = best(&candidates)?;
    let folder = &candidates[best].folder;
    let determined = determine(&Determination {
        predictions: folder.clone(),
        references: references(&search.dataset, folders)?,
        dataset: folder.join("dataset.json"),
        keep: true,
    })?;
    let to = folders.results()?.join(&search.dataset);
    inference::write_information(search, &models, &candidates, best, determined.dice[1], &to)?;
    let instructions = inference::write_instructions(search, &candidates[best], folders, &to)?;
    Ok(Found { candidates, best, determined, instructions })
}

/// The first with the highest score.
fn best(candidates: &[Candidate]) -> Result<usize> {
    let known = candidates.iter().map(|candidate| candidate.score).filter(|score| !score.is_nan());
    let highest = known.reduce(f64::max).context(
        "every score is NaN: there is a label that is in no reference and no prediction, or no case",
    )?;
    candidates.iter().position(|candidate| candidate.score == highest).context("nothing was compared")
}

impl Search {
    /// Models whose plans have their configuration; all of them must be trained.
    fn available(&self, folders: &Folders) -> Result<Vec<ModelName>> {
        let mut models = Vec::new();
        for model in &self.models {
            let plans = folders.preprocessed()?.join(&self.dataset).join(format!("{}.json", model.plans));
            ensure!(
                plans.is_file(),
                "there are no plans at {}; name others with -p; {}",
                plans.display(),
                self.nearest(model, folders)?
            );
            if !PlansFile::load(&plans)?.has(&model.configuration) {
                tracing::info!("{} has no configuration {}", plans.display(), model.configuration);
                continue;
            }
            let folder = model.folder(&self.dataset, folders)?;
            ensure!(
                folder.is_dir(),
                "there is no model at {}; {}. The configurations that are trained are named with -c",
                folder.display(),
                self.nearest(model, folders)?
            );
            models.push(model.clone());
        }
        ensure!(!models.is_empty(), "none of the configurations is in the plans of {}", self.dataset);
        Ok(models)
    }

    /// The models that may be meant instead of one that is not there.
    fn nearest(&self, model: &ModelName, folders: &Folders) -> Result<String> {
        let wanted = [&self.dataset, &model.configuration, &model.trainer, &model.plans].map(String::as_str);
        Ok(nearest(&wanted, &in_v2(folders.results()?)))
    }

    fn single(&self, model: &ModelName, folders: &Folders) -> Result<Candidate> {
        let own = model.folder(&self.dataset, folders)?;
        let output = merged_folder(&own, &self.folds);
        let (folds, overwrite) = (self.folds.clone(), self.overwrite);
        accumulate(&CrossValidation { model: own, output: output.clone(), folds, overwrite }, folders)?;
        self.candidate(model.to_string(), output, vec![model.clone()])
    }

    fn pair(&self, models: [&ModelName; 2], folders: &Folders) -> Result<Candidate> {
        let [first, second] = models;
        let name = format!("ensemble___{first}___{second}___{}", self.folds.join("_"));
        tracing::info!("merging {first} and {second}");
        let output = folders.results()?.join(&self.dataset).join("ensembles").join(&name);
        let own = models.map(|model| model.folder(&self.dataset, folders));
        let own = own.into_iter().collect::<Result<Vec<_>>>()?;
        merge_validations(&own, &self.folds, &output, self.overwrite)?;
        let dataset = Dataset::load(&output)?;
        let references = references(&self.dataset, folders)?;
        evaluate(&evaluation(&dataset, &references, &output), &output.join(SUMMARY))?;
        self.candidate(name, output, models.map(Clone::clone).into())
    }

    fn candidate(&self, name: String, folder: PathBuf, members: Vec<ModelName>) -> Result<Candidate> {
        let score = score(&folder.join(SUMMARY))?;
        Ok(Candidate { name, folder, members, score })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_candidates_the_simplest_is_taken() {
        let all = |scores: &[f64]| -> Vec<Candidate> {
            let candidate = |score: &f64| Candidate {
                name: String::new(),
                folder: PathBuf::new(),
                members: Vec::new(),
                score: *score,
            };
            scores.iter().map(candidate).collect()
        };
        assert_eq!(best(&all(&[0.5, 0.7, 0.7])).unwrap(), 1);
        assert_eq!(best(&all(&[f64::NAN, 0.2])).unwrap(), 1);
        assert!(best(&all(&[f64::NAN])).is_err());
    }
}
