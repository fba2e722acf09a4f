//! `summary.json`: metrics of a folder of predictions, as v1 writes it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use md5::{Digest, Md5};
use ndarray::Array3;
use nnunet_evaluation::{Confusion, metrics, nan_mean};
use nnunet_formats::json::{self, Json};
use nnunet_formats::nifti;
use rayon::prelude::*;

use crate::report;

/// Metrics that are counts; written without a point.
const COUNTS: [&str; 2] = ["Total Positives Reference", "Total Positives Test"];

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
}

/// Mean Dice by label.
pub type MeanDice = Vec<(i64, f64)>;

/// Evaluates pairs and writes `summary.json`; returns the mean Dice of every label.
///
/// # Errors
/// All pairs that cannot be compared, together.
pub fn write(path: &Path, pairs: &[Pair], labels: &[i64], head: &Head<'_>) -> Result<MeanDice> {
    let cases: Vec<Result<Vec<Confusion>>> = pairs.par_iter().map(|pair| compare(pair, labels)).collect();
    let failed: Vec<String> =
        cases.iter().filter_map(|case| Some(format!("  {:#}", case.as_ref().err()?))).collect();
    if !failed.is_empty() {
        bail!("{} of {} cases cannot be evaluated:\n{}", failed.len(), cases.len(), failed.join("\n"));
    }
    let cases = cases.into_iter().collect::<Result<Vec<_>>>()?;
    json::save(path, &summary(pairs, &cases, labels, head))?;
    let mean = |i: usize| nan_mean(cases.iter().map(|case| case[i].dice()));
    Ok(labels.iter().enumerate().map(|(i, label)| (*label, mean(i))).collect())
}

fn compare(pair: &Pair, labels: &[i64]) -> Result<Vec<Confusion>> {
    let (test, reference) = (read_labels(&pair.test)?, read_labels(&pair.reference)?);
    ensure!(
        test.dim() == reference.dim(),
        "{} has {:?} voxels (z, y, x) but {} has {:?}",
        pair.test.display(),
        test.dim(),
        pair.reference.display(),
        reference.dim()
    );
    let count = |label: &i64| -> Result<Confusion> {
        let label = u8::try_from(*label).context("labels lie between 0 and 255")?;
        Ok(Confusion::count(test.view(), reference.view(), label))
    };
    labels.iter().map(count).collect()
}

/// A label map as whole numbers.
///
/// # Errors
/// A file that is no NIfTI image, or has values that are no labels.
pub fn read_labels(path: &Path) -> Result<Array3<u8>> {
    let (mut labels, mut odd) = (Vec::new(), None);
    let geometry = nifti::for_each_slice(path, |_, slice| {
        odd = odd.or_else(|| slice.iter().copied().find(|value| *value != f32::from(*value as u8)));
        labels.extend(slice.iter().map(|value| *value as u8));
    })?;
    if let Some(value) = odd {
        bail!("{} is not a label map: it contains {value}", path.display());
    }
    Ok(Array3::from_shape_vec(geometry.size_zyx(), labels)?)
}

fn summary(pairs: &[Pair], cases: &[Vec<Confusion>], labels: &[i64], head: &Head<'_>) -> Json {
    let text = |value: &str| Json::Str(value.to_owned());
    let all = pairs.iter().zip(cases).map(|(pair, case)| {
        let of_label =
            |(label, counts): (&i64, &Confusion)| (label.to_string(), metrics_json(&metrics(counts)));
        let mut entries: Vec<(String, Json)> = labels.iter().zip(case).map(of_label).collect();
        entries.push(("reference".to_owned(), text(&pair.reference.display().to_string())));
        entries.push(("test".to_owned(), text(&pair.test.display().to_string())));
        Json::Object(entries)
    });
    let mean = labels.iter().enumerate().map(|(i, label)| {
        let by_case: Vec<_> = cases.iter().map(|case| metrics(&case[i])).collect();
        let names = metrics(&Confusion::default()).map(|(name, _)| name);
        let mean = |(m, name): (usize, &str)| {
            (name.to_owned(), Json::Float(nan_mean(by_case.iter().map(|case| case[m].1))))
        };
        (label.to_string(), Json::Object(names.into_iter().enumerate().map(mean).collect()))
    });
    let results = Json::Object(vec![
        ("all".to_owned(), Json::Array(all.collect())),
        ("mean".to_owned(), Json::Object(mean.collect())),
    ]);
    let mut entries = vec![
        ("author".to_owned(), text("Fabian")),
        ("description".to_owned(), text("")),
        ("name".to_owned(), text(head.name)),
        ("results".to_owned(), results),
        ("task".to_owned(), text(head.task)),
        ("timestamp".to_owned(), Json::Str(report::now("%Y-%m-%d %H:%M:%S.%6f"))),
    ];
    let digest = Md5::digest(Json::Object(entries.clone()).to_python().as_bytes());
    let id: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    entries.push(("id".to_owned(), Json::Str(id)));
    Json::Object(entries)
}

fn metrics_json(values: &[(&str, f64)]) -> Json {
    let number = |(name, value): &(&str, f64)| {
        let json = if COUNTS.contains(name) { Json::Int(*value as i64) } else { Json::Float(*value) };
        ((*name).to_owned(), json)
    };
    Json::Object(values.iter().map(number).collect())
}
