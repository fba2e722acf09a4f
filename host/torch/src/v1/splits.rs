//! Which cases a fold trains on.

use std::path::Path;

use anyhow::{Context, Result};
use nnunet_data::records::{self, Split};
use nnunet_data::splitting::{CaseTable, folds};
use nnunet_engine::session::Session;
use nnunet_formats::json;

use crate::fold_split;

/// v1's file of folds; the same in JSON lies beside it.
const FILE: &str = "splits_final.pkl";

/// Makes the folds of cases with the project's splitter, or else as v1 does, unless there are some.
pub(crate) fn prepare(preprocessed: &Path, cases: &[String], session: &Session) -> Result<()> {
    let path = preprocessed.join(FILE);
    if path.is_file() || path.with_extension("json").is_file() {
        return Ok(());
    }
    let splitter = session.choices.splitter.as_ref();
    let made = folds(&session.registry, splitter, cases, &CaseTable::new());
    let made = made.with_context(|| preprocessed.display().to_string())?;
    records::save_with_twin(&path, &records::splits_to_pickle(&made))
}

/// The folds in `splits_final.pkl` or else `splits_final.json`.
pub(crate) fn listed(preprocessed: &Path) -> Result<Vec<Split>> {
    let path = preprocessed.join(FILE);
    if path.is_file() {
        return records::load_with_twin(&path, records::splits_from_pickle);
    }
    let twin = path.with_extension("json");
    records::splits_from_json(&json::load(&twin)?).with_context(|| twin.display().to_string())
}

/// The split of a fold (see [`fold_split::choose`]). `cases` are sorted.
pub(crate) fn split(preprocessed: &Path, cases: &[String], fold: &str) -> Result<Split> {
    fold_split::choose(fold, cases, &preprocessed.join(FILE), || listed(preprocessed))
}
