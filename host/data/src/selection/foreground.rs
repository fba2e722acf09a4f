//! The mean over foreground labels in `summary.json`.

use std::path::Path;

use anyhow::{Context, Result};
use nnunet_evaluation::nan_mean;
use nnunet_formats::json::{self, Json};

/// Labels that v1 leaves out: background and the two that once marked voxels to ignore.
const NOT_FOREGROUND: [&str; 3] = ["0", "-1", "99"];

fn means(summary: &Json) -> Option<&Vec<(String, Json)>> {
    match summary.get("results")?.get("mean")? {
        Json::Object(entries) => Some(entries),
        _ => None,
    }
}

fn is_foreground(label: &str) -> bool {
    label != "mean" && !NOT_FOREGROUND.contains(&label)
}

/// Labels of a summary.
pub(super) fn labels(summary: &Json) -> Vec<u8> {
    means(summary).into_iter().flatten().filter_map(|(label, _)| label.parse().ok()).collect()
}

/// Mean Dice of the foreground labels of a `summary.json`; NaN when one of them is.
///
/// # Errors
/// Returns an error for a file that is not a summary.
pub fn mean_dice(path: &Path) -> Result<f64> {
    let summary = json::load(path)?;
    let means = means(&summary).with_context(|| format!("{} is not a summary", path.display()))?;
    let dice: Vec<f64> = means
        .iter()
        .filter(|(label, _)| label != "0" && label != "mean")
        .filter_map(|(_, metrics)| metrics.get("Dice")?.as_f64())
        .collect();
    Ok(dice.iter().sum::<f64>() / dice.len() as f64)
}

/// Adds the entry `mean` to the means of a `summary.json`: every metric's mean over the foreground (v1 `foreground_mean`).
///
/// # Errors
/// Returns an error for a file that is not a summary.
pub fn note_foreground_mean(path: &Path) -> Result<()> {
    let mut summary = json::load(path)?;
    let entries = means(&summary).with_context(|| format!("{} is not a summary", path.display()))?;
    let foreground: Vec<&Json> =
        entries.iter().filter(|(label, _)| is_foreground(label)).map(|(_, metrics)| metrics).collect();
    let Some(Json::Object(names)) = foreground.first() else { return Ok(()) };
    let mean = |name: &String| {
        let values = foreground.iter().filter_map(|metrics| metrics.get(name)?.as_f64());
        (name.clone(), Json::Float(nan_mean(values)))
    };
    let mean = Json::Object(names.iter().map(|(name, _)| mean(name)).collect());
    let mut entries: Vec<(String, Json)> =
        entries.iter().filter(|(label, _)| label != "mean" && label != "99").cloned().collect();
    entries.push(("mean".to_owned(), mean));
    let place = summary.get_mut("results").and_then(|results| results.get_mut("mean"));
    if let Some(place) = place {
        *place = Json::Object(entries);
    }
    Ok(json::save(path, &summary)?)
}
