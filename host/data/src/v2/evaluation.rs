//! `summary.json` of v2: a folder of predictions compared with its references.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::{Array3, Zip};
use nnunet_engine::progress;
use nnunet_formats::json::{self, Json};
use nnunet_preprocessing::v2::Class;

use crate::folders::file_names;
use crate::{failures, images};

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Folder of the references.
    pub references: PathBuf,
    /// Folder of the predictions.
    pub predictions: PathBuf,
    /// Ending of all files.
    pub file_ending: String,
    /// Labels and regions.
    pub classes: Vec<Class>,
    /// Label of the references whose voxels do not count.
    pub ignore: Option<i64>,
    /// References without a prediction are passed over.
    pub chill: bool,
}

/// The mean Dice of an evaluation.
#[derive(Debug, Clone)]
pub struct MeanDice {
    /// Of every label or region, in the order of the classes.
    pub classes: Vec<(Class, f64)>,
    /// Of the foreground.
    pub foreground: f64,
    /// Cases that were compared.
    pub cases: usize,
}

/// Counts of one class in one case.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    tp: u64,
    fp: u64,
    fn_: u64,
    tn: u64,
}

impl Counts {
    fn add(&mut self, reference: bool, prediction: bool) {
        let count = match (reference, prediction) {
            (true, true) => &mut self.tp,
            (false, true) => &mut self.fp,
            (true, false) => &mut self.fn_,
            (false, false) => &mut self.tn,
        };
        *count += 1;
    }

    /// By v2's names, in its order.
    fn metrics(self) -> [(&'static str, f64); 8] {
        let Self { tp, fp, fn_, tn } = self;
        let [tp, fp, fn_, tn] = [tp, fp, fn_, tn].map(|n| n as f64);
        let share = |part: f64, whole: f64| if tp + fp + fn_ == 0.0 { f64::NAN } else { part / whole };
        [
            ("Dice", share(2.0 * tp, 2.0 * tp + fp + fn_)),
            ("IoU", share(tp, tp + fp + fn_)),
            ("FP", fp),
            ("TP", tp),
            ("FN", fn_),
            ("TN", tn),
            ("n_pred", fp + tp),
            ("n_ref", fn_ + tp),
        ]
    }
}

/// Whether a metric is a ratio and not a count.
fn is_ratio(name: &str) -> bool {
    matches!(name, "Dice" | "IoU")
}

/// Writes the summary; returns the mean Dice.
///
/// # Errors
/// Returns an error for folders whose files do not match, or one error that lists all cases that cannot be compared.
pub fn evaluate(evaluation: &Evaluation, output: &Path) -> Result<MeanDice> {
    let names = names(evaluation)?;
    let bar = progress::start(names.len(), "evaluating");
    let compare = |name: &String| {
        let counts = counts(evaluation, name).with_context(|| name.clone());
        bar.inc(1);
        counts
    };
    let cases = failures::each("cases cannot be compared", &names, compare)?;
    drop(bar);
    let keys: Vec<String> = evaluation.classes.iter().map(key).collect();
    let means: Vec<BTreeMap<&str, f64>> = (0..keys.len()).map(|class| mean(&cases, class)).collect();
    let foreground: Vec<&BTreeMap<&str, f64>> = evaluation
        .classes
        .iter()
        .zip(&means)
        .filter(|(class, _)| **class != Class::Label(0))
        .map(|(_, m)| m)
        .collect();
    let foreground_mean =
        |metric: &str| foreground.iter().map(|mean| mean[metric]).sum::<f64>() / foreground.len() as f64;
    let metrics = Counts::default().metrics().map(|(name, _)| name);
    let per_case = names.iter().zip(&cases).map(|(name, counts)| case_json(evaluation, name, &keys, counts));
    let summary = object([
        ("metric_per_case", Json::Array(per_case.collect())),
        ("mean", Json::Object(keys.iter().cloned().zip(means.iter().map(floats)).collect())),
        ("foreground_mean", object(metrics.map(|name| (name, Json::Float(foreground_mean(name)))))),
    ]);
    json::save(output, &summary)?;
    let classes = evaluation.classes.iter().cloned().zip(means.iter().map(|mean| mean["Dice"]));
    Ok(MeanDice { classes: classes.collect(), foreground: foreground_mean("Dice"), cases: names.len() })
}

/// The predictions to compare.
///
/// # Errors
/// Returns an error for folders whose files do not match.
pub(super) fn names(evaluation: &Evaluation) -> Result<Vec<String>> {
    let Evaluation { references, predictions, file_ending, .. } = evaluation;
    let predicted = file_names(predictions, file_ending)?;
    ensure!(!predicted.is_empty(), "{} has no files that end in {file_ending}", predictions.display());
    let lacking = |folder: &Path, names: &[String]| -> Vec<String> {
        names.iter().filter(|name| !folder.join(name).is_file()).cloned().collect()
    };
    let without = lacking(references, &predicted);
    ensure!(without.is_empty(), "{} lacks {}", references.display(), without.join(", "));
    if !evaluation.chill {
        let without = lacking(predictions, &file_names(references, file_ending)?);
        let hint = "evaluate the others alone with --chill";
        ensure!(without.is_empty(), "{} lacks {}; {hint}", predictions.display(), without.join(", "));
    }
    Ok(predicted)
}

fn counts(evaluation: &Evaluation, name: &str) -> Result<Vec<Counts>> {
    let prediction = images::read(&evaluation.predictions.join(name))?.data;
    evaluation.counts(name, &prediction)
}

impl Evaluation {
    /// The counts of every class in a prediction that is in memory.
    ///
    /// # Errors
    /// Returns an error for a reference that cannot be read or has another size.
    pub(super) fn counts(&self, name: &str, prediction: &Array3<f32>) -> Result<Vec<Counts>> {
        let reference = images::read(&self.references.join(name))?.data;
        self.compare(&reference, prediction)
    }

    fn compare(&self, reference: &Array3<f32>, prediction: &Array3<f32>) -> Result<Vec<Counts>> {
        ensure!(
            reference.dim() == prediction.dim(),
            "the reference has {:?} voxels and the prediction {:?}",
            reference.dim(),
            prediction.dim()
        );
        let mut counts = vec![Counts::default(); self.classes.len()];
        Zip::from(reference).and(prediction).for_each(|reference, prediction| {
            let (reference, prediction) = (*reference as i64, *prediction as i64);
            if self.ignore == Some(reference) {
                return;
            }
            for (class, counts) in self.classes.iter().zip(&mut counts) {
                counts.add(contains(class, reference), contains(class, prediction));
            }
        });
        Ok(counts)
    }
}

pub(super) fn contains(class: &Class, label: i64) -> bool {
    match class {
        Class::Label(own) => *own == label,
        Class::Region(labels) => labels.contains(&label),
    }
}

/// A class as a key of the summary: Python's text of it.
#[must_use]
pub fn key(class: &Class) -> String {
    match class {
        Class::Label(label) => label.to_string(),
        Class::Region(labels) if labels.len() == 1 => format!("({},)", labels[0]),
        Class::Region(labels) => {
            let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
            format!("({})", labels.join(", "))
        }
    }
}

/// Means over the cases; those in which a ratio has no value are passed over.
pub(super) fn mean(cases: &[Vec<Counts>], class: usize) -> BTreeMap<&'static str, f64> {
    let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, value) in cases.iter().flat_map(|counts| counts[class].metrics()) {
        all.entry(name).or_default().push(value);
    }
    all.into_iter().map(|(name, values)| (name, nnunet_evaluation::nan_mean(values.into_iter()))).collect()
}

fn case_json(evaluation: &Evaluation, name: &str, keys: &[String], counts: &[Counts]) -> Json {
    let value = |(name, value): (&str, f64)| {
        let value = if is_ratio(name) { Json::Float(value) } else { Json::Int(value as i64) };
        (name.to_owned(), value)
    };
    let metrics = |counts: &Counts| Json::Object(counts.metrics().into_iter().map(value).collect());
    let path = |folder: &Path| Json::Str(folder.join(name).display().to_string());
    object([
        ("reference_file", path(&evaluation.references)),
        ("prediction_file", path(&evaluation.predictions)),
        ("metrics", Json::Object(keys.iter().cloned().zip(counts.iter().map(metrics)).collect())),
    ])
}

fn floats(values: &BTreeMap<&str, f64>) -> Json {
    Json::Object(values.iter().map(|(name, value)| ((*name).to_owned(), Json::Float(*value))).collect())
}

fn object<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_is_nowhere_has_no_dice() {
        let metrics = Counts { tn: 5, ..Counts::default() }.metrics();
        assert!(metrics[0].1.is_nan() && metrics[1].1.is_nan());
        let metrics = Counts { tp: 1, fp: 2, fn_: 1, tn: 0 }.metrics();
        assert_eq!(metrics[0], ("Dice", 0.4));
        assert_eq!(metrics[1], ("IoU", 0.25));
    }

    #[test]
    fn keys_are_those_of_python() {
        assert_eq!(key(&Class::Label(3)), "3");
        assert_eq!(key(&Class::Region(vec![2])), "(2,)");
        assert_eq!(key(&Class::Region(vec![1, 2])), "(1, 2)");
    }
}
