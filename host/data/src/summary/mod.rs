//! Metrics of a folder of predictions: `summary.json` as v1 writes it, and a second file with what v1 lacks.

mod document;
mod extended;
mod regions;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::Array3;
use nnunet_evaluation::{Confusion, metrics, nan_mean};
use nnunet_formats::json;
use rayon::prelude::*;

use crate::{failures, images};

pub use extended::{EXTENDED_FILE, write_extended};
pub use regions::write_regions;

use document::{Values, document};

/// A prediction and its reference.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Prediction.
    pub test: PathBuf,
    /// Reference.
    pub reference: PathBuf,
}

/// Names in the summary's head.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    /// What was evaluated.
    pub name: &'a str,
    /// Task.
    pub task: &'a str,
    /// Whatever else there is to say.
    pub description: &'a str,
}

/// Mean Dice by label.
pub type MeanDice = Vec<(i64, f64)>;

/// Evaluates pairs and writes `summary.json`; returns the mean Dice of every label.
///
/// # Errors
/// Returns one error that lists all pairs that cannot be compared.
pub fn write(path: &Path, pairs: &[Pair], labels: &[i64], head: &Head<'_>) -> Result<MeanDice> {
    let cases = compare(pairs, labels, |label, test, reference, _| {
        Confusion::count(test.view(), reference.view(), label)
    })?;
    let values = |counts: &Confusion| -> Values { metrics(counts).to_vec() };
    let rows: Vec<Vec<Values>> = cases.iter().map(|case| case.iter().map(values).collect()).collect();
    json::save(path, &document(pairs, &rows, labels, head))?;
    let mean = |i: usize| nan_mean(cases.iter().map(|case| case[i].dice()));
    Ok(labels.iter().enumerate().map(|(i, label)| (*label, mean(i))).collect())
}

/// The result of `measure` for every label (label, prediction, reference, (z, y, x) voxel size of the prediction) of every pair.
fn compare<T: Send>(
    pairs: &[Pair],
    labels: &[i64],
    measure: impl Fn(u8, &Array3<u8>, &Array3<u8>, [f64; 3]) -> T + Sync,
) -> Result<Vec<Vec<T>>> {
    let one = |pair: &Pair| -> Result<Vec<T>> {
        let (test, reference) = load(pair)?;
        let spacing = images::read_geometry(&pair.test)?.spacing_zyx();
        let measured = |label: &i64| {
            let label = u8::try_from(*label).context("labels lie between 0 and 255")?;
            Ok(measure(label, &test, &reference, spacing))
        };
        labels.iter().map(measured).collect()
    };
    failures::all("cases cannot be evaluated", pairs.par_iter().map(one).collect())
}

fn load(pair: &Pair) -> Result<(Array3<u8>, Array3<u8>)> {
    let (test, reference) = (images::read_labels(&pair.test)?, images::read_labels(&pair.reference)?);
    ensure!(
        test.dim() == reference.dim(),
        "{} has {:?} voxels (z, y, x) but {} has {:?}",
        pair.test.display(),
        test.dim(),
        pair.reference.display(),
        reference.dim()
    );
    Ok((test, reference))
}
