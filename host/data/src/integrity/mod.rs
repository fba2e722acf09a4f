//! Whether a raw task is fit for use: all faults of all cases in one pass (v1 `verify_dataset_integrity`), and a repaired
//! copy where a fault has one obvious remedy.

mod case;
mod geometry;
mod listing;
mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use nnunet_engine::progress;
use rayon::prelude::*;
use serde::Serialize;

use crate::dataset::Dataset;

pub use repair::{Repair, Repairs};

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// A case is listed twice.
    ListedTwice,
    /// Declared labels are not 0, 1, 2, ...
    LabelsNotConsecutive,
    /// A listed file is not there.
    MissingFile,
    /// An image lacks the channel number of its name.
    NameWithoutChannel,
    /// A case has more channels than modalities are declared.
    TooManyChannels,
    /// A file that is not listed.
    UnlistedFile,
    /// A file that cannot be read.
    Unreadable,
    /// Numbers of voxels differ.
    Size,
    /// Voxel sizes differ.
    Spacing,
    /// Positions differ.
    Origin,
    /// Directions differ.
    Direction,
    /// NaN or infinity.
    NotFinite,
    /// A label value that `dataset.json` does not declare.
    UndeclaredLabel,
    /// A label without foreground.
    EmptyLabel,
    /// Two images with the same voxels.
    DuplicateImage,
    /// Images of a task have different axis orders.
    OrientationMix,
}

impl FaultKind {
    /// Whether the data can be used all the same.
    #[must_use]
    pub fn is_warning(self) -> bool {
        matches!(self, Self::EmptyLabel | Self::DuplicateImage | Self::OrientationMix)
    }

    fn words(self) -> &'static str {
        match self {
            Self::ListedTwice => "listed twice",
            Self::LabelsNotConsecutive => "labels",
            Self::MissingFile => "missing",
            Self::NameWithoutChannel => "name",
            Self::TooManyChannels => "channels",
            Self::UnlistedFile => "not listed",
            Self::Unreadable => "unreadable",
            Self::Size => "size",
            Self::Spacing => "spacing",
            Self::Origin => "origin",
            Self::Direction => "direction",
            Self::NotFinite => "not finite",
            Self::UndeclaredLabel => "label value",
            Self::EmptyLabel => "empty label",
            Self::DuplicateImage => "duplicate",
            Self::OrientationMix => "orientation",
        }
    }
}

/// One fault of one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The file, relative to the task.
    pub file: PathBuf,
    /// With which numbers, and what to do.
    pub detail: String,
}

impl Fault {
    fn new(kind: FaultKind, file: impl Into<PathBuf>, detail: impl Into<String>) -> Self {
        Self { kind, file: file.into(), detail: detail.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.kind.is_warning() { "warning" } else { "error" };
        write!(f, "{mark:7}  {:12}  {}: {}", self.kind.words(), self.file.display(), self.detail)
    }
}

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// All faults, by kind and file.
    pub faults: Vec<Fault>,
    /// Label values that occur, with the number of cases they occur in.
    pub label_values: BTreeMap<i64, usize>,
}

impl Findings {
    /// Whether training may start: there are no errors.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.faults.iter().all(|fault| fault.kind.is_warning())
    }

    /// One line a fault.
    #[must_use]
    pub fn table(&self) -> String {
        self.faults.iter().map(|fault| format!("{fault}\n")).collect()
    }
}

/// Checks a raw task. Spacing, origin and direction count as equal within the relative `tolerance`.
///
/// # Errors
/// Returns no error for faults of the data: these are the result.
pub fn check(dataset: &Dataset, tolerance: f64) -> Result<Findings> {
    let bar = progress::start(dataset.training.len(), "verifying");
    let cases: BTreeSet<&String> = dataset.training.iter().collect();
    let found: Vec<case::CaseFindings> = cases
        .into_par_iter()
        .map(|case| {
            let found = case::check(dataset, case, tolerance);
            bar.inc(1);
            found
        })
        .collect();
    drop(bar);
    let mut findings = Findings { faults: listing::check(dataset), ..Findings::default() };
    findings.faults.extend(case::across(&found));
    for case in found {
        findings.faults.extend(case.faults);
        for value in case.label_values {
            *findings.label_values.entry(value).or_default() += 1;
        }
    }
    findings.faults.extend(case::check_tests(dataset, tolerance));
    findings.faults.sort_by(|a, b| (a.kind, &a.file).cmp(&(b.kind, &b.file)));
    Ok(findings)
}
