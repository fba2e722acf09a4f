//! Which cases a fold trains on.

use std::path::Path;

use anyhow::{Context, Result};
use nnunet_cli::report;
use nnunet_data::records::{self, SPLITS, Split, has_splits, listed_splits, splits_file};
use nnunet_data::splitting::{CaseTable, folds};
use nnunet_engine::session::Session;

use crate::fold_split;

/// Makes the folds of cases with the project's splitter, or else as v1 does, unless there are some.
pub(crate) fn prepare(preprocessed: &Path, cases: &[String], session: &Session) -> Result<()> {
    if has_splits(preprocessed) {
        return Ok(());
    }
    let splitter = session.choices.splitter.as_ref();
    let made = folds(&session.registry, splitter, cases, &CaseTable::new());
    let made = made.with_context(|| preprocessed.display().to_string())?;
    report::line(&format!("Creating new {}-fold cross-validation split...", made.len()));
    records::save_with_twin(&preprocessed.join(SPLITS), &records::splits_to_pickle(&made))
}

/// The split of a fold (see [`fold_split::choose`]). `cases` are sorted.
pub(crate) fn split(preprocessed: &Path, cases: &[String], fold: &str) -> Result<Split> {
    fold_split::choose(fold, cases, &splits_file(preprocessed), || listed_splits(preprocessed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who edits the JSON removes the pickle, as an earlier message says.
    #[test]
    fn the_file_that_was_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let json = r#"[{"train": ["a", "x"], "val": ["b"]}, {"train": [], "val": ["b"]}]"#;
        std::fs::write(folder.path().join("splits_final.json"), json).unwrap();
        let cases = ["a", "b"].map(str::to_owned);
        for (fold, said) in [("0", "names cases that are not preprocessed"), ("1", "has no training cases")] {
            let error = split(folder.path(), &cases, fold).unwrap_err().to_string();
            assert!(error.contains("splits_final.json") && error.contains(said), "{error}");
        }
    }
}
