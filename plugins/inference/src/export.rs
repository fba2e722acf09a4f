//! From probabilities on the network's grid to labels on the original one.

use ndarray::{Array3, Array4, ArrayView3, ArrayView4, s};
use nnunet_numerics::{Resampling, resample, resample_labels, separate_axis};
use nnunet_plugin_api::vocabulary::{CaseProperties, Plans, Regions, SegmentationExport};
use nnunet_plugin_api::{Error, Result};

/// Brings probabilities (classes, z, y, x) from the preprocessed grid, in transposed order, to the cropped case's.
///
/// # Errors
/// Properties without what preprocessing adds.
pub fn to_cropped_grid(
    probabilities: Array4<f32>,
    plans: &Plans,
    case: &CaseProperties,
) -> Result<Array4<f32>> {
    let back = plans.transpose_backward;
    let untransposed = probabilities.permuted_axes([0, back[0] + 1, back[1] + 1, back[2] + 1]);
    let untransposed = untransposed.as_standard_layout();
    if untransposed.shape()[1..] == case.size_after_cropping {
        return Ok(untransposed.into_owned());
    }
    let after = case
        .spacing_after_resampling
        .ok_or_else(|| Error::message("the case has no spacing after resampling"))?;
    let export = plans.segmentation_export_params.unwrap_or_default();
    Ok(resample(
        untransposed.view(),
        case.size_after_cropping,
        resampling(&export, case.original_spacing, after),
    ))
}

/// Brings labels (z, y, x) from the preprocessed grid, in transposed order, to the cropped case's: with spline order 1 by
/// the strongest label, with 0 by the nearest voxel (v1's modes `fast` and `fastest`).
///
/// # Errors
/// Properties without what preprocessing adds.
pub fn labels_to_cropped_grid(
    labels: ArrayView3<'_, u8>,
    plans: &Plans,
    case: &CaseProperties,
    order: u32,
) -> Result<Array3<u8>> {
    let labels = labels.permuted_axes(plans.transpose_backward);
    if labels.shape() == case.size_after_cropping {
        return Ok(labels.as_standard_layout().into_owned());
    }
    let after = case
        .spacing_after_resampling
        .ok_or_else(|| Error::message("the case has no spacing after resampling"))?;
    let export = plans.segmentation_export_params.unwrap_or_default();
    let how = Resampling { order, order_z: 0, ..resampling(&export, case.original_spacing, after) };
    let values = labels.mapv(f32::from);
    Ok(resample_labels(values.view(), case.size_after_cropping, how).mapv(|label| label as u8))
}

fn resampling(export: &SegmentationExport, original: [f64; 3], after: [f64; 3]) -> Resampling {
    Resampling {
        order: export.interpolation_order,
        order_z: export.interpolation_order_z,
        separate: separate_axis(original, after, export.force_separate_z),
    }
}

/// The most probable class of every voxel; the first one on ties.
#[must_use]
pub fn labels_of(probabilities: ArrayView4<'_, f32>) -> Array3<u8> {
    let (_, z, y, x) = probabilities.dim();
    let mut best = Array3::from_elem((z, y, x), f32::NEG_INFINITY);
    let mut labels = Array3::zeros((z, y, x));
    for (class, channel) in (0_u8..=u8::MAX).zip(probabilities.outer_iter()) {
        ndarray::Zip::from(&mut best).and(&mut labels).and(channel).for_each(|best, label, value| {
            if *value > *best {
                *best = *value;
                *label = class;
            }
        });
    }
    labels
}

/// Labels from probabilities: of classes, or of regions.
#[must_use]
pub fn segmentation(probabilities: ArrayView4<'_, f32>, regions: Option<&Regions>) -> Array3<u8> {
    match regions {
        Some(regions) => regions_of(probabilities, &regions.class_order),
        None => labels_of(probabilities),
    }
}

/// Labels from probabilities of regions that may overlap: where region i is more likely than not, `order[i]`; later
/// regions overwrite earlier ones.
#[must_use]
pub fn regions_of(probabilities: ArrayView4<'_, f32>, order: &[u8]) -> Array3<u8> {
    let (_, z, y, x) = probabilities.dim();
    let mut labels = Array3::zeros((z, y, x));
    for (class, channel) in order.iter().zip(probabilities.outer_iter()) {
        ndarray::Zip::from(&mut labels).and(channel).for_each(|label, value| {
            if *value > 0.5 {
                *label = *class;
            }
        });
    }
    labels
}

/// Puts labels of the cropped case back into the raw image; outside is background.
#[must_use]
pub fn paste(labels: ArrayView3<'_, u8>, case: &CaseProperties) -> Array3<u8> {
    let mut raw = Array3::zeros(case.original_size_of_raw_data);
    let [z, y, x] = std::array::from_fn(|axis| {
        let low = case.crop_bbox[axis][0];
        low..(low + labels.shape()[axis]).min(case.original_size_of_raw_data[axis])
    });
    let inside = labels.slice(s![..z.len(), ..y.len(), ..x.len()]);
    raw.slice_mut(s![z, y, x]).assign(&inside);
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_pasted_into_the_crop_box() {
        let probabilities =
            Array4::from_shape_fn((3, 1, 1, 2), |(c, _, _, x)| if c == x + 1 { 0.9 } else { 0.1 });
        let labels = labels_of(probabilities.view());
        let case = CaseProperties {
            original_size_of_raw_data: [2, 2, 4],
            crop_bbox: [[1, 2], [0, 1], [2, 4]],
            ..CaseProperties::default()
        };
        let raw = paste(labels.view(), &case);
        assert_eq!((raw[[1, 0, 2]], raw[[1, 0, 3]], raw.sum()), (1, 2, 3));
    }
}
