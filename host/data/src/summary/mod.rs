//! Metrics of a folder of predictions: `summary.json` as v1 writes it, and a second file with what v1 lacks.

mod document;
mod extended;
mod regions;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ndarray::Array3;
use nnunet_evaluation::{Confusion, metrics, nan_mean};
use nnunet_formats::json;
use rayon::prelude::*;

use crate::images;

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
/// All pairs that cannot be compared, together.
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

/// What `measure` says of every label (label, prediction, reference, (z, y, x) voxel size of the prediction) of every pair.
fn compare<T: Send>(
    pairs: &[Pair],
    labels: &[i64],
    measure: impl Fn(u8, &Array3<u8>, &Array3<u8>, [f64; 3]) -> T + Sync,
) -> Result<Vec<Vec<T>>> {
    let one = |pair: &Pair| -> Result<Vec<T>> {
        let asked: Vec<u8> = labels.iter().filter_map(|label| u8::try_from(*label).ok()).collect();
        let (test, reference) = load(pair, &asked)?;
        let spacing = images::read_geometry(&pair.test)?.spacing_zyx();
        let measured = |label: &i64| {
            let label = u8::try_from(*label).context("labels lie between 0 and 255")?;
            Ok(measure(label, &test, &reference, spacing))
        };
        labels.iter().map(measured).collect()
    };
    let cases: Vec<Result<Vec<T>>> = pairs.par_iter().map(one).collect();
    let failed: Vec<String> =
        cases.iter().filter_map(|case| Some(format!("  {:#}", case.as_ref().err()?))).collect();
    if !failed.is_empty() {
        bail!("{} of {} cases cannot be evaluated:\n{}", failed.len(), cases.len(), failed.join("\n"));
    }
    cases.into_iter().collect()
}

/// Both label maps of a pair. Whole values beyond 0 to 255, which some programs give to what shall be ignored, become a
/// label that is not among those `asked` for.
fn load(pair: &Pair, asked: &[u8]) -> Result<(Array3<u8>, Array3<u8>)> {
    let other = (0..=u8::MAX).rev().find(|label| !asked.contains(label));
    let (test, reference) = (read(&pair.test, other)?, read(&pair.reference, other)?);
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

/// A label map as whole numbers.
///
/// # Errors
/// Returns an error if the file cannot be read, or has values that are not whole numbers from 0 to 255.
pub fn read_labels(path: &Path) -> Result<Array3<u8>> {
    read(path, None)
}

/// As [`read_labels`]; other whole numbers become `other`, if there is one.
fn read(path: &Path, other: Option<u8>) -> Result<Array3<u8>> {
    let (mut labels, mut odd) = (Vec::new(), None);
    let mut label = |value: f32| {
        let label = value as u8;
        match other {
            _ if value == f32::from(label) => label,
            Some(other) if value.is_finite() && value.fract() == 0.0 => other,
            _ => {
                odd.get_or_insert(value);
                label
            }
        }
    };
    let geometry =
        images::for_each_slice(path, |_, slice| labels.extend(slice.iter().map(|value| label(*value))))?;
    if let Some(value) = odd {
        bail!("{} is not a label map: it contains {value}", path.display());
    }
    Ok(Array3::from_shape_vec(geometry.size_zyx(), labels)?)
}

#[cfg(test)]
mod tests {
    use nnunet_formats::{Geometry, nifti};

    use super::*;

    #[test]
    fn values_that_are_not_asked_for_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let direction = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let geometry = Geometry { size: [4, 1, 1], spacing: [1.0; 3], origin: [0.0; 3], direction };
        let file = |name: &str, values: [f32; 4]| {
            let path = folder.path().join(name);
            let image = Array3::from_shape_vec((1, 1, 4), values.to_vec()).unwrap();
            nifti::write_image(&path, image.view(), &geometry).unwrap();
            path
        };
        let reference = file("a.nii", [-1.0, 1.0, 1.0, 1000.0]);
        let pair = Pair { test: file("b.nii", [0.0, 1.0, 0.0, 0.0]), reference: reference.clone() };
        let dice = write(&folder.path().join("s.json"), &[pair], &[1], &Head::default()).unwrap();
        assert!((dice[0].1 - 2.0 / 3.0).abs() < 1e-12);
        assert!(read_labels(&reference).unwrap_err().to_string().contains("it contains -1"));
        assert!(read(&file("c.nii", [0.5, 0.0, 0.0, 0.0]), Some(255)).is_err());
    }
}
