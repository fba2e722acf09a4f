//! Checks a raw task: all issues of all cases in one pass (v1 `verify_dataset_integrity`), and a repaired copy where a
//! issue has one obvious remedy.

mod case;
mod copy;
mod geometry;
mod issue;
mod listing;
mod repair;

use std::collections::BTreeSet;

use anyhow::Result;
use nnunet_engine::progress;
use rayon::prelude::*;

use crate::dataset::Dataset;

pub use geometry::shift_in_voxels;
pub use issue::{Findings, Issue, IssueKind};
pub use repair::{Repair, Repairs};

/// Checks a raw task. Spacing, origin and direction count as equal within the relative `tolerance`.
///
/// # Errors
/// Returns an error if the data set cannot be read. Issues of the data are the result, not errors.
pub fn check(dataset: &Dataset, tolerance: f64) -> Result<Findings> {
    let (dataset, listed) = &listing::corrected(dataset);
    let bar = progress::start(dataset.training.len(), "verifying");
    let cases: BTreeSet<&String> = dataset.training.iter().collect();
    let found: Vec<case::CaseFindings> = cases
        .into_par_iter()
        .map(|case| {
            let found = case::check(dataset, case, tolerance);
            bar.inc(1);
            found
        })
        .collect();
    drop(bar);
    let mut findings = Findings { issues: listing::check(dataset), ..Findings::default() };
    findings.issues.extend(listed.iter().cloned());
    findings.issues.extend(case::across(dataset, &found));
    for case in found {
        findings.issues.extend(case.issues);
        for value in case.label_values {
            *findings.label_values.entry(value).or_default() += 1;
        }
    }
    findings.issues.extend(case::check_tests(dataset, tolerance));
    findings.issues.sort_by(|a, b| (a.kind, &a.file).cmp(&(b.kind, &b.file)));
    Ok(findings)
}
