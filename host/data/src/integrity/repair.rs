//! A repaired copy of a task. The original is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::json::{self, Json};
use nnunet_formats::nifti;

use super::{Fault, FaultKind, Findings};
use crate::dataset::Dataset;
use crate::folders;

/// One remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// Label values are replaced everywhere.
    RemapLabels(BTreeMap<i64, i64>),
    /// A file gets another name.
    Rename(PathBuf, PathBuf),
    /// A label gets the spacing, origin and direction of its image.
    CopyHeader(PathBuf, PathBuf),
    /// Voxels that are no numbers become 0.
    ClearNotFinite(PathBuf),
    /// A case with missing or unreadable files, or two sizes, is left out.
    DropCase(String),
    /// A file that is not listed stays behind.
    LeaveOut(PathBuf),
    /// A case that is listed twice is listed once.
    ListOnce(String),
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
        }
    }
}

/// All remedies for a task's faults, and the faults that have none.
#[derive(Debug, Clone, Default)]
pub struct Repairs {
    /// What will be done.
    pub repairs: Vec<Repair>,
    /// What only a person can decide.
    pub open: Vec<Fault>,
}

impl Repairs {
    /// Finds remedies.
    #[must_use]
    pub fn propose(dataset: &Dataset, findings: &Findings) -> Self {
        let mut all = Self::default();
        let map = label_map(dataset, findings);
        let renamed = renames(findings);
        let dropped: BTreeSet<String> = findings
            .faults
            .iter()
            .filter(|fault| is_fatal(fault, &renamed))
            .filter_map(|fault| case_of(dataset, &fault.file))
            .collect();
        for fault in findings.faults.iter().filter(|fault| !fault.kind.is_warning()) {
            match remedy(dataset, fault, map.as_ref(), &renamed, &dropped) {
                Some(repair) if all.repairs.contains(&repair) => {}
                Some(repair) => all.repairs.push(repair),
                None => all.open.push(fault.clone()),
            }
        }
        all
    }

    /// Writes the repaired copy of `dataset` to the new folder `to`, with `repairs.json` that keeps what was done.
    ///
    /// # Errors
    /// Returns an error for a folder that exists, or for a file that cannot be copied or changed.
    pub fn write(&self, dataset: &Dataset, to: &Path) -> Result<()> {
        ensure!(!to.exists(), "{} exists already; name another folder with -o", to.display());
        let parent = to.parent().context("a task needs a folder around it")?;
        folders::create(parent)?;
        let temporary = tempfile::Builder::new().prefix(".tmp-").tempdir_in(parent)?;
        self.write_into(dataset, temporary.path())?;
        std::fs::rename(temporary.keep(), to).with_context(|| to.display().to_string())
    }

    fn write_into(&self, dataset: &Dataset, to: &Path) -> Result<()> {
        for folder in ["imagesTr", "labelsTr", "imagesTs"] {
            for name in folders::file_names(&dataset.folder.join(folder), ".nii.gz").unwrap_or_default() {
                self.copy(dataset, &Path::new(folder).join(name), to)?;
            }
        }
        let description = json::load(&dataset.folder.join("dataset.json"))?;
        json::save(&to.join("dataset.json"), &self.describe(description))?;
        let done = self.repairs.iter().map(|repair| Json::Str(repair.to_string())).collect();
        let map = self.label_map().into_iter().flatten();
        let map = map.map(|(from, to)| (from.to_string(), Json::Int(*to))).collect();
        let kept = vec![
            ("original".to_owned(), Json::Str(dataset.folder.display().to_string())),
            ("label_map".to_owned(), Json::Object(map)),
            ("repairs".to_owned(), Json::Array(done)),
        ];
        Ok(json::save(&to.join("repairs.json"), &Json::Object(kept))?)
    }

    fn label_map(&self) -> Option<&BTreeMap<i64, i64>> {
        self.repairs.iter().find_map(|repair| match repair {
            Repair::RemapLabels(map) => Some(map),
            _ => None,
        })
    }

    fn drops(&self, case: &str) -> bool {
        self.repairs.iter().any(|repair| matches!(repair, Repair::DropCase(dropped) if dropped == case))
    }

    fn copy(&self, dataset: &Dataset, file: &Path, to: &Path) -> Result<()> {
        if case_of(dataset, file).is_some_and(|case| self.drops(&case)) {
            return Ok(());
        }
        let (mut target, mut header, mut clear) = (file.to_owned(), None, false);
        for repair in &self.repairs {
            match repair {
                Repair::LeaveOut(left) if left == file => return Ok(()),
                Repair::Rename(from, name) if from == file => target.clone_from(name),
                Repair::CopyHeader(label, image) if label == file => header = Some(image.clone()),
                Repair::ClearNotFinite(broken) if broken == file => clear = true,
                _ => {}
            }
        }
        let (from, target) = (dataset.folder.join(file), to.join(target));
        folders::create(target.parent().unwrap_or(to))?;
        let map = self.label_map().filter(|_| file.starts_with("labelsTr"));
        if header.is_none() && map.is_none() && !clear {
            std::fs::copy(&from, &target).with_context(|| from.display().to_string())?;
            return Ok(());
        }
        rewrite(
            &from,
            &target,
            header.map(|image| dataset.folder.join(image)),
            map,
            file.starts_with("labelsTr"),
        )
    }

    /// `dataset.json` without dropped cases, each case once, with labels renumbered.
    fn describe(&self, description: Json) -> Json {
        let Json::Object(entries) = description else { return description };
        let entries = entries.into_iter().map(|(key, value)| {
            let value = match (key.as_str(), value) {
                ("training", Json::Array(items)) => Json::Array(self.kept(items)),
                ("numTraining", Json::Int(_)) => Json::Null,
                ("labels", Json::Object(labels)) => Json::Object(self.renumbered(labels)),
                (_, value) => value,
            };
            (key, value)
        });
        let mut entries: Vec<(String, Json)> = entries.collect();
        let count =
            entries.iter().find(|(key, _)| key == "training").and_then(|(_, list)| Some(list.items()?.len()));
        for (_, value) in entries.iter_mut().filter(|(key, _)| key == "numTraining") {
            *value = Json::Int(count.unwrap_or(0) as i64);
        }
        Json::Object(entries)
    }

    fn kept(&self, items: Vec<Json>) -> Vec<Json> {
        let mut seen = BTreeSet::new();
        let name = |item: &Json| {
            let path = item.as_str().or_else(|| item.get("image")?.as_str()).unwrap_or_default();
            path.rsplit('/').next().unwrap_or(path).trim_end_matches(".nii.gz").to_owned()
        };
        items.into_iter().filter(|item| !self.drops(&name(item)) && seen.insert(name(item))).collect()
    }

    fn renumbered(&self, labels: Vec<(String, Json)>) -> Vec<(String, Json)> {
        let declared: BTreeSet<i64> = labels.iter().filter_map(|(value, _)| value.parse().ok()).collect();
        let Some(map) = self.label_map().filter(|map| map.keys().all(|from| declared.contains(from))) else {
            return labels;
        };
        let new = |value: String| {
            value.parse().ok().and_then(|old: i64| map.get(&old)).map_or(value, ToString::to_string)
        };
        labels.into_iter().map(|(value, name)| (new(value), name)).collect()
    }
}

fn rewrite(
    from: &Path,
    to: &Path,
    header: Option<PathBuf>,
    map: Option<&BTreeMap<i64, i64>>,
    is_label: bool,
) -> Result<()> {
    let mut image = nifti::read(from)?;
    if let Some(path) = header {
        image.geometry = nifti::read_geometry(&path)?;
    }
    image.data.mapv_inplace(|value| if value.is_finite() { value } else { 0.0 });
    if !is_label {
        return Ok(nifti::write_image(to, image.data.view(), &image.geometry)?);
    }
    let new = |value: f32| map.and_then(|map| map.get(&(value as i64))).map_or(value, |new| *new as f32);
    if let Some(bad) =
        image.data.iter().map(|value| new(*value)).find(|v| v.fract() != 0.0 || !(0.0..256.0).contains(v))
    {
        bail!("{}: label value {bad} does not fit into 8 bits", from.display());
    }
    let labels = image.data.mapv(|value| new(value) as u8);
    Ok(nifti::write_labels(to, labels.view(), &image.geometry)?)
}

/// Images without a channel in their name, with the name they should have.
fn renames(findings: &Findings) -> BTreeMap<PathBuf, PathBuf> {
    let unnamed = findings.faults.iter().filter(|fault| fault.kind == FaultKind::NameWithoutChannel);
    let named = |file: &Path| PathBuf::from(file.to_string_lossy().replace(".nii.gz", "_0000.nii.gz"));
    unnamed.map(|fault| (named(&fault.file), fault.file.clone())).collect()
}

/// Whether a case cannot be kept.
fn is_fatal(fault: &Fault, renamed: &BTreeMap<PathBuf, PathBuf>) -> bool {
    match fault.kind {
        FaultKind::MissingFile => !renamed.contains_key(&fault.file),
        kind => matches!(kind, FaultKind::Unreadable | FaultKind::Size),
    }
}

fn remedy(
    dataset: &Dataset,
    fault: &Fault,
    map: Option<&BTreeMap<i64, i64>>,
    renamed: &BTreeMap<PathBuf, PathBuf>,
    dropped: &BTreeSet<String>,
) -> Option<Repair> {
    let file = &fault.file;
    let case = case_of(dataset, file);
    if let Some(case) = case.as_ref().filter(|case| dropped.contains(*case)) {
        return Some(Repair::DropCase(case.clone()));
    }
    match fault.kind {
        FaultKind::UndeclaredLabel | FaultKind::LabelsNotConsecutive => map.cloned().map(Repair::RemapLabels),
        FaultKind::MissingFile => renamed.get(file).map(|from| Repair::Rename(from.clone(), file.clone())),
        FaultKind::NameWithoutChannel => renamed
            .iter()
            .find(|(_, from)| *from == file)
            .map(|(to, from)| Repair::Rename(from.clone(), to.clone())),
        FaultKind::Spacing | FaultKind::Origin | FaultKind::Direction => {
            let first = Path::new("imagesTr").join(format!("{}_0000.nii.gz", case?));
            (*file == first).then(|| Repair::CopyHeader(label_of(&first), first.clone()))
        }
        FaultKind::NotFinite => Some(Repair::ClearNotFinite(file.clone())),
        FaultKind::UnlistedFile | FaultKind::TooManyChannels => Some(Repair::LeaveOut(file.clone())),
        FaultKind::ListedTwice => Some(Repair::ListOnce(fault.detail.clone())),
        _ => None,
    }
}

fn label_of(image: &Path) -> PathBuf {
    let name = image.file_name().map(|name| name.to_string_lossy().replace("_0000.nii.gz", ".nii.gz"));
    Path::new("labelsTr").join(name.unwrap_or_default())
}

/// The training case a file belongs to.
fn case_of(dataset: &Dataset, file: &Path) -> Option<String> {
    if file.starts_with("imagesTs") {
        return None;
    }
    let name = file.file_name()?.to_string_lossy().into_owned();
    let stem = name.strip_suffix(".nii.gz")?;
    let bare = stem.rsplit_once('_').map_or(stem, |(case, _)| case);
    let listed = |case: &str| dataset.training.iter().any(|known| known == case);
    [stem, bare].into_iter().find(|case| listed(case)).map(str::to_owned)
}

/// Occurring values in order onto declared values in order, when there are as many of both; or declared values with gaps
/// onto 0, 1, 2, ...
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
