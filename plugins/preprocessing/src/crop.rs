//! Cropping to the nonzero region (v1 `ImageCropper`).

use ndarray::{Array3, Array4, ArrayView4, Axis, Zip, s};
use nnunet_numerics::{fill_holes, stats};
use nnunet_plugin_core::{Error, Result};

/// A cropped case.
#[derive(Debug, Clone)]
pub struct Cropped {
    /// (channels, z, y, x).
    pub data: Array4<f32>,
    /// (z, y, x); -1 outside the nonzero mask where there is no label.
    pub seg: Array3<f32>,
    /// Bounding box in the raw image, (z, y, x), upper bounds excluded.
    pub bbox: [[usize; 2]; 3],
    /// Label values that occur, in ascending order, before values below -1 are set to 0.
    pub classes: Vec<f32>,
}

/// Crops to the bounding box of voxels that are nonzero in any channel, with holes filled. Without labels (prediction)
/// the label map is 0 inside the mask and -1 outside.
///
/// # Errors
/// Returns an error if the image is zero everywhere, or if the label map has another size.
pub fn crop_to_nonzero(data: ArrayView4<'_, f32>, seg: Option<Array3<f32>>) -> Result<Cropped> {
    let mask = nonzero_mask(data);
    let bbox = bounding_box(&mask)
        .ok_or_else(|| Error::message("the image is zero everywhere; is it the right file?"))?;
    Ok(crop_to(data, seg, &mask, bbox))
}

/// As [`crop_to_nonzero`], but an image that is zero everywhere stays whole, as in v2.
#[must_use]
pub fn crop_to_nonzero_or_keep(data: ArrayView4<'_, f32>, seg: Option<Array3<f32>>) -> Cropped {
    let mask = nonzero_mask(data);
    let (z, y, x) = mask.dim();
    let bbox = bounding_box(&mask).unwrap_or([[0, z], [0, y], [0, x]]);
    crop_to(data, seg, &mask, bbox)
}

fn crop_to(
    data: ArrayView4<'_, f32>,
    seg: Option<Array3<f32>>,
    mask: &Array3<bool>,
    bbox: [[usize; 2]; 3],
) -> Cropped {
    let [z, y, x] = bbox.map(|[low, high]| low..high);
    let mask = mask.slice(s![z.clone(), y.clone(), x.clone()]).to_owned();
    let data = data.slice(s![.., z.clone(), y.clone(), x.clone()]).to_owned();
    let mut seg = match seg {
        Some(seg) => seg.slice(s![z, y, x]).to_owned(),
        None => Array3::zeros(mask.dim()),
    };
    Zip::from(&mut seg).and(&mask).for_each(|label, inside| {
        if *label == 0.0 && !inside {
            *label = -1.0;
        }
    });
    let classes = stats::unique(seg.iter().copied());
    seg.mapv_inplace(|label| if label < -1.0 { 0.0 } else { label });
    Cropped { data, seg, bbox, classes }
}

fn nonzero_mask(data: ArrayView4<'_, f32>) -> Array3<bool> {
    let (_, z, y, x) = data.dim();
    let mut mask = Array3::from_elem((z, y, x), false);
    for channel in data.axis_iter(Axis(0)) {
        Zip::from(&mut mask).and(channel).for_each(|inside, value| *inside |= *value != 0.0);
    }
    fill_holes(&mut mask);
    mask
}

fn bounding_box(mask: &Array3<bool>) -> Option<[[usize; 2]; 3]> {
    let mut bbox = [[usize::MAX, 0]; 3];
    for (axis, [low, high]) in bbox.iter_mut().enumerate() {
        let occupied = |i: &usize| mask.index_axis(Axis(axis), *i).iter().any(|inside| *inside);
        let n = mask.shape()[axis];
        *low = (0..n).find(occupied)?;
        *high = (0..n).rev().find(occupied)? + 1;
    }
    Some(bbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_holds_all_channels_and_marks_the_outside() {
        let mut data = Array4::zeros((2, 4, 5, 6));
        data[[0, 1, 1, 1]] = 1.0;
        data[[1, 2, 3, 4]] = f32::NAN;
        let mut seg = Array3::zeros((4, 5, 6));
        seg[[1, 2, 2]] = 2.0;
        let cropped = crop_to_nonzero(data.view(), Some(seg)).unwrap();
        assert_eq!(cropped.bbox, [[1, 3], [1, 4], [1, 5]]);
        assert_eq!(cropped.classes, [-1.0, 0.0, 2.0]);
        assert_eq!(cropped.seg[[0, 0, 0]], 0.0);
        assert_eq!(cropped.seg[[0, 0, 1]], -1.0);
    }

    #[test]
    fn an_empty_image_is_an_error() {
        let error = crop_to_nonzero(Array4::zeros((1, 2, 2, 2)).view(), None).unwrap_err();
        assert!(error.to_string().contains("zero everywhere"));
        let kept = crop_to_nonzero_or_keep(ndarray::Array4::zeros((1, 2, 3, 4)).view(), None);
        assert_eq!((kept.bbox, kept.seg.sum()), ([[0, 2], [0, 3], [0, 4]], -24.0));
    }
}
