//! Folds of groups: cases of one patient or center are never in training and validation of one fold.

use nnunet_numerics::RandomState;
use nnunet_plugin_core::{
    Component, Fold, Info, Kind, Registration, Result, SplitCase, Splitter, inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::k_fold::SEED;
use crate::key::Key;

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Splitter, "GroupKFold", "Cases of one group, such as a patient, stay together.")
        .describe(
            "Groups are dealt to the folds from the largest to the smallest, each to the fold with the fewest cases, as \
             scikit-learn's `GroupKFold` does; groups of one size in random order.",
        )
        .with_config::<GroupKFold>()
        .with_example("[use]\nsplitter = { name = \"GroupKFold\", pattern = \"^(patient[0-9]+)_\" }");
    Component::splitter(info, |config| Ok(Box::new(parse_config::<GroupKFold>(config)?)))
}));

/// Parameters, and the splitter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct GroupKFold {
    /// Number of folds.
    #[schemars(range(min = 2))]
    folds: usize,
    /// Seed of NumPy's generator.
    seed: u32,
    /// Column of the table with the group of a case.
    column: Option<String>,
    /// Regular expression for the group in the name of a case: its first group, or all that matches.
    pattern: Option<String>,
}

impl Default for GroupKFold {
    fn default() -> Self {
        Self { folds: 5, seed: SEED, column: None, pattern: None }
    }
}

impl Splitter for GroupKFold {
    fn split(&self, cases: &[SplitCase]) -> Result<Vec<Fold>> {
        let mut groups = Key::new(self.column.as_deref(), self.pattern.as_deref())?.groups(cases)?;
        crate::enough(self.folds, groups.len(), "groups")?;
        let order = RandomState::new(self.seed).permutation(groups.len());
        let mut shuffled: Vec<Vec<usize>> =
            order.into_iter().map(|index| std::mem::take(&mut groups[index])).collect();
        shuffled.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let mut validation: Vec<Vec<usize>> = vec![Vec::new(); self.folds];
        for group in shuffled {
            if let Some(smallest) = validation.iter_mut().min_by_key(|fold| fold.len()) {
                smallest.extend(group);
            }
        }
        Ok(crate::folds(cases, &validation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_never_divided() {
        let cases = crate::tests::patients(10);
        let splitter = GroupKFold { pattern: Some("^(p[0-9]+)_".to_owned()), ..GroupKFold::default() };
        let folds = splitter.split(&cases).unwrap();
        assert_eq!(folds.iter().map(|fold| fold.val.len()).collect::<Vec<_>>(), [4; 5]);
        for fold in &folds {
            let patient = |name: &String| name[..3].to_owned();
            assert!(
                fold.val.iter().all(|name| !fold.train.iter().any(|other| patient(other) == patient(name)))
            );
        }
        let other = GroupKFold { seed: 1, ..splitter.clone() }.split(&cases).unwrap();
        assert_ne!(folds, other, "another seed, other folds");
        let few = GroupKFold { column: Some("center".to_owned()), ..GroupKFold::default() };
        assert_eq!(few.split(&cases).unwrap_err().to_string(), "2 groups; 5 folds need at least 5");
    }
}
