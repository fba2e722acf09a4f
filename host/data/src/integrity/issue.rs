//! Issues found by a check.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Kinds of issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssueKind {
    /// There are no training cases.
    NoCases,
    /// A case is listed with a channel: `case_0000`.
    ListedWithChannel,
    /// A case is listed twice.
    ListedTwice,
    /// Declared labels are not 0, 1, 2, ...
    LabelsNotConsecutive,
    /// More labels are declared than a label map can hold.
    TooManyLabels,
    /// A label has another name than its image.
    LabelOfOtherName,
    /// A listed file does not exist.
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
    /// NaN or infinity in a NIfTI image, where they are read as 0.
    NotFiniteRead,
    /// Images that are zero everywhere: nothing is left of them after cropping.
    ZeroImage,
    /// No case of a CT task has foreground, whose intensities are needed.
    NoForeground,
    /// A label value that `dataset.json` does not declare.
    UndeclaredLabel,
    /// A label without foreground.
    EmptyLabel,
    /// Two images with the same voxels.
    DuplicateImage,
    /// Images of a task have different axis orders.
    OrientationMix,
}

impl IssueKind {
    /// Whether the data can be used in spite of the issue.
    #[must_use]
    pub fn is_warning(self) -> bool {
        matches!(
            self,
            Self::EmptyLabel
                | Self::DuplicateImage
                | Self::OrientationMix
                | Self::LabelOfOtherName
                | Self::NotFiniteRead
        )
    }

    fn words(self) -> &'static str {
        match self {
            Self::NoCases => "no cases",
            Self::ListedWithChannel => "listing",
            Self::ListedTwice => "listed twice",
            Self::LabelsNotConsecutive | Self::TooManyLabels => "labels",
            Self::LabelOfOtherName => "label name",
            Self::MissingFile => "missing",
            Self::NameWithoutChannel => "name",
            Self::TooManyChannels => "channels",
            Self::UnlistedFile => "not listed",
            Self::Unreadable => "unreadable",
            Self::Size => "size",
            Self::Spacing => "spacing",
            Self::Origin => "origin",
            Self::Direction => "direction",
            Self::NotFinite | Self::NotFiniteRead => "not finite",
            Self::ZeroImage => "zero image",
            Self::NoForeground => "foreground",
            Self::UndeclaredLabel => "label value",
            Self::EmptyLabel => "empty label",
            Self::DuplicateImage => "duplicate",
            Self::OrientationMix => "orientation",
        }
    }
}

/// One issue of one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Issue {
    /// The kind.
    pub kind: IssueKind,
    /// The file, relative to the task.
    #[serde(serialize_with = "as_shown")]
    pub file: PathBuf,
    /// Details, and what to do.
    pub detail: String,
}

impl Issue {
    pub(super) fn new(kind: IssueKind, file: impl Into<PathBuf>, detail: impl Into<String>) -> Self {
        Self { kind, file: file.into(), detail: detail.into() }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.kind.is_warning() { "warning" } else { "error" };
        write!(f, "{mark:7}  {:12}  {}: {}", self.kind.words(), self.file.display(), self.detail)
    }
}

/// The result of a check.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// All issues, by kind and file.
    pub issues: Vec<Issue>,
    /// Label values that occur, with the number of cases they occur in.
    pub label_values: BTreeMap<i64, usize>,
}

impl Findings {
    /// Whether training may start: there are no errors.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.issues.iter().all(|issue| issue.kind.is_warning())
    }

    /// One line per issue.
    #[must_use]
    pub fn table(&self) -> String {
        self.issues.iter().map(|issue| format!("{issue}\n")).collect()
    }
}
/// A path as text; names need not be UTF-8.
fn as_shown<S: serde::Serializer>(path: &std::path::Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}
