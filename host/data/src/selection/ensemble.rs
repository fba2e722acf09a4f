//! Predictions of several models merged: the mean of their probabilities (v1 `ensemble_predictions`).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::{Array3, Array4};
use nnunet_export::{labels_of, regions_of};
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::{nifti, npz};
use nnunet_numerics::{Resampling, resample, separate_axis};
use nnunet_plugin_core::vocabulary::CaseProperties;

use crate::{export, images, records};

/// One case of several models.
#[derive(Debug, Clone)]
pub struct Merge {
    /// Probabilities, each with its pkl beside it.
    pub sources: Vec<PathBuf>,
    /// The label map to write.
    pub output: PathBuf,
    /// Also write the mean probabilities.
    pub save_npz: bool,
}

/// Writes the label map of the mean probabilities of a case. One model's probabilities are in memory beside the sum.
///
/// # Errors
/// Returns an error for files that are missing, unreadable, or of different sizes.
pub fn merge(case: &Merge) -> Result<()> {
    let mut mean = mean(&case.sources, "softmax")?;
    // As NumPy's mean of half-precision arrays is.
    mean.mapv_inplace(|value| half::f16::from_f32(value).to_f32());
    let properties: Vec<Value> = case
        .sources
        .iter()
        .map(|path| Ok(pickle::load(&path.with_extension("pkl"))?))
        .collect::<Result<_>>()?;
    let order = regions(&case.sources, &properties)?;
    let first = records::case_from_pickle(&properties[0])
        .with_context(|| case.sources[0].with_extension("pkl").display().to_string())?;
    let labels = |probabilities: &Array4<f32>| match &order {
        Some(order) => regions_of(probabilities.view(), order),
        None => labels_of(probabilities.view()),
    };
    write(&case.output, &mean, &first, labels)?;
    if case.save_npz {
        let name = case.output.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let beside = |ending: &str| case.output.with_file_name(format!("{}{ending}", images::stem(&name)));
        npz::save_f16(&beside(".npz"), "softmax", mean.view())?;
        records::save(&beside(".pkl"), &Value::List(properties))?;
    }
    Ok(())
}

fn write(
    output: &Path,
    mean: &Array4<f32>,
    case: &CaseProperties,
    labels: impl Fn(&Array4<f32>) -> Array3<u8>,
) -> Result<()> {
    let shape = [mean.shape()[1], mean.shape()[2], mean.shape()[3]];
    // Newer versions of v1 store probabilities on the raw grid.
    if shape != case.size_after_cropping && shape == case.original_size_of_raw_data {
        return Ok(nifti::write_labels(output, labels(mean).view(), &export::raw_geometry(case))?);
    }
    if shape == case.size_after_cropping {
        return export::write_labels(output, labels(mean).view(), case);
    }
    let after = case.spacing_after_resampling.unwrap_or(case.original_spacing);
    let separate = separate_axis(case.original_spacing, after, None);
    let how = Resampling { order: 3, order_z: 0, separate };
    export::write_labels(output, labels(&resample(mean.view(), case.size_after_cropping, how)).view(), case)
}

/// The mean of the arrays of that name; one of them is in memory beside the sum.
///
/// # Errors
/// Returns an error for files that are missing, unreadable, or of different sizes.
pub(crate) fn mean(sources: &[PathBuf], name: &str) -> Result<Array4<f32>> {
    let mut sum: Option<Array4<f32>> = None;
    for path in sources {
        let probabilities = npz::load_f32(path, name)?;
        match &mut sum {
            None => sum = Some(probabilities),
            Some(sum) => {
                ensure!(
                    sum.dim() == probabilities.dim(),
                    "{} has {:?} probabilities (classes, z, y, x), but {} has {:?}",
                    path.display(),
                    probabilities.dim(),
                    sources[0].display(),
                    sum.dim()
                );
                *sum += &probabilities;
            }
        }
    }
    Ok(sum.context("nothing to merge")? / sources.len() as f32)
}

/// Labels of regions in order, when the models predict regions.
fn regions(sources: &[PathBuf], properties: &[Value]) -> Result<Option<Vec<u8>>> {
    let order = |value: &Value| value.get("regions_class_order").and_then(Value::to_usize_vec);
    let first = order(&properties[0]);
    let differs = properties.iter().position(|value| order(value) != first);
    if let Some(i) = differs {
        anyhow::bail!(
            "{} and {} have different regions_class_order; only models of the same regions can be merged",
            sources[0].display(),
            sources[i].display()
        );
    }
    first.map(|order| order.into_iter().map(|label| Ok(u8::try_from(label)?)).collect()).transpose()
}
