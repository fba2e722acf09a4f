//! Folds by a splitter, and the table that says what is known of cases.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_engine::registry::Registry;
use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{Kind, SplitCase, split_cases};

use crate::records::Split;

/// v1's and v2's splitter.
const DEFAULT: &str = "KFold";

/// What a table says of cases: by name, then by column.
pub type CaseTable = BTreeMap<String, BTreeMap<String, String>>;

/// The folds of cases; none chosen: those of v1 and v2.
///
/// # Errors
/// Returns an error for an unknown splitter or parameter, or for cases that it cannot divide.
pub fn folds(
    registry: &Registry,
    choice: Option<&ComponentChoice>,
    cases: &[String],
    table: &CaseTable,
) -> Result<Vec<Split>> {
    let default = ComponentChoice::named(DEFAULT);
    let choice = choice.unwrap_or(&default);
    let place = || format!("splitter {}", choice.name);
    registry.check_parameters(Kind::Splitter, &choice.name, &choice.parameters).with_context(place)?;
    let splitter = registry.splitter(choice).with_context(place)?;
    let case = |name: &String| SplitCase {
        name: name.clone(),
        values: table.get(name).cloned().unwrap_or_default(),
    };
    let cases: Vec<SplitCase> = cases.iter().map(case).collect();
    let folds = split_cases(&*splitter, &cases).with_context(place)?;
    Ok(folds.into_iter().map(|fold| Split { train: fold.train, val: fold.val }).collect())
}

/// Reads a table: the first row has names of columns, the first column names of cases.
///
/// # Errors
/// Returns an error for a file that cannot be read, a row of another length, or a case that is there twice or is none of
/// `cases`.
pub fn case_table(path: &Path, cases: &[String]) -> Result<CaseTable> {
    let shown = || path.display().to_string();
    let text = nnunet_formats::input::read_text(path)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().with_context(shown)?.clone();
    ensure!(header.len() > 1, "{}: needs a column with names of cases, and at least one more", shown());
    let mut table = CaseTable::new();
    for row in reader.records() {
        let row = row.with_context(shown)?;
        let name = row.get(0).unwrap_or_default().to_owned();
        if !cases.contains(&name) {
            bail!("{}: there is no case {name}", shown());
        }
        let values = header.iter().zip(&row).skip(1).map(|(key, value)| (key.to_owned(), value.to_owned()));
        let before = table.insert(name.clone(), values.collect());
        ensure!(before.is_none(), "{}: case {name} is there twice", shown());
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_case_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases.csv");
        let cases = ["a", "b"].map(str::to_owned);
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            case_table(&path, &cases).map_err(|error| format!("{error:#}"))
        };
        let table = read("case, center\na, Ulm\nb, Bern\n").unwrap();
        assert_eq!(table["b"]["center"], "Bern");
        for (text, part) in [
            ("case,center\nc,Ulm\n", "there is no case c"),
            ("case,center\na,Ulm\na,Bern\n", "case a is there twice"),
            ("case\na\n", "at least one more"),
            ("case,center\na\n", "fields"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{error} lacks {part}");
        }
    }
}
