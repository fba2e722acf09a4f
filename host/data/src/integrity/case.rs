//! The voxels of the cases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use ndarray::Axis;
use nnunet_formats::nifti::{Geometry, Image};
use nnunet_numerics::stats;

use super::geometry::compare;
use super::issue::{Issue, IssueKind};
use crate::dataset::{Dataset, Part};
use crate::images;
use crate::orientation::Orientation;

/// What is known of one case.
#[derive(Debug, Default)]
pub(super) struct CaseFindings {
    /// Its issues.
    pub issues: Vec<Issue>,
    /// Whole label values that occur.
    pub label_values: BTreeSet<i64>,
    read: Vec<ReadImage>,
    has_foreground: bool,
    /// Voxels of the label map.
    label_voxels: Option<blake3::Hash>,
}

/// What is compared across cases.
#[derive(Debug)]
struct ReadImage {
    file: PathBuf,
    orientation: String,
    voxels: blake3::Hash,
}

/// Checks a training case.
pub(super) fn check(dataset: &Dataset, case: &str, tolerance: f64) -> CaseFindings {
    let mut found = CaseFindings::default();
    let mut label = found.read(dataset, &dataset.label(case));
    if let Some(label) = &mut label {
        found.check_label(dataset, &dataset.relative(&dataset.label(case)), label);
        found.label_voxels = Some(hash(label));
    }
    let mut is_zero = true;
    let mut reference = label.map(|label| (label.geometry, "its label"));
    for path in dataset.images(case) {
        let Some(mut image) = found.read(dataset, &path) else {
            is_zero = false;
            continue;
        };
        let file = dataset.relative(&path);
        found.check_finite(&file, &mut image);
        is_zero &= image.data.iter().all(|value| *value == 0.0);
        if let Some((other, name)) = &reference {
            found.issues.extend(compare(&file, &image.geometry, other, name, tolerance));
        }
        found.read.push(ReadImage {
            orientation: Orientation::of(&image.geometry).letters(),
            voxels: hash(&image),
            file,
        });
        reference.get_or_insert((image.geometry, "the first channel"));
    }
    if let (true, Some(first)) = (is_zero, found.read.first()) {
        let detail = "the case is zero everywhere; there is nothing to train on";
        found.issues.push(Issue::new(IssueKind::ZeroImage, &first.file, detail));
    }
    found
}

/// Checks the test cases: their files, and channels against the first one.
pub(super) fn check_tests(dataset: &Dataset, tolerance: f64) -> Vec<Issue> {
    let mut found = CaseFindings::default();
    for case in dataset.cases(Part::Test) {
        let mut first: Option<Geometry> = None;
        for path in dataset.images_of(Part::Test, case) {
            let file = dataset.relative(&path);
            if !path.is_file() {
                found.issues.push(missing(&file));
                continue;
            }
            match (images::read_geometry(&path), &first) {
                (Ok(geometry), Some(first)) => {
                    found.issues.extend(compare(&file, &geometry, first, "the first channel", tolerance));
                }
                (Ok(geometry), None) => first = Some(geometry),
                (Err(error), _) => {
                    found.issues.push(Issue::new(IssueKind::Unreadable, file, error.to_string()))
                }
            }
        }
    }
    found.issues
}

/// Checks that compare cases.
pub(super) fn across(dataset: &Dataset, cases: &[CaseFindings]) -> Vec<Issue> {
    let images = || cases.iter().flat_map(|case| &case.read);
    let mut issues: Vec<Issue> = cases.iter().flat_map(CaseFindings::labels_as_images).collect();
    if dataset.has_ct() && !cases.is_empty() && !cases.iter().any(|case| case.has_foreground) {
        let detail = "no case has foreground, whose intensities normalize CT";
        issues.push(Issue::new(IssueKind::NoForeground, "labelsTr", detail));
    }
    let mut first_with: BTreeMap<[u8; 32], &Path> = BTreeMap::new();
    let mut orientations: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
    for image in images() {
        orientations.entry(&image.orientation).or_default().push(&image.file);
        match first_with.get(image.voxels.as_bytes()) {
            Some(first) => {
                let detail = format!("has the voxels of {}", first.display());
                issues.push(Issue::new(IssueKind::DuplicateImage, &image.file, detail));
            }
            None => {
                first_with.insert(*image.voxels.as_bytes(), &image.file);
            }
        }
    }
    let most = orientations.values().map(Vec::len).max().unwrap_or(0);
    let most_common =
        orientations.iter().find(|(_, files)| files.len() == most).map_or("", |(name, _)| *name);
    for (name, files) in orientations.iter().filter(|(name, _)| **name != most_common) {
        let detail = |_: &&Path| format!("its axes are {name}, those of most images {most_common}");
        issues.extend(files.iter().map(|file| Issue::new(IssueKind::OrientationMix, *file, detail(file))));
    }
    issues
}

impl CaseFindings {
    /// Images that are the label map of their case.
    fn labels_as_images(&self) -> Vec<Issue> {
        let is_label = |image: &&ReadImage| self.has_foreground && Some(image.voxels) == self.label_voxels;
        let detail = "has the voxels of its label";
        let labels = self.read.iter().filter(is_label);
        labels.map(|image| Issue::new(IssueKind::DuplicateImage, &image.file, detail)).collect()
    }

    fn read(&mut self, dataset: &Dataset, path: &Path) -> Option<Image> {
        let file = dataset.relative(path);
        if !path.is_file() {
            self.issues.push(missing(&file));
            return None;
        }
        let read = if dataset.has_colors { first_channel(path) } else { images::read_keeping_nan(path) };
        read.map_err(|error| self.issues.push(Issue::new(IssueKind::Unreadable, file, error.to_string())))
            .ok()
    }

    /// Reports numbers that are not finite. In NIfTI images they are read as zero, and become it here.
    fn check_finite(&mut self, file: &Path, image: &mut Image) {
        let broken = image.data.iter().filter(|value| !value.is_finite()).count();
        if broken == 0 {
            return;
        }
        let mut detail = format!("{broken} voxels are NaN or infinite");
        if images::reads_nan_as_zero(file) {
            detail += "; they are read as 0";
            image.data.mapv_inplace(|value| if value.is_finite() { value } else { 0.0 });
            return self.issues.push(Issue::new(IssueKind::NotFiniteRead, file, detail));
        }
        self.issues.push(Issue::new(IssueKind::NotFinite, file, detail));
    }

    fn check_label(&mut self, dataset: &Dataset, file: &Path, label: &mut Image) {
        self.check_finite(file, label);
        let values = stats::unique(label.data.iter().copied().filter(|value| value.is_finite()));
        let declared = |value: f32| dataset.labels.iter().any(|label| *label as f32 == value);
        let undeclared: Vec<f32> = values.iter().copied().filter(|value| !declared(*value)).collect();
        if !undeclared.is_empty() {
            let detail = format!("has values {undeclared:?}; dataset.json declares {:?}", dataset.labels);
            self.issues.push(Issue::new(IssueKind::UndeclaredLabel, file, detail));
        }
        self.has_foreground = values.iter().any(|value| *value > 0.0);
        if values.iter().all(|value| *value == 0.0) {
            self.issues.push(Issue::new(IssueKind::EmptyLabel, file, "has no foreground"));
        }
        self.label_values =
            values.iter().filter(|value| value.fract() == 0.0).map(|value| *value as i64).collect();
    }
}

/// A picture by its first channel; the others share its grid.
fn first_channel(path: &Path) -> Result<Image> {
    let channels = images::read_channels(path)?;
    ensure!(channels.dim().0 > 0, "it has no channels");
    Ok(Image { data: channels.index_axis_move(Axis(0), 0), geometry: images::read_geometry(path)? })
}

fn missing(file: &Path) -> Issue {
    Issue::new(IssueKind::MissingFile, file, "is listed in dataset.json but does not exist")
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
