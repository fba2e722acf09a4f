//! The tables of metrics: one row a case and label, the lowest Dice first.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_data::images;
use nnunet_data::label_names::LabelNames;
use nnunet_data::summary::{self, CaseScores, LabelScores};
use nnunet_evaluation::nan_mean;
use serde::Serialize;

/// A table with a column for each metric.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) metrics: Vec<String>,
    pub(crate) rows: Vec<Row>,
    /// Means over the cases, by label.
    pub(crate) means: Vec<Row>,
}

/// Metrics of a label of a case; `None` where a metric is not defined.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) label: String,
    pub(crate) values: Vec<Option<f64>>,
}

/// A case, in the order in which overlays are drawn.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) prediction: PathBuf,
    pub(crate) reference: PathBuf,
    pub(crate) dice: f64,
}

/// A summary as its table and its cases, those with the lowest mean Dice first.
pub(crate) fn read(summary: &Path) -> Result<(Table, Vec<Case>)> {
    let scores = summary::read_complete(summary)?;
    let folder = summary.parent().unwrap_or(Path::new("."));
    let references = scores.first().and_then(|case| case.reference.parent()).unwrap_or(folder);
    let names = LabelNames::near(&[folder, references]);
    let mut cases: Vec<Case> = scores.iter().map(|scores| case(scores, folder)).collect();
    // The sign of an undefined mean is not defined either.
    let undefined = |case: &Case| case.dice.is_nan();
    cases.sort_by(|a, b| undefined(a).cmp(&undefined(b)).then(a.dice.total_cmp(&b.dice)));
    Ok((table(&scores, &names), cases))
}

fn case(scores: &CaseScores, folder: &Path) -> Case {
    Case {
        name: name(&scores.prediction),
        prediction: summary::prediction_of(scores, folder),
        reference: scores.reference.clone(),
        dice: nan_mean(foreground(scores).filter_map(|label| label.get("Dice"))),
    }
}

fn name(prediction: &Path) -> String {
    let name = prediction.file_name().unwrap_or_default().to_string_lossy();
    images::stem(&name).to_owned()
}

fn foreground(scores: &CaseScores) -> impl Iterator<Item = &LabelScores> {
    scores.labels.iter().filter(|label| label.label != "0")
}

fn table(scores: &[CaseScores], names: &LabelNames) -> Table {
    let first = scores.iter().flat_map(|case| &case.labels).next();
    let mut metrics: Vec<String> =
        first.map(|label| label.metrics.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default();
    // A stable sort: Dice is what people look for first, the others keep their order.
    metrics.sort_by_key(|name| name != "Dice");
    let value = |label: &LabelScores, metric: &String| label.get(metric).filter(|value| value.is_finite());
    let row = |case: &CaseScores, label: &LabelScores| Row {
        case: name(&case.prediction),
        label: names.shown(&label.label),
        values: metrics.iter().map(|metric| value(label, metric)).collect(),
    };
    let rows: Vec<Row> =
        scores.iter().flat_map(|case| foreground(case).map(|label| row(case, label))).collect();
    let means = means(&rows);
    Table { rows: worst_first(rows, &metrics), means, metrics }
}

fn worst_first(mut rows: Vec<Row>, metrics: &[String]) -> Vec<Row> {
    if let Some(dice) = metrics.iter().position(|name| name == "Dice") {
        let of = |row: &Row| row.values[dice].unwrap_or(f64::INFINITY);
        rows.sort_by(|a, b| of(a).total_cmp(&of(b)));
    }
    rows
}

fn means(rows: &[Row]) -> Vec<Row> {
    let mut labels: Vec<&String> = Vec::new();
    rows.iter().for_each(|row| {
        if !labels.contains(&&row.label) {
            labels.push(&row.label);
        }
    });
    let of_label = |label: &String| {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.label == *label).collect();
        let column =
            |i: usize| Some(nan_mean(rows.iter().filter_map(|row| row.values[i]))).filter(|m| m.is_finite());
        let width = rows.first().map_or(0, |row| row.values.len());
        Row { case: "mean".to_owned(), label: label.clone(), values: (0..width).map(column).collect() }
    };
    labels.into_iter().map(of_label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_dice_comes_first_and_undefined_values_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        let case = |name: &str, dice: &str| {
            format!(
                r#"{{"0": {{"Dice": 0.1}}, "1": {{"Dice": {dice}}}, "reference": "r/{name}.nii.gz", "test": "p/{name}.nii.gz"}}"#
            )
        };
        let cases = [case("a", "0.9"), case("b", "NaN"), case("c", "0.5")].join(",");
        std::fs::write(&path, format!(r#"{{"results": {{"all": [{cases}]}}}}"#)).unwrap();
        std::fs::write(folder.path().join("dataset.json"), r#"{"labels": {"1": "liver"}}"#).unwrap();
        let (table, cases) = read(&path).unwrap();
        let order: Vec<&str> = table.rows.iter().map(|row| row.case.as_str()).collect();
        assert_eq!(order, ["c", "a", "b"]);
        assert_eq!(table.rows[0].label, "1 (liver)");
        assert!((table.means[0].values[0].unwrap() - 0.7).abs() < 1e-12);
        assert_eq!(cases[0].name, "c");
    }
}
