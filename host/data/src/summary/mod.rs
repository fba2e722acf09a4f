//! Metrics of a folder of predictions: `summary.json` as v1 writes it, and a second file with what v1 lacks.

mod document;
mod extended;
mod pair;
mod regions;
mod scores;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ndarray::Array3;
use nnunet_evaluation::{Confusion, metrics, nan_mean};
use nnunet_formats::json;
use rayon::prelude::*;

use crate::{failures, images};

pub use extended::{EXTENDED_FILE, write_extended};
pub use pair::{Head, Pair};
pub use regions::write_regions;
pub use scores::{CaseScores, LabelScores, read};

use document::{Values, document};

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
        let asked: Vec<u8> = labels.iter().filter_map(|label| u8::try_from(*label).ok()).collect();
        let (test, reference) = load(pair, &asked)?;
        let spacing = images::read_geometry(&pair.test)?.spacing_zyx();
        let measured = |label: &i64| {
            let label = u8::try_from(*label).context("labels lie between 0 and 255")?;
            Ok(measure(label, &test, &reference, spacing))
        };
        labels.iter().map(measured).collect()
    };
    failures::all("cases cannot be evaluated", pairs.par_iter().map(one).collect())
}

/// Both label maps of a pair, with the labels `asked` for.
fn load(pair: &Pair, asked: &[u8]) -> Result<(Array3<u8>, Array3<u8>)> {
    let read = |path: &Path| images::read_some_labels(path, asked);
    let (test, reference) = (read(&pair.test)?, read(&pair.reference)?);
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
        assert!(images::read_labels(&reference).unwrap_err().to_string().contains("it contains -1"));
        assert!(images::read_some_labels(&file("c.nii", [0.5, 0.0, 0.0, 0.0]), &[1]).is_err());
    }
}
