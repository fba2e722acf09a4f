//! The voxels of the cases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use nnunet_formats::nifti::{Geometry, Image};
use nnunet_numerics::stats;

use super::geometry::{compare, orientation};
use super::{Fault, FaultKind};
use crate::dataset::{Dataset, Part};
use crate::images;

/// What is known of one case.
#[derive(Debug, Default)]
pub(super) struct CaseFindings {
    /// Its faults.
    pub faults: Vec<Fault>,
    /// Whole label values that occur.
    pub label_values: BTreeSet<i64>,
    read: Vec<ReadImage>,
}

/// What is compared across cases.
#[derive(Debug)]
struct ReadImage {
    file: PathBuf,
    orientation: String,
    voxels: blake3::Hash,
}

/// Checks a training case: all that can be said of it at once.
pub(super) fn check(dataset: &Dataset, case: &str, tolerance: f64) -> CaseFindings {
    let mut found = CaseFindings::default();
    let label = found.read(dataset, &dataset.label(case));
    if let Some(label) = &label {
        found.check_label(dataset, &relative(dataset, &dataset.label(case)), label);
    }
    let mut reference = label.map(|label| (label.geometry, "its label"));
    for path in dataset.images(case) {
        let Some(image) = found.read(dataset, &path) else { continue };
        let file = relative(dataset, &path);
        found.check_finite(&file, &image);
        if let Some((other, name)) = &reference {
            found.faults.extend(compare(&file, &image.geometry, other, name, tolerance));
        }
        found.read.push(ReadImage { orientation: orientation(&image.geometry), voxels: hash(&image), file });
        reference.get_or_insert((image.geometry, "the first channel"));
    }
    found
}

/// Checks the test cases: their files, and channels against the first one.
pub(super) fn check_tests(dataset: &Dataset, tolerance: f64) -> Vec<Fault> {
    let mut found = CaseFindings::default();
    for case in dataset.cases(Part::Test) {
        let mut first: Option<Geometry> = None;
        for path in dataset.images_of(Part::Test, case) {
            let file = relative(dataset, &path);
            if !path.is_file() {
                found.faults.push(missing(&file));
                continue;
            }
            match (images::read_geometry(&path), &first) {
                (Ok(geometry), Some(first)) => {
                    found.faults.extend(compare(&file, &geometry, first, "the first channel", tolerance));
                }
                (Ok(geometry), None) => first = Some(geometry),
                (Err(error), _) => {
                    found.faults.push(Fault::new(FaultKind::Unreadable, file, error.to_string()))
                }
            }
        }
    }
    found.faults
}

/// What only shows when cases are compared.
pub(super) fn across(cases: &[CaseFindings]) -> Vec<Fault> {
    let images = || cases.iter().flat_map(|case| &case.read);
    let mut faults = Vec::new();
    let mut first_with: BTreeMap<[u8; 32], &Path> = BTreeMap::new();
    let mut orientations: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
    for image in images() {
        orientations.entry(&image.orientation).or_default().push(&image.file);
        match first_with.get(image.voxels.as_bytes()) {
            Some(first) => {
                let detail = format!("has the voxels of {}", first.display());
                faults.push(Fault::new(FaultKind::DuplicateImage, &image.file, detail));
            }
            None => {
                first_with.insert(*image.voxels.as_bytes(), &image.file);
            }
        }
    }
    let most = orientations.values().map(Vec::len).max().unwrap_or(0);
    let usual = orientations.iter().find(|(_, files)| files.len() == most).map_or("", |(name, _)| *name);
    for (name, files) in orientations.iter().filter(|(name, _)| **name != usual) {
        let detail = |_: &&Path| format!("its axes are {name}, those of most images {usual}");
        faults.extend(files.iter().map(|file| Fault::new(FaultKind::OrientationMix, *file, detail(file))));
    }
    faults
}

impl CaseFindings {
    fn read(&mut self, dataset: &Dataset, path: &Path) -> Option<Image> {
        let file = relative(dataset, path);
        if !path.is_file() {
            self.faults.push(missing(&file));
            return None;
        }
        images::read(path)
            .map_err(|error| self.faults.push(Fault::new(FaultKind::Unreadable, file, error.to_string())))
            .ok()
    }

    fn check_finite(&mut self, file: &Path, image: &Image) {
        let broken = image.data.iter().filter(|value| !value.is_finite()).count();
        if broken > 0 {
            let detail = format!("{broken} voxels are NaN or infinite");
            self.faults.push(Fault::new(FaultKind::NotFinite, file, detail));
        }
    }

    fn check_label(&mut self, dataset: &Dataset, file: &Path, label: &Image) {
        self.check_finite(file, label);
        let values = stats::unique(label.data.iter().copied().filter(|value| value.is_finite()));
        let declared = |value: f32| dataset.labels.iter().any(|label| *label as f32 == value);
        let undeclared: Vec<f32> = values.iter().copied().filter(|value| !declared(*value)).collect();
        if !undeclared.is_empty() {
            let detail = format!("has values {undeclared:?}; dataset.json declares {:?}", dataset.labels);
            self.faults.push(Fault::new(FaultKind::UndeclaredLabel, file, detail));
        }
        if values.iter().all(|value| *value == 0.0) {
            self.faults.push(Fault::new(FaultKind::EmptyLabel, file, "has no foreground"));
        }
        self.label_values =
            values.iter().filter(|value| value.fract() == 0.0).map(|value| *value as i64).collect();
    }
}

fn missing(file: &Path) -> Fault {
    Fault::new(FaultKind::MissingFile, file, "is listed but not there")
}

fn relative(dataset: &Dataset, path: &Path) -> PathBuf {
    path.strip_prefix(&dataset.folder).unwrap_or(path).to_owned()
}

fn hash(image: &Image) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{:?}", image.geometry.size).as_bytes());
    for row in image.data.rows() {
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        hasher.update(&bytes);
    }
    hasher.finalize()
}
