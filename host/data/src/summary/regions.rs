//! `summary.csv`: Dice of overlapping regions (v1 `evaluate_regions`).

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use ndarray::Array3;
use nnunet_evaluation::{Confusion, nan_mean};
use nnunet_formats::atomic;
use nnunet_plugin_core::vocabulary::Regions;

use super::{Pair, load};
use crate::{failures, images};

/// Statistics over the cases.
type Statistic = fn(&[f64]) -> f64;

/// v1's last lines. A region that is in neither map has no Dice, or counts as found.
const STATISTICS: [(&str, Statistic); 4] = [
    ("mean", |dice| nan_mean(dice.iter().copied())),
    ("median", |dice| median(dice.iter().copied().filter(|value| !value.is_nan()).collect())),
    ("mean (nan is 1)", |dice| nan_mean(filled(dice).into_iter())),
    ("median (nan is 1)", |dice| median(filled(dice))),
];

/// Evaluates pairs by region and writes a table.
///
/// # Errors
/// Returns one error that lists all pairs that cannot be compared.
pub fn write_regions(path: &Path, pairs: &[Pair], regions: &Regions) -> Result<()> {
    let rows: Vec<Vec<f64>> = failures::each("cases cannot be evaluated", pairs, |pair| dice(pair, regions))?;
    let mut text = "casename".to_owned();
    regions.regions.iter().for_each(|region| text.extend([",", &region.name]));
    for (pair, row) in pairs.iter().zip(&rows) {
        let name = pair.test.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        line(&mut text, images::stem(&name), row);
    }
    let columns: Vec<Vec<f64>> =
        (0..regions.regions.len()).map(|i| rows.iter().map(|row| row[i]).collect()).collect();
    for (name, of) in STATISTICS {
        line(&mut text, name, &columns.iter().map(|column| of(column)).collect::<Vec<_>>());
    }
    text.push('\n');
    Ok(atomic::write_bytes(path, text.as_bytes())?)
}

fn dice(pair: &Pair, regions: &Regions) -> Result<Vec<f64>> {
    let asked: Vec<u8> = regions.regions.iter().flat_map(|region| &region.labels).copied().collect();
    let (test, reference) = load(pair, |path| images::read_some_labels(path, &asked))?;
    let of = |labels: &[u8]| {
        let mask = |map: &Array3<u8>| map.mapv(|label| u8::from(labels.contains(&label)));
        Confusion::count(mask(&test).view(), mask(&reference).view(), 1).dice()
    };
    Ok(regions.regions.iter().map(|region| of(&region.labels)).collect())
}

fn line(text: &mut String, name: &str, values: &[f64]) {
    text.extend(["\n", name]);
    for value in values {
        // Writing to a string does not fail; Python writes `nan`.
        let _ = if value.is_nan() { text.write_str(",nan") } else { write!(text, ",{value:.4}") };
    }
}

fn filled(dice: &[f64]) -> Vec<f64> {
    dice.iter().map(|value| if value.is_nan() { 1.0 } else { *value }).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_v1() {
        let dice = [0.5, f64::NAN, 0.9, 0.7];
        let values = STATISTICS.map(|(_, of)| (of(&dice) * 1e4).round() / 1e4);
        assert_eq!(values, [0.7, 0.7, 0.775, 0.8]);
    }
}
