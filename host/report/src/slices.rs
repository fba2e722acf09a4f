//! Overlays of a case: slices with the reference and with the prediction, as PNGs inside the page.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ndarray::{Array3, ArrayView2, Axis};
use nnunet_data::images;
use nnunet_pictures::{Gray, labels_over};
use serde::Serialize;

use crate::sources::Sources;
use crate::tables::Case;

/// Most slices of a case.
const SLICES: usize = 24;
/// Most pixels of a side; larger slices are drawn with every second, third, … voxel.
const PIXELS: usize = 384;
/// Height of a picture on the page.
const HEIGHT: f64 = 320.0;

/// The overlays of a case.
#[derive(Debug, Serialize)]
pub(crate) struct Overlay {
    pub(crate) case: String,
    pub(crate) dice: Option<f64>,
    /// Width and height of a picture on the page, with the true proportions of the voxels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) slices: Vec<Slice>,
}

/// A slice across the first axis.
#[derive(Debug, Serialize)]
pub(crate) struct Slice {
    /// Number of the slice, from 0.
    pub(crate) z: usize,
    /// The same slice with the labels of the reference and of the prediction: PNG in base64.
    pub(crate) reference: String,
    pub(crate) prediction: String,
}

/// Folder of the images of a summary's cases, where it can be found.
pub(crate) fn image_folder(sources: &Sources, cases: &[Case]) -> Option<PathBuf> {
    let references = cases.first()?.reference.parent()?;
    let beside = |name: &str| references.parent().map(|parent| parent.join(name));
    let data_set = references.parent().and_then(Path::file_name);
    let raw = data_set.into_iter().flat_map(|name| sources.raw.iter().map(move |folder| folder.join(name)));
    let candidates = sources.images.iter().cloned();
    let candidates = candidates.chain(["imagesTr", "imagesTs"].into_iter().filter_map(beside));
    let mut candidates = candidates.chain(raw.map(|folder| folder.join("imagesTr")));
    candidates.find(|folder| image(folder, &cases[0].name).is_some())
}

/// The first channel of a case, or its only file.
fn image(folder: &Path, case: &str) -> Option<PathBuf> {
    images::find(folder, &format!("{case}_0000")).or_else(|| images::find(folder, case))
}

/// Draws a case.
pub(crate) fn overlay(folder: &Path, case: &Case) -> Result<Overlay> {
    let path = image(folder, &case.name)
        .with_context(|| format!("{} has no image of {}", folder.display(), case.name))?;
    let image = images::read(&path)?;
    let reference = images::read_labels(&case.reference)?;
    let prediction = images::read_labels(&case.prediction)?;
    ensure!(
        reference.dim() == prediction.dim() && reference.dim() == image.data.dim(),
        "{}: image, reference and prediction differ in size",
        case.name
    );
    let gray = Gray::of(image.data.iter());
    let draw = |z: usize| -> Result<Slice> {
        let slice = image.data.index_axis(Axis(0), z);
        let of = |labels: &Array3<u8>| encoded(slice, labels.index_axis(Axis(0), z), &gray);
        Ok(Slice { z, reference: of(&reference)?, prediction: of(&prediction)? })
    };
    let (width, height) = size(image.data.dim(), image.geometry.spacing_zyx());
    let slices = chosen(&reference, &prediction).into_iter().map(draw).collect::<Result<_>>()?;
    let dice = Some(case.dice).filter(|dice| dice.is_finite());
    Ok(Overlay { case: case.name.clone(), dice, width, height, slices })
}

fn size((_, y, x): (usize, usize, usize), spacing: [f64; 3]) -> (u32, u32) {
    let (height, width) = (y as f64 * spacing[1], x as f64 * spacing[2]);
    let ratio = (width / height).clamp(0.1, 10.0);
    ((HEIGHT * ratio).round() as u32, HEIGHT as u32)
}

/// Slices from the first to the last with foreground, evenly; the middle one of a case without foreground.
fn chosen(reference: &Array3<u8>, prediction: &Array3<u8>) -> Vec<usize> {
    let has = |labels: &Array3<u8>, z: usize| labels.index_axis(Axis(0), z).iter().any(|label| *label > 0);
    let depth = reference.dim().0;
    let full: Vec<usize> = (0..depth).filter(|z| has(reference, *z) || has(prediction, *z)).collect();
    let (Some(first), Some(last)) = (full.first(), full.last()) else { return vec![depth / 2] };
    let count = (last - first + 1).min(SLICES);
    (0..count).map(|i| first + i * (last - first) / (count - 1).max(1)).collect()
}

fn encoded(slice: ArrayView2<'_, f32>, labels: ArrayView2<'_, u8>, gray: &Gray) -> Result<String> {
    let step = slice.dim().0.max(slice.dim().1).div_ceil(PIXELS) as isize;
    let every = ndarray::s![..;step, ..;step];
    Ok(STANDARD.encode(labels_over(slice.slice(every), labels.slice(every), gray)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_span_the_foreground() {
        let labels = Array3::from_shape_fn((100, 2, 2), |(z, _, _)| u8::from((10..=90).contains(&z)));
        let slices = chosen(&labels, &Array3::zeros((100, 2, 2)));
        assert_eq!((slices.len(), slices[0], slices[SLICES - 1]), (SLICES, 10, 90));
        let empty = Array3::zeros((9, 2, 2));
        assert_eq!(chosen(&empty, &empty), [4]);
    }
}
