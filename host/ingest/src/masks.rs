//! Finds the masks of cases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_data::images;
use nnunet_dicom::is_dicom;
use nnunet_formats::case_and_channel;

use crate::cases::Found;
use crate::entries::{case_name, entries, has_dicom, is_image, listed};
use crate::numbers::MASKS;

/// The masks of cases, and what is wrong with others.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    /// Files by case.
    pub(crate) files: BTreeMap<String, PathBuf>,
    /// A line each.
    pub(crate) faults: Vec<String>,
}

/// The masks of cases: files of the case's name, or with a word such as `_mask` behind it. A case without a mask, or with
/// more than one, is a fault.
///
/// # Errors
/// Returns an error if the folder cannot be read.
pub(crate) fn find(folder: &Path, cases: &Found) -> Result<Masks> {
    let mut masks = Masks::default();
    let (mut others, mut twice) = (Vec::new(), BTreeSet::new());
    for path in entries(folder)? {
        let name = case_name(&path)?;
        if path.is_dir() || is_dicom(&path) {
            if !path.is_dir() || has_dicom(&path) {
                masks.faults.push(format!(
                    "{}: DICOM segmentations are not read; export the masks as NIfTI, NRRD or MetaImage",
                    path.display()
                ));
            }
            continue;
        }
        if !is_image(&name) {
            continue;
        }
        let Some(case) = case_of(images::stem(&name), cases) else {
            others.push(name);
            continue;
        };
        if let Some(other) = masks.files.insert(case.clone(), path.clone()) {
            let (other, path) = (other.display(), path.display());
            masks.faults.push(format!("{other} and {path} are masks of the same case"));
            twice.insert(case);
        }
    }
    let missing: Vec<String> =
        cases.names().filter(|name| !masks.files.contains_key(*name)).cloned().collect();
    if !missing.is_empty() {
        let hint = if others.is_empty() {
            String::new()
        } else {
            format!("; masks of no image: {}", listed(&others))
        };
        masks.faults.push(format!(
            "{} has no masks of {}{hint}. A mask has the name of its image; images without masks go into a folder for --test",
            folder.display(),
            listed(&missing)
        ));
    }
    masks.files.retain(|case, _| !twice.contains(case));
    Ok(masks)
}

fn case_of(stem: &str, cases: &Found) -> Option<String> {
    let known = |name: &str| cases.has(name).then(|| name.to_owned());
    let without = |word: &&str| stem.strip_suffix(*word).and_then(known);
    known(stem).or_else(|| MASKS.iter().find_map(without)).or_else(|| known(case_and_channel(stem)?.0))
}
