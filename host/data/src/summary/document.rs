//! The layout of v1's `summary.json`.

use md5::{Digest, Md5};
use nnunet_engine::clock;
use nnunet_evaluation::nan_mean;
use nnunet_formats::json::Json;

use super::pair::{Head, Pair};

/// Metrics that are counts: written without a point, but for their means.
const COUNTS: [&str; 5] = [
    "Lesions Detected",
    "Lesions False",
    "Lesions Reference",
    "Total Positives Reference",
    "Total Positives Test",
];

/// Metrics by name, the same names for every label of every case.
pub(super) type Values = Vec<(&'static str, f64)>;

/// The document: `cases[pair][label]` are the metrics of a label of a case.
pub(super) fn document(pairs: &[Pair], cases: &[Vec<Values>], labels: &[i64], head: &Head<'_>) -> Json {
    let results = Json::Object(vec![
        (
            "all".to_owned(),
            Json::Array(pairs.iter().zip(cases).map(|(pair, case)| of_case(pair, case, labels)).collect()),
        ),
        ("mean".to_owned(), means(cases, labels)),
    ]);
    let mut entries = vec![
        ("author".to_owned(), text("Fabian")),
        ("description".to_owned(), text(head.description)),
        ("name".to_owned(), text(head.name)),
        ("results".to_owned(), results),
        ("task".to_owned(), text(head.task)),
        ("timestamp".to_owned(), Json::Str(clock::now("%Y-%m-%d %H:%M:%S.%6f"))),
    ];
    let digest = Md5::digest(Json::Object(entries.clone()).to_python().as_bytes());
    let id: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    entries.push(("id".to_owned(), Json::Str(id)));
    Json::Object(entries)
}

fn text(value: &str) -> Json {
    Json::Str(value.to_owned())
}

fn of_case(pair: &Pair, case: &[Values], labels: &[i64]) -> Json {
    let number = |(name, value): &(&str, f64)| {
        let json = if COUNTS.contains(name) { Json::Int(*value as i64) } else { Json::Float(*value) };
        ((*name).to_owned(), json)
    };
    let of_label = |(label, values): (&i64, &Values)| {
        (label.to_string(), Json::Object(values.iter().map(number).collect()))
    };
    let mut entries: Vec<(String, Json)> = labels.iter().zip(case).map(of_label).collect();
    entries.push(("reference".to_owned(), text(&pair.reference.display().to_string())));
    entries.push(("test".to_owned(), text(&pair.test.display().to_string())));
    Json::Object(entries)
}

/// Means over the cases in which a metric is defined.
fn means(cases: &[Vec<Values>], labels: &[i64]) -> Json {
    let of_label = |(i, label): (usize, &i64)| {
        let names = cases.first().map_or(&[][..], |case| case[i].as_slice());
        let mean = |(m, (name, _)): (usize, &(&str, f64))| {
            ((*name).to_owned(), Json::Float(nan_mean(cases.iter().map(|case| case[i][m].1))))
        };
        (label.to_string(), Json::Object(names.iter().enumerate().map(mean).collect()))
    };
    Json::Object(labels.iter().enumerate().map(of_label).collect())
}
