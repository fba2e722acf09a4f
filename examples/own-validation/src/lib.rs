//! A trainer that divides the cases in its own way, and changes what is predicted at the final validation.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Component, Fold, Info, Kind, Registration, Result, Trainer, ValidationCase, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "OwnValidation", "Its own split and validation.");
    Component::trainer(info, |_config| Ok(Box::new(OwnValidation)))
}));

struct OwnValidation;

impl Trainer for OwnValidation {
    /// Every third case validates, beginning with that of the fold.
    fn split(&self, cases: &[String], fold: &str) -> Result<Option<Fold>> {
        let Ok(first) = fold.parse::<usize>() else { return Ok(None) };
        let is_val = |index: &usize| index % 3 == first % 3;
        let chosen = |val: bool| {
            let all = cases.iter().enumerate().filter(|(index, _)| is_val(index) == val);
            all.map(|(_, case)| case.clone()).collect()
        };
        Ok(Some(Fold { train: chosen(false), val: chosen(true) }))
    }

    /// The last class is never predicted.
    fn validate_case(&mut self, case: &mut dyn ValidationCase) -> Result<Option<Tensor>> {
        let scores = case.predict()?;
        let _ = scores.f_select(0, -1)?.f_fill_(-1.0)?;
        Ok(Some(scores))
    }
}
