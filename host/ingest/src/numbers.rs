//! Numbers at the end of the names of files: channels of a case, or parts of the name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_data::images;
use nnunet_formats::case_and_channel;

use crate::entries::{case_name, entries, is_image};

/// What masks are often called behind the name of their image.
pub(crate) const MASKS: [&str; 10] =
    [".seg", "_mask", "-mask", "_seg", "-seg", "_label", "_labels", "_segmentation", "_gt", "_annotation"];

/// Files by case and number; a file without a number is the first.
pub(crate) type Numbered = BTreeMap<String, BTreeMap<usize, PathBuf>>;

/// The names of the images that a folder has masks for.
///
/// # Errors
/// Returns an error if the folder cannot be read.
pub(crate) fn masked(folder: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for path in entries(folder)? {
        let name = case_name(&path)?;
        if is_image(&name) {
            let stem = images::stem(&name);
            names.insert(MASKS.iter().find_map(|word| stem.strip_suffix(word)).unwrap_or(stem).to_owned());
        }
    }
    Ok(names)
}

/// Sorts files, with their names without endings, by case; also returns what is wrong with cases that have two files for
/// one channel.
pub(crate) fn by_case(
    files: Vec<(String, PathBuf)>,
    masks: &BTreeSet<String>,
) -> (Numbered, BTreeMap<String, String>) {
    let are_names = are_names(files.iter().filter_map(|(name, _)| case_and_channel(name)), masks);
    let (mut cases, mut same) = (Numbered::new(), BTreeMap::new());
    for (name, path) in files {
        let (case, number) = case_and_channel(&name).filter(|_| !are_names).unwrap_or((&name, 0));
        if let Some(other) = cases.entry(case.to_owned()).or_default().insert(number, path.clone()) {
            let reason = format!("{} and {} are the same image", other.display(), path.display());
            same.insert(case.to_owned(), reason);
        }
    }
    (cases, same)
}

/// Whether numbers are parts of the names, as those of cameras: where several of a name have masks of their own, or where
/// they do not begin at 0 and are not the same in several cases.
fn are_names<'a>(numbered: impl Iterator<Item = (&'a str, usize)>, masks: &BTreeSet<String>) -> bool {
    let mut cases: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (case, number) in numbered {
        cases.entry(case).or_default().insert(number);
    }
    let has_mask = |case: &str, number: &usize| masks.contains(&format!("{case}_{number:04}"));
    let of_each = |(case, numbers): (&&str, &BTreeSet<usize>)| {
        numbers.iter().filter(|number| has_mask(case, number)).count() > 1
    };
    let begin_later = cases.values().all(|numbers| !numbers.contains(&0));
    let first = cases.values().next();
    let is_one = cases.len() == 1 && first.is_some_and(|numbers| numbers.len() > 1);
    let differ = cases.values().any(|numbers| Some(numbers) != first);
    cases.iter().any(of_each) || (begin_later && (is_one || differ))
}

/// Cases without a channel that others have, and which they lack. Numbers need not begin at 0, but have to be the same in
/// all cases: a channel is known by its place among them.
pub(crate) fn incomplete(files: &Numbered) -> BTreeMap<String, String> {
    let all: BTreeSet<usize> = files.values().flat_map(|channels| channels.keys().copied()).collect();
    let lacks = |channels: &BTreeMap<usize, PathBuf>| {
        let lacking = all.iter().filter(|number| !channels.contains_key(number));
        lacking.map(|number| format!("{number:04}")).collect::<Vec<_>>().join(", ")
    };
    let each = files.iter().map(|(case, channels)| (case.clone(), lacks(channels)));
    each.filter(|(_, lacking)| !lacking.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(names: &[&str], masks: &[&str]) -> Numbered {
        let files = names.iter().map(|name| ((*name).to_owned(), format!("{name}.png").into())).collect();
        by_case(files, &masks.iter().map(|name| (*name).to_owned()).collect()).0
    }

    fn lacking(names: &[&str]) -> Vec<(String, String)> {
        incomplete(&numbered(names, &[])).into_iter().collect()
    }

    #[test]
    fn a_case_has_the_channels_that_others_have() {
        assert!(lacking(&["a_0000", "a_0001", "b_0000", "b_0001"]).is_empty());
        // A folder for each channel.
        assert!(lacking(&["a_0001", "b_0001"]).is_empty());
        let row = |case: &str, lacks: &str| (case.to_owned(), lacks.to_owned());
        assert_eq!(
            lacking(&["a_0000", "a_0001", "b_0000", "b_0002", "c_0001", "c_0002"]),
            [row("a", "0002"), row("b", "0001"), row("c", "0000")]
        );
        assert_eq!(lacking(&["a", "b_0000", "b_0001"]), [row("a", "0001")]);
    }

    #[test]
    fn numbers_of_cameras_are_parts_of_the_names() {
        let cases = |names: &[&str], masks: &[&str]| numbered(names, masks).into_keys().collect::<Vec<_>>();
        assert_eq!(cases(&["IMG_0001", "IMG_0002"], &[]), ["IMG_0001", "IMG_0002"]);
        assert_eq!(cases(&["IMG_0000", "IMG_0001"], &["IMG_0000", "IMG_0001"]), ["IMG_0000", "IMG_0001"]);
        assert_eq!(cases(&["a_0001", "b_0007"], &[]), ["a_0001", "b_0007"]);
        // Channels: they begin at 0, or are the same everywhere.
        assert_eq!(cases(&["a_0000", "a_0001"], &[]), ["a"]);
        assert_eq!(cases(&["a_0000", "b_0000"], &["a_0000", "b_0000"]), ["a", "b"]);
        assert_eq!(cases(&["a_0001", "a_0002", "b_0001", "b_0002"], &["a", "b"]), ["a", "b"]);
    }
}
