//! Metrics of a folder of predictions: `summary.json` as v1 writes it, and a second file with what v1 lacks.

mod complete;
mod document;
mod extended;
mod pair;
mod regions;
mod scores;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, ensure};
use ndarray::Array3;
use nnunet_evaluation::{Confusion, metrics, nan_mean};
use nnunet_formats::json;

use crate::{failures, images};

pub use complete::{prediction_of, read_complete};
pub use extended::{EXTENDED_FILE, write_extended};
pub use pair::{Head, Pair, warn_of_places};
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

/// The result of `measure` for every label (its number in both maps, prediction, reference, (z, y, x) voxel size of the
/// prediction) of every pair. Labels may be any whole numbers.
fn compare<T: Clone + Send>(
    pairs: &[Pair],
    labels: &[i64],
    measure: impl Fn(u8, &Array3<u8>, &Array3<u8>, [f64; 3]) -> T + Sync,
) -> Result<Vec<Vec<T>>> {
    let one = |pair: &Pair| -> Result<Vec<T>> {
        let spacing = images::read_geometry(&pair.test)?.spacing_zyx();
        let mut distinct = labels.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let mut measured = HashMap::new();
        for part in distinct.chunks(images::MOST_NUMBERED) {
            let (test, reference) = load(pair, |path| images::read_numbered(path, part))?;
            let of = |(label, number): (&i64, u8)| (*label, measure(number, &test, &reference, spacing));
            measured.extend(part.iter().zip(1..).map(of));
        }
        Ok(labels.iter().filter_map(|label| measured.get(label).cloned()).collect())
    };
    failures::each("cases cannot be evaluated", pairs, one)
}

/// Both label maps of a pair, as `read` reads them.
fn load(pair: &Pair, read: impl Fn(&Path) -> Result<Array3<u8>>) -> Result<(Array3<u8>, Array3<u8>)> {
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
        assert!(images::read_numbered(&file("d.nii", [f32::NAN, 0.5, 0.0, 0.0]), &[1]).is_err());
    }
    /// FreeSurfer's labels go beyond 8 bits; more than 255 labels are read in parts.
    #[test]
    fn labels_may_be_any_whole_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let direction = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let geometry = Geometry { size: [600, 1, 1], spacing: [1.0; 3], origin: [0.0; 3], direction };
        let file = |name: &str, first: f32| {
            let path = folder.path().join(name);
            let image = Array3::from_shape_fn((1, 1, 600), |(_, _, x)| (x as f32 + first).max(-2.0));
            nifti::write_image(&path, image.view(), &geometry).unwrap();
            path
        };
        // Prediction and reference are shifted by one voxel, in which -2 occurs twice.
        let pair = Pair { test: file("test.nii", -2.0), reference: file("reference.nii", -3.0) };
        let labels: Vec<i64> = (-2..500).chain([300, 30_000]).collect();
        let summary = folder.path().join("s.json");
        let dice = write(&summary, std::slice::from_ref(&pair), &labels, &Head::default()).unwrap();
        assert_eq!(dice.iter().map(|(label, _)| *label).collect::<Vec<_>>(), labels);
        assert!((dice[0].1 - 2.0 / 3.0).abs() < 1e-12, "{}", dice[0].1);
        assert!(dice[1..503].iter().all(|(_, dice)| *dice == 0.0) && dice[503].1.is_nan());
        write_extended(&folder.path().join(EXTENDED_FILE), &[pair], &[300], 1.0).unwrap();
    }
}
