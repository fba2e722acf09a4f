//! The integrity check: all faults of all cases, together.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};
use nnunet_formats::nifti::{self, Geometry};
use nnunet_numerics::stats;
use rayon::prelude::*;

use crate::dataset::Dataset;
use crate::{folders, report};

/// Relative difference of origin, spacing and direction that counts as equal.
const TOLERANCE: f64 = 1e-5;

/// Checks a raw task: files, sizes, geometry, NaN and label values.
///
/// # Errors
/// One error that lists every fault.
pub fn verify(dataset: &Dataset) -> Result<()> {
    let mut faults = listing_faults(dataset);
    let bar = report::bar(dataset.training.len(), "verifying");
    let by_case: Vec<Vec<String>> = dataset
        .training
        .par_iter()
        .map(|case| {
            let found = case_faults(dataset, case);
            bar.inc(1);
            found
        })
        .collect();
    bar.finish_and_clear();
    faults.extend(by_case.into_iter().flatten());
    if faults.is_empty() {
        report::line("Dataset OK");
        return Ok(());
    }
    bail!("{} has {} faults:\n  {}", dataset.folder.display(), faults.len(), faults.join("\n  "))
}

fn listing_faults(dataset: &Dataset) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for case in dataset.training.iter().filter(|case| !seen.insert(case.as_str())) {
        faults.push(format!("{case} is listed twice in dataset.json"));
    }
    let mut labels = dataset.labels.clone();
    labels.sort_unstable();
    if labels.iter().enumerate().any(|(i, label)| i as i64 != *label) {
        faults.push(format!("labels in dataset.json must be 0, 1, 2, ... without gaps, not {labels:?}"));
    }
    let listed = |folder: &str, known: &dyn Fn(&str) -> bool| {
        let names = folders::file_names(&dataset.folder.join(folder), ".nii.gz");
        let extra = names.into_iter().filter(|name| !known(name));
        extra.map(|name| format!("{folder}/{name} is not listed in dataset.json")).collect::<Vec<_>>()
    };
    let case_of =
        |name: &str| name.trim_end_matches(".nii.gz").rsplit_once('_').map(|(case, _)| case.to_owned());
    faults.extend(listed("imagesTr", &|name| {
        case_of(name).is_some_and(|case| dataset.training.contains(&case))
    }));
    let of_label = |name: &str| dataset.training.iter().any(|case| format!("{case}.nii.gz") == name);
    faults.extend(listed("labelsTr", &of_label));
    faults
}

fn case_faults(dataset: &Dataset, case: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let label_path = dataset.label(case);
    let images = dataset.images(case);
    let all = images.iter().chain([&label_path]);
    let missing: Vec<String> =
        all.filter(|path| !path.is_file()).map(|path| format!("{} is missing", path.display())).collect();
    if !missing.is_empty() {
        return missing;
    }
    let label = match nifti::read(&label_path) {
        Ok(label) => label,
        Err(error) => return vec![error.to_string()],
    };
    for value in stats::unique(label.data.iter().copied()) {
        if value.is_nan() {
            faults.push(format!("{} contains NaN", label_path.display()));
        } else if !dataset.labels.iter().any(|label| *label as f32 == value) {
            faults.push(format!(
                "{} contains label {value}, which dataset.json does not declare",
                label_path.display()
            ));
        }
    }
    for path in &images {
        match nifti::read(path) {
            Ok(image) => {
                if image.data.iter().any(|value| value.is_nan()) {
                    faults.push(format!("{} contains NaN", path.display()));
                }
                faults.extend(geometry_faults(path, &image.geometry, &label.geometry));
            }
            Err(error) => faults.push(error.to_string()),
        }
    }
    faults
}

fn geometry_faults(path: &Path, image: &Geometry, label: &Geometry) -> Vec<String> {
    let close =
        |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-8 + TOLERANCE * b.abs());
    let mut faults = Vec::new();
    let mut differ = |what: &str, a: String, b: String| {
        faults.push(format!("{}: {what} {a} differs from its label's {b}", path.display()));
    };
    if image.size != label.size {
        differ("size", format!("{:?}", image.size), format!("{:?}", label.size));
    }
    if !close(&image.spacing, &label.spacing) {
        differ("spacing", format!("{:?}", image.spacing), format!("{:?}", label.spacing));
    }
    if !close(&image.origin, &label.origin) {
        differ("origin", format!("{:?}", image.origin), format!("{:?}", label.origin));
    }
    if !close(&image.direction, &label.direction) {
        differ("direction", format!("{:?}", image.direction), format!("{:?}", label.direction));
    }
    faults
}
