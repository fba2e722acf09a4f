//! Automatic repairs of the issues of a task.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::issue::{Findings, Issue, IssueKind};
use crate::dataset::{Dataset, Part};

/// A repair.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// Label values are replaced everywhere, in `dataset.json` too.
    RemapLabels(BTreeMap<i64, i64>),
    /// A file gets another name.
    Rename(PathBuf, PathBuf),
    /// A label gets the spacing, origin and direction of its image.
    CopyHeader(PathBuf, PathBuf),
    /// Voxels that are NaN or infinite become 0.
    ClearNotFinite(PathBuf),
    /// A case with missing or unreadable files, with two sizes, or with images that are zero everywhere is left out.
    DropCase(String),
    /// A file that is not listed is not copied.
    LeaveOut(PathBuf),
    /// A case that is listed twice is listed once.
    ListOnce(String),
    /// Cases are listed without a channel.
    ListWithoutChannel,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repair::RemapLabels(map) => {
                let pairs: Vec<String> = map.iter().map(|(from, to)| format!("{from} -> {to}")).collect();
                write!(f, "replace label values in all cases: {}", pairs.join(", "))
            }
            Repair::Rename(from, to) => write!(f, "rename {} to {}", from.display(), to.display()),
            Repair::CopyHeader(label, image) => {
                write!(f, "give {} the grid of {}", label.display(), image.display())
            }
            Repair::ClearNotFinite(file) => write!(f, "set what is not finite in {} to 0", file.display()),
            Repair::DropCase(case) => write!(f, "leave out case {case}"),
            Repair::ListOnce(case) => write!(f, "list case {case} once"),
            Repair::LeaveOut(file) => write!(f, "leave out {}", file.display()),
            Repair::ListWithoutChannel => write!(f, "list the cases without a channel"),
        }
    }
}

/// All remedies for a task's issues, and the issues that have none.
#[derive(Debug, Clone)]
pub struct Repairs {
    /// What will be done.
    pub repairs: Vec<Repair>,
    /// Issues that need a decision.
    pub open: Vec<Issue>,
    /// The data set with corrected names of cases.
    pub(super) dataset: Dataset,
}

impl Repairs {
    /// Finds remedies.
    #[must_use]
    pub fn propose(dataset: &Dataset, findings: &Findings) -> Self {
        let (dataset, _) = super::listing::corrected(dataset);
        let files = files(&dataset);
        let (repairs, open) = Proposal::new(&dataset, findings, &files).all();
        Self { repairs, open, dataset }
    }

    pub(super) fn label_map(&self) -> Option<&BTreeMap<i64, i64>> {
        self.repairs.iter().find_map(|repair| match repair {
            Repair::RemapLabels(map) => Some(map),
            _ => None,
        })
    }

    pub(super) fn drops(&self, case: &str) -> bool {
        self.repairs.iter().any(|repair| matches!(repair, Repair::DropCase(dropped) if dropped == case))
    }
}

/// The files that a task should have, and images without a channel in their name; with their cases.
fn files(dataset: &Dataset) -> BTreeMap<PathBuf, (Part, String)> {
    let mut files = BTreeMap::new();
    for part in [Part::Training, Part::Test] {
        for case in dataset.cases(part) {
            files.insert(
                Path::new(part.folder()).join(format!("{case}{}", dataset.ending)),
                (part, case.clone()),
            );
        }
    }
    // A case may be called like a channel of another: files that belong to a case come last and win.
    for part in [Part::Training, Part::Test] {
        for case in dataset.cases(part) {
            let label = (part == Part::Training).then(|| dataset.label(case));
            for path in dataset.images_of(part, case).into_iter().chain(label) {
                files.insert(dataset.relative(&path), (part, case.clone()));
            }
        }
    }
    files
}

/// What is needed to find the remedy of an issue.
struct Proposal<'a> {
    dataset: &'a Dataset,
    findings: &'a Findings,
    files: &'a BTreeMap<PathBuf, (Part, String)>,
    map: Option<BTreeMap<i64, i64>>,
    /// The name that a file should have, with the name that it has.
    renamed: BTreeMap<PathBuf, PathBuf>,
    dropped: BTreeSet<String>,
}

impl<'a> Proposal<'a> {
    fn new(
        dataset: &'a Dataset,
        findings: &'a Findings,
        files: &'a BTreeMap<PathBuf, (Part, String)>,
    ) -> Self {
        let renamed = renames(dataset, findings, files);
        let map = label_map(dataset, findings);
        let mut all = Self { dataset, findings, files, map, renamed, dropped: BTreeSet::new() };
        let fatal = findings.issues.iter().filter(|issue| all.is_fatal(issue));
        all.dropped = fatal.filter_map(|issue| all.training_case(&issue.file)).collect();
        all
    }

    fn all(&self) -> (Vec<Repair>, Vec<Issue>) {
        let (mut repairs, mut open) = (Vec::new(), Vec::new());
        for issue in self.findings.issues.iter().filter(|issue| !issue.kind.is_warning()) {
            match self.remedy(issue) {
                Some(repair) if repairs.contains(&repair) => {}
                Some(repair) => repairs.push(repair),
                None => open.push(issue.clone()),
            }
        }
        (repairs, open)
    }

    /// Whether a case cannot be kept.
    fn is_fatal(&self, issue: &Issue) -> bool {
        match issue.kind {
            IssueKind::MissingFile => !self.renamed.contains_key(&issue.file),
            kind => matches!(kind, IssueKind::Unreadable | IssueKind::Size | IssueKind::ZeroImage),
        }
    }

    /// The training case that a file belongs to.
    fn training_case(&self, file: &Path) -> Option<String> {
        let (part, case) = self.files.get(file)?;
        (*part == Part::Training).then(|| case.clone())
    }

    fn remedy(&self, issue: &Issue) -> Option<Repair> {
        let file = &issue.file;
        let case = self.training_case(file);
        if let Some(case) = case.as_ref().filter(|case| self.dropped.contains(*case)) {
            return Some(Repair::DropCase(case.clone()));
        }
        match issue.kind {
            IssueKind::UndeclaredLabel | IssueKind::LabelsNotConsecutive => {
                self.map.clone().map(Repair::RemapLabels)
            }
            IssueKind::MissingFile => {
                self.renamed.get(file).map(|from| Repair::Rename(from.clone(), file.clone()))
            }
            IssueKind::NameWithoutChannel => self
                .renamed
                .iter()
                .find(|(_, from)| *from == file)
                .map(|(to, from)| Repair::Rename(from.clone(), to.clone())),
            IssueKind::Spacing | IssueKind::Origin | IssueKind::Direction => {
                let case = case?;
                let first = self.dataset.images(&case).first().map(|path| self.dataset.relative(path))?;
                let label = self.dataset.relative(&self.dataset.label(&case));
                (*file == first).then_some(Repair::CopyHeader(label, first))
            }
            IssueKind::NotFinite => Some(Repair::ClearNotFinite(file.clone())),
            IssueKind::UnlistedFile | IssueKind::TooManyChannels => Some(Repair::LeaveOut(file.clone())),
            IssueKind::ListedTwice => Some(Repair::ListOnce(issue.detail.clone())),
            IssueKind::ListedWithChannel => Some(Repair::ListWithoutChannel),
            _ => None,
        }
    }
}

/// Images without a channel in their name, with the name they should have: that of the first channel, where no file
/// has it.
fn renames(
    dataset: &Dataset,
    findings: &Findings,
    files: &BTreeMap<PathBuf, (Part, String)>,
) -> BTreeMap<PathBuf, PathBuf> {
    let unnamed = findings.issues.iter().filter(|issue| issue.kind == IssueKind::NameWithoutChannel);
    let named = |file: &PathBuf| {
        let (part, case) = files.get(file)?;
        let first = dataset.images_of(*part, case).into_iter().next()?;
        (!first.exists()).then(|| (dataset.relative(&first), file.clone()))
    };
    unnamed.filter_map(|issue| named(&issue.file)).collect()
}

/// Occurring values in order onto declared values in order, when there are as many of both; or declared values with
/// gaps onto 0, 1, 2, ... The declared values become 0, 1, 2, ... in either case.
fn label_map(dataset: &Dataset, findings: &Findings) -> Option<BTreeMap<i64, i64>> {
    let declared: BTreeSet<i64> = dataset.labels.iter().copied().collect();
    let mut occurring: BTreeSet<i64> = findings.label_values.keys().copied().collect();
    occurring.insert(0);
    let from = if occurring.is_subset(&declared) {
        declared
    } else if occurring.len() == declared.len() {
        occurring
    } else {
        return None;
    };
    let map: BTreeMap<i64, i64> = from.into_iter().zip(0..).collect();
    map.iter().any(|(from, to)| from != to).then_some(map)
}
