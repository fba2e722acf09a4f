//! Splitters: folds of a cross-validation (v1 `do_split`, v2 `generate_crossval_split`), and of cases that belong together.

mod group_k_fold;
mod k_fold;
mod key;
mod leave_one_out;
mod stratified;

use nnunet_plugin_core::{Error, Fold, Result, SplitCase};

/// Fewest folds.
const FEWEST: usize = 2;

/// The folds whose validation cases have these indices; all others are training cases.
fn folds(cases: &[SplitCase], validation: &[Vec<usize>]) -> Vec<Fold> {
    let of = |val: &Vec<usize>, is_val: bool| {
        let chosen = cases.iter().enumerate().filter(|(index, _)| val.contains(index) == is_val);
        chosen.map(|(_, case)| case.name.clone()).collect()
    };
    validation.iter().map(|val| Fold { train: of(val, false), val: of(val, true) }).collect()
}

/// Checks that there are enough cases, or groups of them, for a number of folds.
fn enough(folds: usize, there: usize, what: &str) -> Result<()> {
    if folds < FEWEST {
        return Err(Error::parameter("folds", format!("{folds} is less than {FEWEST}")));
    }
    if there < folds {
        return Err(Error::message(format!("{there} {what}; {folds} folds need at least {folds}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_core::SplitCase;

    /// Two images of each of some patients, with a center.
    pub(crate) fn patients(count: usize) -> Vec<SplitCase> {
        let case = |index: usize| {
            let mut case = SplitCase::new(format!("p{:02}_{}", index / 2, index % 2));
            let center = if index / 2 < count / 3 { "Ulm" } else { "Bern" };
            case.values.insert("center".to_owned(), center.to_owned());
            case
        };
        (0..2 * count).map(case).collect()
    }
}
