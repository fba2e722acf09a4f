//! The cases of one fold, by the rules that both versions of nnU-Net share.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_cli::report;
use nnunet_data::records::{Split, random_split_of};

/// The lines of both versions' logs about the file of folds; none for fold `all`, and where the trainer splits the cases
/// itself.
pub(crate) fn lines(fold: &str, path: &Path, listed: &[Split], split: &Split) -> Vec<String> {
    let Ok(number) = fold.parse::<usize>() else { return Vec::new() };
    let sorted = |split: &Split| {
        [&split.train, &split.val].map(|cases| cases.iter().cloned().collect::<BTreeSet<_>>())
    };
    if listed.get(number).is_some_and(|own| sorted(own) != sorted(split)) {
        return Vec::new();
    }
    vec![
        format!("Using splits from existing split file: {}", path.display()),
        format!("The split file contains {} splits.", listed.len()),
        format!("Desired fold for training: {fold}"),
    ]
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_logged_where_its_folds_are_used() {
        let split = |train: &[&str], val: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Split { train: names(train), val: names(val) }
        };
        let listed = [split(&["b", "a"], &["c"])];
        let logged = |fold: &str, split: &Split| lines(fold, Path::new("splits.json"), &listed, split);
        let expected = [
            "Using splits from existing split file: splits.json",
            "The split file contains 1 splits.",
            "Desired fold for training: 0",
        ];
        assert_eq!(logged("0", &split(&["a", "b"], &["c"])), expected);
        assert!(logged("0", &split(&["a", "c"], &["b"])).is_empty(), "the trainer's own");
        assert_eq!(logged("7", &split(&["a", "c"], &["b"])).len(), 3, "drawn");
        assert!(logged("all", &split(&["a"], &["a"])).is_empty());
    }
}
