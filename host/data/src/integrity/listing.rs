//! `dataset.json` compared with the files that exist.

use std::collections::BTreeSet;
use std::path::Path;

use nnunet_formats::case_and_channel;

use super::issue::{Issue, IssueKind};
use crate::dataset::{Dataset, LARGEST_LABEL, Part};
use crate::folders;

/// The data set with the names of its cases corrected where `dataset.json` lists image files with their channel
/// (`case_0000.nii.gz`), and an issue for each. A case may be called like a channel: a listed name is kept when its own
/// files exist.
pub(super) fn corrected(dataset: &Dataset) -> (Dataset, Vec<Issue>) {
    let (mut dataset, mut issues) = (dataset.clone(), Vec::new());
    for part in [Part::Training, Part::Test] {
        for index in 0..dataset.cases(part).len() {
            let listed = dataset.cases(part)[index].clone();
            let Some(case) = without_channel(&dataset, part, &listed) else { continue };
            let detail =
                format!("lists {listed}, which is a file of case {case}; list {case} without a channel");
            issues.push(Issue::new(IssueKind::ListedWithChannel, part.folder(), detail));
            match part {
                Part::Training => dataset.training[index] = case,
                Part::Test => dataset.test[index] = case,
            }
        }
    }
    (dataset, issues)
}

/// The case whose channel a listed name is.
pub(super) fn without_channel(dataset: &Dataset, part: Part, listed: &str) -> Option<String> {
    let (case, _) = case_and_channel(listed)?;
    let has_files = |name: &str| dataset.images_of(part, name).iter().any(|path| path.is_file());
    let has_label = |name: &str| part == Part::Test || dataset.label(name).is_file();
    let is_meant =
        !has_files(listed) && has_files(case) && has_label(case) && !has_own_label(dataset, part, listed);
    is_meant.then(|| case.to_owned())
}

fn has_own_label(dataset: &Dataset, part: Part, listed: &str) -> bool {
    part == Part::Training && dataset.label(listed).is_file()
}

/// Names in `dataset.json` and files in the folders.
pub(super) fn check(dataset: &Dataset) -> Vec<Issue> {
    let mut issues = listed_twice(dataset);
    if dataset.training.is_empty() {
        issues.push(Issue::new(IssueKind::NoCases, "dataset.json", "the list `training` is empty"));
    }
    issues.extend(label_values(dataset));
    issues.extend(dataset.labels_of_other_names().map(|(case, label)| {
        let detail = format!("dataset.json pairs it with the label {label}, which is called differently");
        Issue::new(IssueKind::LabelOfOtherName, format!("imagesTr/{case}"), detail)
    }));
    for part in [Part::Training, Part::Test] {
        issues.extend(unlisted_images(dataset, part));
    }
    let listed: BTreeSet<String> =
        dataset.training.iter().map(|case| file_name(&dataset.label(case))).collect();
    let labels = folders::file_names(&dataset.folder.join("labelsTr"), &dataset.ending).unwrap_or_default();
    let extra = labels.into_iter().filter(|name| !listed.contains(name));
    issues.extend(extra.map(|name| unlisted(format!("labelsTr/{name}"))));
    issues
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn unlisted(file: String) -> Issue {
    Issue::new(IssueKind::UnlistedFile, file, "dataset.json does not list it; list it or move it away")
}

fn listed_twice(dataset: &Dataset) -> Vec<Issue> {
    let mut seen = BTreeSet::new();
    let twice = dataset.training.iter().filter(|case| !seen.insert(case.as_str()));
    twice.map(|case| Issue::new(IssueKind::ListedTwice, "dataset.json", case.clone())).collect()
}

fn label_values(dataset: &Dataset) -> Vec<Issue> {
    let mut labels = dataset.labels.clone();
    labels.sort_unstable();
    let mut issues = Vec::new();
    if labels.iter().enumerate().any(|(i, label)| i as i64 != *label) {
        let detail = format!("labels must be 0, 1, 2, ... without gaps, not {labels:?}");
        issues.push(Issue::new(IssueKind::LabelsNotConsecutive, "dataset.json", detail));
    }
    if labels.len() as i64 > LARGEST_LABEL + 1 {
        let detail =
            format!("declares {} labels; label maps hold values up to {LARGEST_LABEL}", labels.len());
        issues.push(Issue::new(IssueKind::TooManyLabels, "dataset.json", detail));
    }
    issues
}

fn unlisted_images(dataset: &Dataset, part: Part) -> Vec<Issue> {
    let cases = dataset.cases(part);
    if part == Part::Test && cases.is_empty() {
        return Vec::new();
    }
    let expected: BTreeSet<String> =
        cases.iter().flat_map(|case| dataset.images_of(part, case)).map(|path| file_name(&path)).collect();
    let names = folders::file_names(&dataset.folder.join(part.folder()), &dataset.ending).unwrap_or_default();
    let unexpected = names.into_iter().filter(|name| !expected.contains(name));
    unexpected.map(|name| unexpected_image(dataset, part, &name)).collect()
}

fn unexpected_image(dataset: &Dataset, part: Part, name: &str) -> Issue {
    let (cases, channels) = (dataset.cases(part), dataset.modalities.len());
    let file = format!("{}/{name}", part.folder());
    let stem = name.strip_suffix(&dataset.ending).unwrap_or(name);
    if cases.iter().any(|case| case == stem) {
        let detail = format!("the channel is missing from the name; call it {stem}_0000{}", dataset.ending);
        return Issue::new(IssueKind::NameWithoutChannel, file, detail);
    }
    let case = stem.rsplit_once('_').map_or(stem, |(case, _)| case);
    if !cases.iter().any(|known| known == case) {
        return unlisted(file);
    }
    Issue::new(IssueKind::TooManyChannels, file, format!("dataset.json declares {channels} modalities"))
}
