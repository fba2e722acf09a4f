//! MySplitter: a splitter for nnunet.

use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    Component, Error, Fold, Info, Kind, Registration, Result, SplitCase, Splitter, export_plugin, inventory,
    parse_config, schemars,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Splitter, "MySplitter", "Every n-th case validates.").with_config::<MySplitter>();
    Component::splitter(info, |config| Ok(Box::new(parse_config::<MySplitter>(config)?)))
}));

/// The parameters, and the splitter.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
#[schemars(crate = "nnunet_plugin_api::schemars")]
struct MySplitter {
    /// Number of folds.
    folds: usize,
}

impl Default for MySplitter {
    fn default() -> Self {
        Self { folds: 3 }
    }
}

impl Splitter for MySplitter {
    /// The folds of cases, which are sorted by name.
    fn split(&self, cases: &[SplitCase]) -> Result<Vec<Fold>> {
        if self.folds < 2 || cases.len() < self.folds {
            return Err(Error::message(format!("{} cases cannot make {} folds", cases.len(), self.folds)));
        }
        let fold = |fold: usize| {
            let (val, train): (Vec<_>, Vec<_>) =
                cases.iter().enumerate().partition(|(index, _)| index % self.folds == fold);
            let names = |cases: Vec<(usize, &SplitCase)>| cases.iter().map(|(_, case)| case.name.clone()).collect();
            Fold { train: names(train), val: names(val) }
        };
        Ok((0..self.folds).map(fold).collect())
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::split_cases;

    use super::*;

    #[test]
    fn every_case_validates_once() {
        let cases: Vec<_> = (0..7).map(|index| SplitCase::new(format!("case_{index}"))).collect();
        let folds = split_cases(&MySplitter::default(), &cases).unwrap();
        assert_eq!(folds.iter().map(|fold| fold.val.len()).collect::<Vec<_>>(), [3, 2, 2]);
        assert!(split_cases(&MySplitter::default(), &cases[..2]).is_err());
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
