//! Stratified folds: each has about the same share of every stratum.

use nnunet_numerics::RandomState;
use nnunet_plugin_core::{
    Component, Error, Fold, Info, Kind, Registration, Result, SplitCase, Splitter, inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::k_fold::SEED;
use crate::key::Key;

inventory::submit!(Registration(|| {
    let info = Info::new(
        Kind::Splitter,
        "StratifiedKFold",
        "Every fold has about the same share of each stratum, such as a center or a finding.",
    )
    .describe("The cases of every stratum are dealt to the folds one after the other, in random order.")
    .with_config::<StratifiedKFold>()
    .with_example("[use]\nsplitter = { name = \"StratifiedKFold\", pattern = \"^(ct|mr)_\" }");
    Component::splitter(info, |config| Ok(Box::new(parse_config::<StratifiedKFold>(config)?)))
}));

/// Parameters, and the splitter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StratifiedKFold {
    /// Number of folds.
    #[schemars(range(min = 2))]
    folds: usize,
    /// Seed of NumPy's generator.
    seed: u32,
    /// Column of the table with the stratum of a case.
    column: Option<String>,
    /// Regular expression for the stratum in the name of a case: its first group, or all that matches.
    pattern: Option<String>,
}

impl Default for StratifiedKFold {
    fn default() -> Self {
        Self { folds: 5, seed: SEED, column: None, pattern: None }
    }
}

impl Splitter for StratifiedKFold {
    fn split(&self, cases: &[SplitCase]) -> Result<Vec<Fold>> {
        crate::enough(self.folds, cases.len(), "cases")?;
        let key = Key::new(self.column.as_deref(), self.pattern.as_deref())?;
        if key.is_none() {
            return Err(Error::message(
                "name the stratum of a case: a `column` of the table, or a `pattern`",
            ));
        }
        let mut random = RandomState::new(self.seed);
        let mut validation: Vec<Vec<usize>> = vec![Vec::new(); self.folds];
        let mut next = 0;
        for stratum in key.groups(cases)? {
            for index in random.permutation(stratum.len()) {
                validation[next % self.folds].push(stratum[index]);
                next += 1;
            }
        }
        Ok(crate::folds(cases, &validation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fold_has_a_share_of_each_stratum() {
        let cases = crate::tests::patients(15);
        let splitter = StratifiedKFold { column: Some("center".to_owned()), ..StratifiedKFold::default() };
        let folds = splitter.split(&cases).unwrap();
        for fold in &folds {
            let of_ulm = fold.val.iter().filter(|name| ***name < *"p05").count();
            assert_eq!((fold.val.len(), of_ulm), (6, 2), "{fold:?}");
        }
        assert!(StratifiedKFold::default().split(&cases).unwrap_err().to_string().contains("`pattern`"));
    }
}
