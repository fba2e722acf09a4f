//! Which cases a fold trains on.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_cli::report;
use nnunet_data::records::{self, Split};
use nnunet_data::splitting::{CaseTable, folds};
use nnunet_engine::session::Session;
use nnunet_formats::json;
use nnunet_numerics::random_split;

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

/// The split of a fold: `all`, an entry of the folds, or a random 80:20 split for numbers beyond them. `cases` are sorted.
pub(crate) fn split(preprocessed: &Path, cases: &[String], fold: &str) -> Result<Split> {
    if fold == "all" {
        return Ok(Split { train: cases.to_vec(), val: cases.to_vec() });
    }
    let fold: usize = fold.parse().with_context(|| format!("fold `{fold}` is neither a number nor `all`"))?;
    let path = preprocessed.join(FILE);
    let splits = listed(preprocessed)?;
    let listed = splits.len();
    let split = splits.into_iter().nth(fold).unwrap_or_else(|| {
        report::line(&format!(
            "{} lists {listed} folds; fold {fold} is a random split of 80 to 20, always the same",
            path.display()
        ));
        random(cases, fold)
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

fn random(cases: &[String], fold: usize) -> Split {
    let chosen = random_split(cases.len(), fold);
    let (train, val): (Vec<_>, Vec<_>) = cases.iter().enumerate().partition(|(i, _)| chosen.contains(i));
    let names = |list: Vec<(usize, &String)>| list.into_iter().map(|(_, case)| case.clone()).collect();
    Split { train: names(train), val: names(val) }
}
