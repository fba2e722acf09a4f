//! Determines whether keeping only the largest component improves the Dice, of all foreground together and of each label
//! or region (v2 `determine_postprocessing`).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_engine::progress;
use nnunet_formats::atomic;
use nnunet_formats::json::{self, Json};
use nnunet_preprocessing::v2::Class;

use super::{SUMMARY, evaluation, score};
use crate::folders::{copy_file, file_names};
use crate::v2::evaluation::{Counts, key, mean, names};
use crate::v2::postprocessing::{Postprocessing, Target};
use crate::v2::{Dataset, Evaluation, evaluate};
use crate::{failures, images};

/// The predictions to examine.
#[derive(Debug, Clone)]
pub struct Determination {
    /// Predictions. `postprocessing.pkl`, `postprocessing.json` and, where it is missing, `summary.json` are written
    /// here.
    pub predictions: PathBuf,
    /// Reference label maps of the same names.
    pub references: PathBuf,
    /// Labels and file ending.
    pub dataset: PathBuf,
    /// The postprocessed label maps stay, in the folder `postprocessed` of the predictions.
    pub keep: bool,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Determined {
    /// The steps that improve the Dice.
    pub postprocessing: Postprocessing,
    /// Mean Dice of the foreground before and after.
    pub dice: [f64; 2],
}

/// The Dice that decide.
struct Dice {
    /// By label or region.
    each: Vec<f64>,
    /// Their mean.
    foreground: f64,
}

/// A search: steps that are accepted are applied to the label maps of `folder`.
struct Search<'a> {
    evaluation: &'a Evaluation,
    names: Vec<String>,
    folder: &'a Path,
    accepted: Vec<Target>,
    dice: Dice,
}

/// Finds the postprocessing of a folder, applies it and writes it.
///
/// # Errors
/// Returns an error for predictions without reference, or one error that lists all files that cannot be compared.
pub fn determine(how: &Determination) -> Result<Determined> {
    let dataset: Dataset = crate::v2::load(&how.dataset)?;
    let evaluation = evaluation(&dataset, &how.references, &how.predictions);
    let names = names(&evaluation)?;
    let others = file_names(&how.references, &evaluation.file_ending)?;
    if let Some(other) = others.iter().find(|name| !names.contains(name)) {
        tracing::warn!(
            "{other} and perhaps others have a reference and no prediction; a postprocessing should be determined on \
             all cases of a data set"
        );
    }
    let summary = how.predictions.join(SUMMARY);
    if !summary.is_file() {
        evaluate(&evaluation, &summary)?;
    }
    let dice = Dice::load(&summary, &evaluation.classes)?;
    let to = how.predictions.join("postprocessed");
    if to.is_dir() {
        std::fs::remove_dir_all(&to).with_context(|| to.display().to_string())?;
    }
    let mut accepted = Vec::new();
    atomic::folder(&to, |folder| -> Result<()> {
        let mut search = Search { evaluation: &evaluation, names, folder, accepted: Vec::new(), dice };
        search.run(&dataset)?;
        if search.accepted.is_empty() {
            copy_all(&how.predictions, folder)?;
        }
        accepted = search.accepted;
        Ok(())
    })?;
    let postprocessing = Postprocessing { steps: accepted };
    if !postprocessing.steps.is_empty() {
        evaluate(&Evaluation { predictions: to.clone(), ..evaluation }, &to.join(SUMMARY))?;
    }
    postprocessing.save(&how.predictions.join(PICKLE))?;
    let after = to.join(SUMMARY);
    write_json(&how.predictions.join(JSON), &postprocessing, &summary, &after)?;
    let dice = [score(&summary)?, score(&after)?];
    if !how.keep {
        std::fs::remove_dir_all(&to).with_context(|| to.display().to_string())?;
    }
    Ok(Determined { postprocessing, dice })
}

/// What is written.
const PICKLE: &str = "postprocessing.pkl";
const JSON: &str = "postprocessing.json";

impl Search<'_> {
    fn run(&mut self, dataset: &Dataset) -> Result<()> {
        let labels = dataset.label_values(false).into_iter().filter(|label| *label != 0);
        let all = Target::Together(labels.map(Class::Label).collect());
        let together = self.attempt(&all)?;
        let worse = together.each.iter().zip(&self.dice.each).any(|(new, old)| new < old);
        if together.foreground > self.dice.foreground && !worse {
            self.accept(all, together)?;
        }
        let classes = &self.evaluation.classes;
        if classes.len() > 1 {
            for (i, class) in classes.iter().enumerate() {
                let step = Target::One(class.clone());
                let found = self.attempt(&step)?;
                if found.each[i] > self.dice.each[i] {
                    self.accept(step, found)?;
                }
            }
        }
        Ok(())
    }

    /// Where the label maps are that the next step is applied to.
    fn source(&self) -> &Path {
        if self.accepted.is_empty() { &self.evaluation.predictions } else { self.folder }
    }

    /// The Dice after a step.
    fn attempt(&self, step: &Target) -> Result<Dice> {
        let bar = progress::start(self.names.len(), "comparing");
        let compare = |name: &String| -> Result<Vec<Counts>> {
            let mut labels = images::read(&self.source().join(name))?.data;
            step.keep_largest(&mut labels, |label| label as i64);
            let counts = self.evaluation.counts(name, &labels).with_context(|| name.clone());
            bar.inc(1);
            counts
        };
        let cases = failures::each("cases cannot be compared", &self.names, compare)?;
        Ok(Dice::new((0..self.evaluation.classes.len()).map(|class| mean(&cases, class)["Dice"]).collect()))
    }

    fn accept(&mut self, step: Target, dice: Dice) -> Result<()> {
        let one = Postprocessing { steps: vec![step.clone()] };
        let apply = |name: &String| one.apply_to_file(&self.source().join(name), &self.folder.join(name));
        failures::each("cases failed", &self.names, apply)?;
        tracing::debug!(
            "keeping the largest component of {} improves the mean Dice from {:.5} to {:.5}",
            step,
            self.dice.foreground,
            dice.foreground
        );
        self.accepted.push(step);
        self.dice = dice;
        Ok(())
    }
}

impl Dice {
    fn new(each: Vec<f64>) -> Self {
        let foreground = each.iter().sum::<f64>() / each.len() as f64;
        Self { each, foreground }
    }

    /// Of a summary.
    fn load(path: &Path, classes: &[Class]) -> Result<Self> {
        let summary = json::load(path)?;
        let of = |class: &Class| summary.get("mean")?.get(&key(class))?.get("Dice")?.as_f64();
        let each = classes.iter().map(of).collect::<Option<Vec<_>>>();
        let each = each.with_context(|| {
            format!("{}: not a summary of these labels; remove it to have it made again", path.display())
        })?;
        Ok(Self { each, foreground: score(path)? })
    }
}

/// Copies the files of a folder but what an earlier search has written.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for name in file_names(from, "")? {
        let path = from.join(&name);
        if path.is_file() && name != PICKLE && name != JSON {
            copy_file(&path, &to.join(&name))?;
        }
    }
    Ok(())
}

fn write_json(path: &Path, postprocessing: &Postprocessing, before: &Path, after: &Path) -> Result<()> {
    let means = |summary: &Path| -> Result<Json> {
        let summary = json::load(summary)?;
        let entry = |key: &str| (key.to_owned(), summary.get(key).cloned().unwrap_or(Json::Null));
        Ok(Json::Object(["foreground_mean", "mean"].map(entry).into()))
    };
    let folders = [("input_folder".to_owned(), means(before)?), ("postprocessed".to_owned(), means(after)?)];
    let entries = folders.into_iter().chain(postprocessing.to_json()).collect();
    Ok(json::save(path, &Json::Object(entries))?)
}
