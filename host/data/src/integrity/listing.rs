//! What is listed against what is there.

use std::collections::BTreeSet;

use super::{Fault, FaultKind};
use crate::dataset::{Dataset, Part};
use crate::folders;

/// Names in `dataset.json` and files in the folders.
pub(super) fn check(dataset: &Dataset) -> Vec<Fault> {
    let mut faults = listed_twice(dataset);
    faults.extend(label_values(dataset));
    for part in [Part::Training, Part::Test] {
        faults.extend(unlisted_images(dataset, part));
    }
    let is_listed = |name: &str| dataset.training.iter().any(|case| format!("{case}.nii.gz") == name);
    let labels = folders::file_names(&dataset.folder.join("labelsTr"), ".nii.gz").unwrap_or_default();
    let extra = labels.into_iter().filter(|name| !is_listed(name));
    faults.extend(extra.map(|name| unlisted(format!("labelsTr/{name}"))));
    faults
}

fn unlisted(file: String) -> Fault {
    Fault::new(FaultKind::UnlistedFile, file, "dataset.json does not list it; list it or move it away")
}

fn listed_twice(dataset: &Dataset) -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let twice = dataset.training.iter().filter(|case| !seen.insert(case.as_str()));
    twice.map(|case| Fault::new(FaultKind::ListedTwice, "dataset.json", case.clone())).collect()
}

fn label_values(dataset: &Dataset) -> Option<Fault> {
    let mut labels = dataset.labels.clone();
    labels.sort_unstable();
    let gaps = labels.iter().enumerate().any(|(i, label)| i as i64 != *label);
    gaps.then(|| {
        let detail = format!("labels must be 0, 1, 2, ... without gaps, not {labels:?}");
        Fault::new(FaultKind::LabelsNotConsecutive, "dataset.json", detail)
    })
}

fn unlisted_images(dataset: &Dataset, part: Part) -> Vec<Fault> {
    let cases = dataset.cases(part);
    if part == Part::Test && cases.is_empty() {
        return Vec::new();
    }
    let channels = dataset.modalities.len();
    let names = folders::file_names(&dataset.folder.join(part.folder()), ".nii.gz").unwrap_or_default();
    let fault = |name: String| {
        let file = format!("{}/{name}", part.folder());
        let stem = name.trim_end_matches(".nii.gz");
        if cases.iter().any(|case| case == stem) {
            let detail = format!("the channel is missing from the name; call it {stem}_0000.nii.gz");
            return Some(Fault::new(FaultKind::NameWithoutChannel, file, detail));
        }
        let (case, channel) = stem.rsplit_once('_').unwrap_or((stem, ""));
        if !cases.iter().any(|known| known == case) {
            return Some(unlisted(file));
        }
        let known = channel.len() == 4 && channel.parse::<usize>().is_ok_and(|number| number < channels);
        let detail = format!("dataset.json declares {channels} modalities");
        (!known).then(|| Fault::new(FaultKind::TooManyChannels, file, detail))
    };
    names.into_iter().filter_map(fault).collect()
}
