//! The cases of one fold, by the rules that both versions of nnU-Net share.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_cli::report;
use nnunet_data::records::{Split, random_split_of};

/// The split of a fold: `all`, an entry of `listed`, which was read from `path`, or a random 80:20 split for numbers beyond
/// it. `listed` is asked for where a fold has a number.
pub(crate) fn choose(
    fold: &str,
    cases: &[String],
    path: &Path,
    listed: impl FnOnce() -> Result<Vec<Split>>,
) -> Result<Split> {
    if fold == "all" {
        return Ok(Split { train: cases.to_vec(), val: cases.to_vec() });
    }
    let fold: usize = fold.parse().with_context(|| format!("fold `{fold}` is neither a number nor `all`"))?;
    let splits = listed()?;
    let count = splits.len();
    let split = splits.into_iter().nth(fold).unwrap_or_else(|| {
        report::line(&format!(
            "{} lists {count} folds; fold {fold} is a random split of 80 to 20, always the same",
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
