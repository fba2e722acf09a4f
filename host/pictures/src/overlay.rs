//! v1's overlay: a slice with its labels in colour, one pixel a voxel (v1 `overlay_plots`).

use std::path::Path;

use ndarray::ArrayView2;
use nnunet_formats::Result;

use crate::canvas::{BLACK, Canvas, Colour};

/// Share of a colour that is added.
const INTENSITY: f32 = 0.6;
/// v1's colours of the labels that occur in a slice, in their order; black, for background, is not among them.
const COLOURS: [Colour; 14] = [
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

/// Draws a slice (y, x): grey values scaled to the whole range, the colour of each label added, and all scaled again.
/// As in v1, colours follow the rank of a label in the slice; beyond the last colour they start again.
///
/// # Errors
/// What the system says.
pub fn overlay(path: &Path, image: ArrayView2<'_, f32>, labels: ArrayView2<'_, u8>) -> Result<()> {
    let (height, width) = image.dim();
    let mut canvas = Canvas::new(width as i64, height as i64, BLACK);
    for ((y, x), pixel) in pixels(image, labels).indexed_iter() {
        canvas.put(x as i64, y as i64, *pixel);
    }
    canvas.save(path)
}

fn pixels(image: ArrayView2<'_, f32>, labels: ArrayView2<'_, u8>) -> ndarray::Array2<Colour> {
    let ranks = ranks(labels);
    let low = image.iter().copied().fold(f32::INFINITY, f32::min);
    let grey = scale(image.iter().map(|value| value - low).fold(0.0, f32::max));
    let blended = |value: &f32, label: &u8| {
        let value = grey(value - low);
        match ranks[usize::from(*label)] {
            0 => [value; 3],
            rank => COLOURS[(rank - 1) % COLOURS.len()].map(|part| value + INTENSITY * f32::from(part)),
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

/// Rank of every label among those that occur, by label.
fn ranks(labels: ArrayView2<'_, u8>) -> [usize; 256] {
    let mut ranks = [0; 256];
    labels.iter().for_each(|label| ranks[usize::from(*label)] = 1);
    ranks.iter_mut().filter(|rank| **rank > 0).enumerate().for_each(|(i, rank)| *rank = i);
    ranks
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
        assert_eq!(pixels(image.view(), with_background.view()), expected);
        let without = arr2(&[[1, 1, 2], [2, 2, 1]]);
        let expected = arr2(&[
            [[0, 0, 0], [38, 38, 38], [108, 123, 177]],
            [[147, 162, 216], [186, 201, 255], [194, 194, 194]],
        ]);
        assert_eq!(pixels(image.view(), without.view()), expected);
    }

    #[test]
    fn an_empty_image_is_black() {
        let pixels = pixels(ndarray::Array2::zeros((1, 2)).view(), arr2(&[[0, 0]]).view());
        assert!(pixels.iter().all(|pixel| *pixel == BLACK));
    }
}
