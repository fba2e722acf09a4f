//! Splitters: they divide the cases of a data set into folds of a cross-validation.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Divides cases into folds. The program makes `splits_final.pkl` and `splits_final.json` with it, of tasks of v1 and
/// data sets of v2: `[use] splitter` in `nnunet.toml` names one, or `nnunet split`.
///
/// ```
/// use nnunet_plugin_api::{
///     Component, Fold, Info, Kind, Registration, Result, SplitCase, Splitter, inventory,
/// };
///
/// /// The first half trains, the second half validates.
/// struct Halves;
///
/// impl Splitter for Halves {
///     fn split(&self, cases: &[SplitCase]) -> Result<Vec<Fold>> {
///         let (train, val) = cases.split_at(cases.len() / 2);
///         let names = |cases: &[SplitCase]| cases.iter().map(|case| case.name.clone()).collect();
///         Ok(vec![Fold { train: names(train), val: names(val) }])
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Splitter, "Halves", "One fold: half of the cases each.");
///     Component::splitter(info, |_config| Ok(Box::new(Halves)))
/// }));
///
/// let cases = ["a", "b", "c", "d"].map(SplitCase::new);
/// assert_eq!(Halves.split(&cases).unwrap()[0].val, ["c", "d"]);
/// ```
///
/// Source: v1's `do_split` and v2's `generate_crossval_split`.
pub trait Splitter: Send + Sync {
    /// The folds of cases, which are sorted by name. Every fold has training and validation cases, and no case is both in
    /// one fold.
    ///
    /// # Errors
    /// Returns an error if the cases cannot be divided, for example because there are too few.
    fn split(&self, cases: &[SplitCase]) -> Result<Vec<Fold>>;
}

/// A case to divide.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SplitCase {
    /// Its name.
    pub name: String,
    /// What the user's table says of it (`nnunet split --table`), by column.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

impl SplitCase {
    /// A case of which only the name is known.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), values: BTreeMap::new() }
    }
}

/// Training and validation cases of a fold, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Training cases.
    pub train: Vec<String>,
    /// Validation cases.
    pub val: Vec<String>,
}

/// Divides cases, and checks the folds: each has training and validation cases, all of them known, and none twice. It is
/// how the program calls every splitter, built-in or not. The cases of every fold are sorted.
///
/// # Errors
/// Returns the splitter's error, or one that names the fold and the case.
pub fn split_cases(splitter: &dyn Splitter, cases: &[SplitCase]) -> Result<Vec<Fold>> {
    let mut cases = cases.to_vec();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    let mut folds = splitter.split(&cases)?;
    let known: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    if folds.is_empty() {
        return Err(Error::message("there are no folds"));
    }
    for (index, fold) in folds.iter_mut().enumerate() {
        fold.train.sort();
        fold.val.sort();
        fold.check_known(&known).map_err(|error| error.within(format!("fold {index}")))?;
    }
    Ok(folds)
}

impl Fold {
    /// Checks that the fold has training and validation cases, all of them among `cases`, and none twice.
    ///
    /// # Errors
    /// Returns an error that names the case.
    pub fn check(&self, cases: &[String]) -> Result<()> {
        self.check_known(&cases.iter().map(String::as_str).collect())
    }

    fn check_known(&self, known: &BTreeSet<&str>) -> Result<()> {
        for (kind, cases) in [("training", &self.train), ("validation", &self.val)] {
            if cases.is_empty() {
                return Err(Error::message(format!("no {kind} cases")));
            }
            if let Some(case) = cases.iter().find(|case| !known.contains(case.as_str())) {
                return Err(Error::message(format!("there is no case {case}")));
            }
        }
        let mut seen = BTreeSet::new();
        match self.train.iter().chain(&self.val).find(|case| !seen.insert(*case)) {
            Some(case) => Err(Error::message(format!("case {case} is there twice"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<Fold>);

    impl Splitter for Fixed {
        fn split(&self, _: &[SplitCase]) -> Result<Vec<Fold>> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn folds_are_sorted_and_checked() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let split = |train: &[&str], val: &[&str]| {
            let cases = ["a", "b", "c"].map(SplitCase::new);
            split_cases(&Fixed(vec![Fold { train: names(train), val: names(val) }]), &cases)
        };
        assert_eq!(split(&["c", "a"], &["b"]).unwrap()[0].train, ["a", "c"]);
        let error = |train: &[&str], val: &[&str]| split(train, val).unwrap_err().to_string();
        assert_eq!(error(&["a", "b", "c"], &[]), "fold 0: no validation cases");
        assert_eq!(error(&["a", "x"], &["b"]), "fold 0: there is no case x");
        assert_eq!(error(&["a", "b"], &["b"]), "fold 0: case b is there twice");
        assert!(split_cases(&Fixed(Vec::new()), &[]).is_err());
    }
}
