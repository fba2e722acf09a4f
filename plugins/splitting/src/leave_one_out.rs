//! Leave-one-out: every case, or every group of cases, is the validation of a fold of its own.

use nnunet_plugin_core::{
    Component, Fold, Info, Kind, Registration, Result, SplitCase, Splitter, inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key::Key;

inventory::submit!(Registration(|| {
    let info = Info::new(
        Kind::Splitter,
        "LeaveOneOut",
        "As many folds as cases, or as groups of cases: one validates, all others train.",
    )
    .with_config::<LeaveOneOut>()
    .with_example("[use]\nsplitter = { name = \"LeaveOneOut\", pattern = \"^([a-z]+)_\" }");
    Component::splitter(info, |config| Ok(Box::new(parse_config::<LeaveOneOut>(config)?)))
}));

/// Parameters, and the splitter.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LeaveOneOut {
    /// Column of the table with the group of a case; none: every case for itself.
    column: Option<String>,
    /// Regular expression for the group in the name of a case: its first group, or all that matches.
    pattern: Option<String>,
}

impl Splitter for LeaveOneOut {
    fn split(&self, cases: &[SplitCase]) -> Result<Vec<Fold>> {
        let groups = Key::new(self.column.as_deref(), self.pattern.as_deref())?.groups(cases)?;
        crate::enough(crate::FEWEST, groups.len(), "groups")?;
        Ok(crate::folds(cases, &groups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_case_or_one_group_validates() {
        let cases = crate::tests::patients(3);
        let folds = LeaveOneOut::default().split(&cases).unwrap();
        assert_eq!((folds.len(), folds[2].val.clone()), (6, vec!["p01_0".to_owned()]));
        let pattern = Some("^p[0-9]+".to_owned());
        let folds = LeaveOneOut { pattern, column: None }.split(&cases).unwrap();
        assert_eq!((folds.len(), folds[2].val.clone()), (3, vec!["p02_0".to_owned(), "p02_1".to_owned()]));
        assert!(LeaveOneOut::default().split(&cases[..1]).is_err());
    }
}
