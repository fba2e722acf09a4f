//! The second summary: surfaces, volumes and lesions.

use std::path::Path;

use anyhow::{Result, ensure};
use nnunet_evaluation::{EXTENDED, extended_metrics};
use nnunet_formats::json;

use super::document::{Values, document};
use super::{Head, Pair, compare};

/// Name of the file, beside `summary.json`.
pub const EXTENDED_FILE: &str = "summary_extended.json";

/// Evaluates pairs and writes the second summary, in the layout of the first. `tolerance` is that of the surface Dice, in
/// mm; the file says it in its description.
///
/// # Errors
/// Returns an error for a negative tolerance, or one error that lists all pairs that cannot be compared.
pub fn write_extended(path: &Path, pairs: &[Pair], labels: &[i64], tolerance: f64) -> Result<()> {
    ensure!(tolerance >= 0.0, "a tolerance of {tolerance} mm: it must be 0 or more");
    let rows = compare(pairs, labels, |label, test, reference, spacing| -> Values {
        let values = extended_metrics(test.view(), reference.view(), label, spacing, tolerance);
        EXTENDED.into_iter().zip(values).collect()
    })?;
    let description = format!("Normalised Surface Dice at {tolerance} mm");
    let head = Head { description: &description, ..Head::default() };
    Ok(json::save(path, &document(pairs, &rows, labels, &head))?)
}
