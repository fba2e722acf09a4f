//! Which cases a fold trains on.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_cli::report;
use nnunet_data::records::{FOLDS, Split, default_splits, random_split_of};
use nnunet_data::v2::{load_splits, prepare_splits};

/// The split of a fold: `all`, an entry of `splits_final.json` (made when it is missing), or a random 80:20 split for
/// numbers beyond it.
pub(super) fn split(preprocessed: &Path, cases: &[String], fold: &str) -> Result<Split> {
    if fold == "all" {
        return Ok(Split { train: cases.to_vec(), val: cases.to_vec() });
    }
    let fold: usize = fold.parse().with_context(|| format!("fold `{fold}` is neither a number nor `all`"))?;
    let path = preprocessed.join("splits_final.json");
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
    let splits = load_splits(&path)?;
    let listed = splits.len();
    let mut split = splits.into_iter().nth(fold).unwrap_or_else(|| {
        report::line(&format!(
            "{} lists {listed} folds; fold {fold} is a random split of 80 to 20, always the same",
            path.display()
        ));
        random_split_of(cases, fold)
    });
    let unknown: Vec<&String> =
        split.train.iter().chain(&split.val).filter(|case| !cases.contains(case)).collect();
    ensure!(unknown.is_empty(), "{} names cases that are not preprocessed: {unknown:?}", path.display());
    for (kind, cases) in [("training", &mut split.train), ("validation", &mut split.val)] {
        let path = path.display();
        ensure!(!cases.is_empty(), "fold {fold} of {path} has no {kind} cases; list some, or use fold all");
        cases.sort();
    }
    Ok(split)
}
