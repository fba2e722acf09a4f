//! The originals' overlay: a slice with its labels in color, one pixel a voxel (`overlay_plots` of v1 and v2).

use std::collections::BTreeSet;
use std::path::Path;

use image::{Rgb, RgbImage};
use ndarray::ArrayView2;
use nnunet_formats::Result;

use crate::png;

/// Weight of a label's color that is added to the gray value, where the user gives none.
pub const OVERLAY_INTENSITY: f64 = 0.6;
/// The colors of the labels that occur in a slice, in their order; black, for background, is not among them.
const COLORS: [[u8; 3]; 14] = [
    [67, 99, 216],
    [245, 130, 49],
    [60, 180, 75],
    [230, 25, 75],
    [145, 30, 180],
    [255, 225, 25],
    [191, 239, 69],
    [66, 212, 244],
    [240, 50, 230],
    [0, 0, 117],
    [154, 99, 36],
    [128, 128, 0],
    [128, 0, 0],
    [70, 153, 144],
];

/// Draws a slice (y, x): gray values scaled to the whole range, the color of each label added, and all scaled again.
/// As in the originals, colors follow the rank of a label in the slice; beyond the last color they start again.
/// `intensity` is the weight of the color.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn overlay<T: Copy + Ord>(
    path: &Path,
    image: ArrayView2<'_, f32>,
    labels: ArrayView2<'_, T>,
    intensity: f64,
) -> Result<()> {
    let (height, width) = image.dim();
    let pixels = pixels(image, labels, intensity);
    let at = |x: u32, y: u32| Rgb(pixels[[y as usize, x as usize]]);
    png::write(path, &RgbImage::from_fn(width as u32, height as u32, at))
}

fn pixels<T: Copy + Ord>(
    image: ArrayView2<'_, f32>,
    labels: ArrayView2<'_, T>,
    intensity: f64,
) -> ndarray::Array2<[u8; 3]> {
    let found: BTreeSet<T> = labels.iter().copied().collect();
    let found: Vec<T> = found.into_iter().collect();
    let low = image.iter().copied().fold(f32::INFINITY, f32::min);
    let gray = scale(image.iter().map(|value| value - low).fold(0.0, f32::max));
    let blended = |value: &f32, label: &T| {
        let value = gray(value - low);
        match found.binary_search(label) {
            Err(_) | Ok(0) => [value; 3],
            Ok(rank) => COLORS[(rank - 1) % COLORS.len()]
                .map(|part| (f64::from(value) + intensity * f64::from(part)) as f32),
        }
    };
    let blended = ndarray::Zip::from(image).and(labels).map_collect(blended);
    let whole = scale(blended.iter().flatten().copied().fold(0.0, f32::max));
    blended.mapv(|pixel| pixel.map(|value| whole(value) as u8))
}

/// Maps `most` to 255.
fn scale(most: f32) -> impl Fn(f32) -> f32 {
    move |value| if most > 0.0 { value / most * 255.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    /// Numbers of v1's `generate_overlay` for the same input.
    #[test]
    fn pixels_are_those_of_v1() {
        let image = arr2(&[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
        let with_background = arr2(&[[0, 0, 1], [3, 0, 0]]);
        let expected = arr2(&[
            [[0, 0, 0], [43, 43, 43], [120, 137, 196]],
            [[255, 196, 155], [173, 173, 173], [216, 216, 216]],
        ]);
        assert_eq!(pixels(image.view(), with_background.view(), OVERLAY_INTENSITY), expected);
        let without = arr2(&[[1, 1, 2], [2, 2, 1]]);
        let expected = arr2(&[
            [[0, 0, 0], [38, 38, 38], [108, 123, 177]],
            [[147, 162, 216], [186, 201, 255], [194, 194, 194]],
        ]);
        assert_eq!(pixels(image.view(), without.view(), OVERLAY_INTENSITY), expected);
    }

    #[test]
    fn an_empty_image_is_black() {
        let pixels = pixels(ndarray::Array2::zeros((1, 2)).view(), arr2(&[[0, 0]]).view(), 1.0);
        assert!(pixels.iter().all(|pixel| *pixel == [0; 3]));
    }
}
