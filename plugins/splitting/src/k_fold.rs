//! Plain folds: scikit-learn's `KFold(shuffle=True)`, as v1 and v2 use it.

use nnunet_numerics::kfold_of_seed;
use nnunet_plugin_core::{
    Component, Fold, Info, Kind, Registration, Result, SplitCase, Splitter, inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Splitter, "KFold", "v1 and v2: every case is validated once, in random order.")
            .describe("scikit-learn's `KFold(shuffle=True)`; with the defaults the five folds of v1 and v2.")
            .with_config::<KFold>();
    Component::splitter(info, |config| Ok(Box::new(parse_config::<KFold>(config)?)))
}));

/// Parameters, and the splitter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct KFold {
    /// Number of folds.
    #[schemars(range(min = 2))]
    folds: usize,
    /// Seed of NumPy's generator.
    seed: u32,
}

impl Default for KFold {
    fn default() -> Self {
        Self { folds: 5, seed: SEED }
    }
}

/// Seed of both versions.
pub(crate) const SEED: u32 = 12345;

impl Splitter for KFold {
    fn split(&self, cases: &[SplitCase]) -> Result<Vec<Fold>> {
        crate::enough(self.folds, cases.len(), "cases")?;
        Ok(crate::folds(cases, &kfold_of_seed(cases.len(), self.folds, self.seed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `KFold(5, shuffle=True, random_state=12345)` of scikit-learn.
    #[test]
    fn the_folds_are_those_of_python() {
        let cases: Vec<_> = (0..7).map(|i| SplitCase::new(format!("c{i}"))).collect();
        let folds = KFold::default().split(&cases).unwrap();
        let val: Vec<Vec<String>> = folds.iter().map(|fold| fold.val.clone()).collect();
        assert_eq!(val, [vec!["c3", "c6"], vec!["c0", "c4"], vec!["c1"], vec!["c5"], vec!["c2"]]);
        assert_eq!(folds[0].train, ["c0", "c1", "c2", "c4", "c5"]);
        let error = KFold::default().split(&cases[..4]).unwrap_err().to_string();
        assert_eq!(error, "4 cases; 5 folds need at least 5");
    }
}
