//! Issues of raw tasks and their repaired copies, on tiny tasks of all endings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use nnunet_data::dataset::Dataset;
use nnunet_data::images;
use nnunet_data::integrity::{self, Findings, IssueKind, Repairs};
use nnunet_formats::Geometry;

const GEOMETRY: Geometry = Geometry {
    size: [4, 3, 2],
    spacing: [1.0; 3],
    origin: [0.0; 3],
    direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
};

/// A raw task in a folder of its own.
struct Task {
    folder: tempfile::TempDir,
    ending: &'static str,
}

impl Task {
    fn new(ending: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["imagesTr", "labelsTr"] {
            std::fs::create_dir_all(folder.path().join("Task001_T").join(part)).unwrap();
        }
        Self { folder, ending }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("Task001_T")
    }

    fn image(&self, name: &str, first: f32) -> &Self {
        let data = Array3::from_shape_fn((2, 3, 4), |(z, y, x)| first * (1 + z * 12 + y * 4 + x) as f32);
        let path = self.path().join("imagesTr").join(format!("{name}{}", self.ending));
        images::write_image(&path, data.view(), &GEOMETRY).unwrap();
        self
    }

    fn label(&self, name: &str, values: &[u8]) -> &Self {
        let data = Array3::from_shape_fn((2, 3, 4), |(_, y, x)| values[(y * 4 + x) % values.len()]);
        let path = self.path().join("labelsTr").join(format!("{name}{}", self.ending));
        images::write_labels(&path, data.view(), &GEOMETRY).unwrap();
        self
    }

    /// Writes `dataset.json`; `listed` are pairs of image and label.
    fn describe(&self, listed: &[(&str, &str)], labels: &[i64], modality: &str) -> &Self {
        let entry = |(image, label): &(&str, &str)| {
            let ending = self.ending;
            format!(r#"{{"image": "./imagesTr/{image}{ending}", "label": "./labelsTr/{label}{ending}"}}"#)
        };
        let training: Vec<String> = listed.iter().map(entry).collect();
        let labels: Vec<String> = labels.iter().map(|label| format!(r#""{label}": "l{label}""#)).collect();
        let text = format!(
            r#"{{"file_ending": "{}", "modality": {{"0": "{modality}"}}, "labels": {{{}}}, "numTraining": {},
                "training": [{}], "test": []}}"#,
            self.ending,
            labels.join(", "),
            listed.len(),
            training.join(", ")
        );
        std::fs::write(self.path().join("dataset.json"), text).unwrap();
        self
    }

    fn check(&self) -> Findings {
        integrity::check(&Dataset::load(&self.path()).unwrap(), 1e-5).unwrap()
    }

    fn kinds(&self) -> BTreeSet<IssueKind> {
        self.check().issues.iter().map(|issue| issue.kind).collect()
    }

    /// Writes the repaired copy, which must have no errors, and returns its cases.
    fn repaired(&self) -> (Dataset, BTreeSet<String>) {
        let (dataset, findings) = (Dataset::load(&self.path()).unwrap(), self.check());
        let to = self.folder.path().join("Task002_R");
        let repairs = Repairs::propose(&dataset, &findings);
        assert!(repairs.open.is_empty(), "{:?}", repairs.open);
        repairs.write(&to).unwrap();
        let copy = Dataset::load(&to).unwrap();
        let left = integrity::check(&copy, 1e-5).unwrap();
        assert!(left.is_usable(), "{}", left.table());
        let cases = copy.training.iter().cloned().collect();
        (copy, cases)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn strings<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn copies_of_all_endings_keep_their_files() {
    for ending in [".nii.gz", ".nii", ".nrrd", ".mha"] {
        let task = Task::new(ending);
        task.image("a_0000", 1.0).image("b_0000", 2.0).label("a", &[0, 1]).label("b", &[0, 1]);
        task.describe(&[("a", "a"), ("b", "b"), ("a", "a")], &[0, 1], "MRI");
        assert_eq!(task.kinds(), [IssueKind::ListedTwice].into());
        let (copy, cases) = task.repaired();
        assert_eq!(cases, strings(["a", "b"]));
        assert_eq!(names(&copy.folder.join("imagesTr")).len(), 2, "{ending}");
        assert_eq!(names(&copy.folder.join("labelsTr")).len(), 2, "{ending}");
    }
}

#[test]
fn remapped_labels_are_those_of_the_description() {
    let task = Task::new(".nrrd");
    task.image("a_0000", 1.0).label("a", &[0, 5, 6]).describe(&[("a", "a")], &[0, 1, 3], "MRI");
    let (copy, _) = task.repaired();
    assert_eq!(copy.labels, [0, 1, 2]);
    let label = images::read(&copy.label("a")).unwrap();
    assert_eq!(label.data.iter().copied().take(3).collect::<Vec<_>>(), [0.0, 1.0, 2.0]);
}

/// `a_0000` is listed for case a; `b_0000` is a case of its own, called like a channel of case b.
#[test]
fn names_with_a_channel_are_corrected_and_cases_called_like_one_stay() {
    let task = Task::new(".nii.gz");
    task.image("a_0000", 1.0).label("a", &[0, 1]);
    task.image("b_0000_0000", 2.0).label("b_0000", &[0, 1]);
    task.image("b_0000", 3.0).label("b", &[0, 1]);
    task.image("c", 4.0).label("c", &[0, 1]);
    let listed = [("a_0000", "a"), ("b_0000", "b_0000"), ("b", "b"), ("c", "c")];
    task.describe(&listed, &[0, 1], "MRI");
    let expected = [IssueKind::ListedWithChannel, IssueKind::MissingFile, IssueKind::NameWithoutChannel];
    assert_eq!(task.kinds(), expected.into());
    let (copy, cases) = task.repaired();
    assert_eq!(cases, strings(["a", "b", "b_0000", "c"]));
    let images = ["a_0000.nii.gz", "b_0000.nii.gz", "b_0000_0000.nii.gz", "c_0000.nii.gz"];
    assert_eq!(names(&copy.folder.join("imagesTr")), images);
    let first = |case: &str| images::read(&copy.images(case)[0]).unwrap().data[[0, 0, 0]];
    assert_eq!(["a", "b_0000", "b", "c"].map(first), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn images_of_zeros_are_reported_and_left_out() {
    let task = Task::new(".mha");
    task.image("a_0000", 1.0).image("b_0000", 0.0).label("a", &[0, 1]).label("b", &[0, 1]);
    task.describe(&[("a", "a"), ("b", "b")], &[0, 1], "MRI");
    assert_eq!(task.kinds(), [IssueKind::ZeroImage].into());
    assert_eq!(task.repaired().1, strings(["a"]));
    // Nothing would be left.
    task.describe(&[("b", "b")], &[0, 1], "MRI");
    let (dataset, findings) = (Dataset::load(&task.path()).unwrap(), task.check());
    let to = task.folder.path().join("Task003_R");
    assert!(Repairs::propose(&dataset, &findings).write(&to).is_err());
    assert!(!to.exists());
}

#[test]
fn faults_of_the_description_are_found() {
    let task = Task::new(".nii.gz");
    task.describe(&[], &[0, 1], "MRI");
    assert_eq!(task.kinds(), [IssueKind::NoCases].into());
    assert!(Dataset::load(&task.path()).unwrap().check().unwrap_err().to_string().contains("is empty"));

    task.image("a_0000", 1.0).image("b_0000", 2.0).label("a", &[0, 1]).label("b", &[0, 2]);
    let all: Vec<i64> = (0..300).collect();
    task.describe(&[("a", "a"), ("b", "b")], &all, "MRI");
    assert_eq!(task.kinds(), [IssueKind::TooManyLabels].into());
    let error = Dataset::load(&task.path()).unwrap().check().unwrap_err().to_string();
    assert!(error.contains("label 256"), "{error}");

    task.describe(&[("a", "b"), ("b", "a")], &[0, 1, 2], "MRI");
    assert_eq!(task.kinds(), [IssueKind::LabelOfOtherName].into());
    let dataset = Dataset::load(&task.path()).unwrap();
    assert!(dataset.label("a").ends_with("labelsTr/b.nii.gz"));

    task.label("a", &[0]).label("b", &[0]).describe(&[("a", "a"), ("b", "b")], &[0, 1], "CT");
    assert_eq!(task.kinds(), [IssueKind::EmptyLabel, IssueKind::NoForeground].into());
}

#[test]
fn nan_is_a_warning_where_it_is_read_as_zero() {
    for (ending, kind, is_usable) in
        [(".nii.gz", IssueKind::NotFiniteRead, true), (".nrrd", IssueKind::NotFinite, false)]
    {
        let task = Task::new(ending);
        task.image("a_0000", f32::NAN).image("b_0000", 1.0).label("a", &[0, 1]).label("b", &[0, 1]);
        task.describe(&[("a", "a"), ("b", "b")], &[0, 1], "MRI");
        let mut data = images::read(&task.path().join(format!("imagesTr/b_0000{ending}"))).unwrap();
        data.data[[0, 0, 0]] = f32::NAN;
        let path = task.path().join(format!("imagesTr/a_0000{ending}"));
        images::write_image(&path, data.data.view(), &GEOMETRY).unwrap();
        let findings = task.check();
        assert!(findings.issues.iter().any(|issue| issue.kind == kind), "{}", findings.table());
        assert_eq!(findings.is_usable(), is_usable, "{}", findings.table());
    }
}
