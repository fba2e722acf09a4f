//! Determines whether keeping only the largest component improves the Dice, for all foreground together and for each class
//! (v1 `determine_postprocessing`).

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nnunet_engine::progress;
use nnunet_evaluation::{Confusion, nan_mean};
use nnunet_formats::json::{self, Json};
use nnunet_plugin_core::LabelVolume;
use nnunet_postprocessing::{Classes, keep_largest};

use super::postprocessing::{Postprocessing, apply_to_folder, read_volume};
use crate::summary::{self, Head, Pair};
use crate::{failures, images};

/// The predictions to examine, and where to write the results.
#[derive(Debug, Clone)]
pub struct Determination {
    /// Predictions.
    pub raw: PathBuf,
    /// Reference segmentations of the same names.
    pub references: PathBuf,
    /// Folder for `postprocessing.json`, and for the postprocessed predictions in `final_name`.
    pub output: PathBuf,
    /// Name of the folder of postprocessed predictions.
    pub final_name: String,
    /// Keep other components that are as large as the smallest largest one of any case.
    pub advanced: bool,
    /// Minimum improvement of the Dice.
    pub threshold: f64,
}

/// A postprocessing step that is tried.
type Step<'a> = &'a (dyn Fn(&mut LabelVolume) + Sync);

/// Finds the postprocessing of a folder, writes it and applies it.
///
/// # Errors
/// Returns one error that lists all files that cannot be read or compared.
pub fn determine(how: &Determination) -> Result<Postprocessing> {
    let pairs = pairs(&how.raw, &how.references)?;
    let classes = classes(how, &pairs)?;
    let all = Classes::Joint(classes.clone());
    let raw = mean_dice(&pairs, &classes, &|_| {})?;
    let least = least(how, &pairs, std::slice::from_ref(&all), &[])?;
    let joint = |volume: &mut LabelVolume| keep(volume, std::slice::from_ref(&all), least.as_deref());
    let together = mean_dice(&pairs, &classes, &joint)?;
    let better = |new: f64, old: f64| new > old + how.threshold;
    let improves = together.iter().zip(&raw).any(|(new, old)| better(*new, *old))
        && !together.iter().zip(&raw).any(|(new, old)| new < old);
    let mut steps: Vec<(Classes, Option<f64>)> = Vec::new();
    if improves {
        steps.push((all, least.map(|sizes| sizes[0])));
    }
    let mut separate = Vec::new();
    if classes.len() > 1 {
        let (before, base) =
            if improves { (together.clone(), steps.clone()) } else { (raw.clone(), Vec::new()) };
        let each: Vec<Classes> = classes.iter().copied().map(Classes::One).collect();
        let least = self::least(how, &pairs, &each, &base)?;
        let step = |volume: &mut LabelVolume| {
            keep_steps(volume, &base);
            keep(volume, &each, least.as_deref());
        };
        separate = mean_dice(&pairs, &classes, &step)?;
        for (i, class) in each.into_iter().enumerate() {
            if better(separate[i], before[i]) {
                steps.push((class, least.as_ref().map(|sizes| sizes[i])));
            }
        }
    }
    let result = as_postprocessing(steps, how.advanced);
    finish(how, &result, &classes, &pairs, [&raw, &together, &separate])?;
    Ok(result)
}

fn as_postprocessing(steps: Vec<(Classes, Option<f64>)>, advanced: bool) -> Postprocessing {
    let (for_which_classes, sizes): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
    let mut result = Postprocessing::default();
    result.config.for_which_classes = for_which_classes;
    result.config.min_valid_object_sizes = advanced.then(|| sizes.into_iter().flatten().collect());
    result
}

/// Applies, evaluates and writes the result.
fn finish(
    how: &Determination,
    result: &Postprocessing,
    classes: &[u8],
    pairs: &[Pair],
    [raw, together, separate]: [&[f64]; 3],
) -> Result<()> {
    let final_folder = how.output.join(&how.final_name);
    apply_to_folder(&how.raw, &final_folder, result)?;
    let postprocessed = |pair: &Pair| Pair {
        test: final_folder.join(pair.test.file_name().unwrap_or_default()),
        reference: pair.reference.clone(),
    };
    let postprocessed: Vec<Pair> = pairs.iter().map(postprocessed).collect();
    let labels: Vec<i64> = classes.iter().map(|class| i64::from(*class)).collect();
    summary::write(&final_folder.join("summary.json"), &postprocessed, &labels, &Head::default())?;
    let by_class = |dice: &[f64]| {
        let entries = classes.iter().zip(dice);
        Json::Object(entries.map(|(class, dice)| (class.to_string(), Json::Float(*dice))).collect())
    };
    let name = how.raw.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let entries = [
        ("dc_per_class_pp_all", by_class(together)),
        ("dc_per_class_pp_per_class", by_class(separate)),
        ("dc_per_class_raw", by_class(raw)),
        ("for_which_classes", result.classes_json()),
        ("min_valid_object_sizes", Json::Str(result.sizes_text())),
        ("num_samples", Json::Int(pairs.len() as i64)),
        ("validation_final", Json::Str(how.final_name.clone())),
        ("validation_raw", Json::Str(name)),
    ];
    let entries = entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
    Ok(json::save(&how.output.join("postprocessing.json"), &Json::Object(entries))?)
}

/// Predictions with their reference segmentations, which may be in another format.
pub(super) fn pairs(predictions: &Path, references: &Path) -> Result<Vec<Pair>> {
    let (mut pairs, mut missing) = (Vec::new(), Vec::new());
    for name in images::list(predictions)? {
        match images::find(references, images::stem(&name)) {
            Some(reference) => pairs.push(Pair { test: predictions.join(&name), reference }),
            None => missing.push(name),
        }
    }
    ensure!(missing.is_empty(), "{} lacks the reference segmentations of {missing:?}", references.display());
    Ok(pairs)
}

/// Foreground classes: of the predictions' `summary.json`, or else those that occur.
fn classes(how: &Determination, pairs: &[Pair]) -> Result<Vec<u8>> {
    let path = how.raw.join("summary.json");
    let mut classes: Vec<u8> = if path.is_file() {
        super::foreground::labels(&json::load(&path)?)
    } else {
        let mut all = Vec::new();
        for path in pairs.iter().flat_map(|pair| [&pair.test, &pair.reference]) {
            all.extend(images::read_labels(path)?);
            all.sort_unstable();
            all.dedup();
        }
        all
    };
    classes.retain(|class| *class != 0);
    ensure!(!classes.is_empty(), "{} and its reference segmentations have no foreground", how.raw.display());
    Ok(classes)
}

fn keep(volume: &mut LabelVolume, classes: &[Classes], least: Option<&[f64]>) {
    let voxel = volume.spacing.iter().product();
    for (i, class) in classes.iter().enumerate() {
        keep_largest(&mut volume.labels, class, voxel, least.map(|sizes| sizes[i]));
    }
}

fn keep_steps(volume: &mut LabelVolume, steps: &[(Classes, Option<f64>)]) {
    let voxel = volume.spacing.iter().product();
    for (class, least) in steps {
        keep_largest(&mut volume.labels, class, voxel, *least);
    }
}

/// The smallest largest component of all cases, for each entry of `classes` in turn; only with `advanced`.
fn least(
    how: &Determination,
    pairs: &[Pair],
    classes: &[Classes],
    base: &[(Classes, Option<f64>)],
) -> Result<Option<Vec<f64>>> {
    if !how.advanced {
        return Ok(None);
    }
    let kept = |pair: &Pair| -> Result<Vec<f64>> {
        let mut volume = read_volume(&pair.test)?;
        keep_steps(&mut volume, base);
        let voxel = volume.spacing.iter().product();
        let mut largest =
            |class| keep_largest(&mut volume.labels, class, voxel, None).unwrap_or(f64::INFINITY);
        Ok(classes.iter().map(&mut largest).collect())
    };
    let by_case = failures::each("cases cannot be read", pairs, kept)?;
    let smallest = |i: usize| by_case.iter().map(|case| case[i]).fold(f64::INFINITY, f64::min);
    Ok(Some((0..classes.len()).map(smallest).collect()))
}

/// Mean Dice by class after a postprocessing step. Each thread has one case in memory.
fn mean_dice(pairs: &[Pair], classes: &[u8], step: Step<'_>) -> Result<Vec<f64>> {
    let bar = progress::start(pairs.len(), "comparing");
    let compare = |pair: &Pair| -> Result<Vec<f64>> {
        let mut volume = read_volume(&pair.test)?;
        let reference = images::read_some_labels(&pair.reference, classes)?;
        ensure!(
            reference.dim() == volume.labels.dim(),
            "{} and {} have different sizes",
            pair.test.display(),
            pair.reference.display()
        );
        step(&mut volume);
        bar.inc(1);
        let dice = |class: &u8| Confusion::count(volume.labels.view(), reference.view(), *class).dice();
        Ok(classes.iter().map(dice).collect())
    };
    let cases = failures::each("cases cannot be compared", pairs, compare);
    drop(bar);
    let cases = cases?;
    Ok((0..classes.len()).map(|i| nan_mean(cases.iter().map(|case| case[i]))).collect())
}
