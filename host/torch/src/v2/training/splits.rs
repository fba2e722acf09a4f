//! Which cases a fold trains on.

use std::path::Path;

use anyhow::{Result, ensure};
use nnunet_data::records::{FOLDS, Split, default_splits};
use nnunet_data::v2::{load_splits, prepare_splits};

use crate::fold_split;

/// The split of a fold (see [`fold_split::choose`]); `splits_final.json` is made when it is missing.
pub(super) fn split(preprocessed: &Path, cases: &[String], fold: &str) -> Result<Split> {
    let path = preprocessed.join("splits_final.json");
    let listed = || {
        if !path.is_file() {
            ensure!(
                cases.len() >= FOLDS,
                "{} has {} cases; {FOLDS} folds need at least {FOLDS}: use fold all, or write {}",
                preprocessed.display(),
                cases.len(),
                path.display()
            );
            prepare_splits(preprocessed, cases, None, |cases| Ok(default_splits(cases)))?;
        }
        load_splits(&path)
    };
    let mut split = fold_split::choose(fold, cases, &path, listed)?;
    split.train.sort();
    split.val.sort();
    Ok(split)
}
