//! Which cases a fold trains on.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_cli::report;
use nnunet_data::records::{self, FOLDS, Split, default_splits, random_split_of};
use nnunet_formats::json;

/// The split of a fold: `all`, an entry of `splits_final.pkl` or else `splits_final.json` (made when both are missing), or a random 80:20 split for numbers
/// beyond it. `cases` are sorted.
pub(crate) fn split(preprocessed: &Path, cases: &[String], fold: &str) -> Result<Split> {
    if fold == "all" {
        return Ok(Split { train: cases.to_vec(), val: cases.to_vec() });
    }
    let fold: usize = fold.parse().with_context(|| format!("fold `{fold}` is neither a number nor `all`"))?;
    let path = preprocessed.join("splits_final.pkl");
    let twin = path.with_extension("json");
    if !path.is_file() && !twin.is_file() {
        ensure!(
            cases.len() >= FOLDS,
            "{} has {} cases; 5 folds need at least 5",
            preprocessed.display(),
            cases.len()
        );
        records::save_with_twin(&path, &records::splits_to_pickle(&default_splits(cases)))?;
    }
    let splits = if path.is_file() {
        records::load_with_twin(&path, records::splits_from_pickle)?
    } else {
        records::splits_from_json(&json::load(&twin)?).with_context(|| twin.display().to_string())?
    };
    let listed = splits.len();
    let split = splits.into_iter().nth(fold).unwrap_or_else(|| {
        report::line(&format!(
            "{} lists {listed} folds; fold {fold} is a random split of 80 to 20, always the same",
            path.display()
        ));
        random_split_of(cases, fold)
    });
    let unknown: Vec<&String> =
        split.train.iter().chain(&split.val).filter(|case| !cases.contains(case)).collect();
    ensure!(unknown.is_empty(), "{} names cases that are not preprocessed: {unknown:?}", path.display());
    for (kind, cases) in [("training", &split.train), ("validation", &split.val)] {
        let path = path.display();
        ensure!(!cases.is_empty(), "fold {fold} of {path} has no {kind} cases; list some, or use fold all");
    }
    Ok(split)
}
