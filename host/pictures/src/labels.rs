//! Labels in color over a gray image, with the same color for a label in all slices.

use image::{Rgb, RgbImage};
use ndarray::ArrayView2;

use crate::png;

/// Weight of the label's color in a pixel.
const OPACITY: f32 = 0.45;
/// Colors of the labels 1, 2, ...; after the last they begin again.
pub(crate) const COLORS: [[u8; 3]; 8] = [
    [230, 60, 60],
    [70, 160, 250],
    [80, 200, 90],
    [240, 190, 40],
    [180, 90, 220],
    [250, 130, 40],
    [60, 210, 210],
    [240, 120, 180],
];

/// The color of a label; that of 0 is black.
#[must_use]
pub fn label_color(label: u16) -> [u8; 3] {
    match usize::from(label) {
        0 => [0; 3],
        label => COLORS[(label - 1) % COLORS.len()],
    }
}

/// How intensities become gray levels: the lowest black, the highest white.
#[derive(Debug, Clone, Copy)]
pub struct Gray {
    low: f32,
    high: f32,
}

impl Gray {
    /// The range of some intensities; those that are not finite do not count.
    pub fn of<'a>(values: impl Iterator<Item = &'a f32>) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        Self { low, high }
    }

    /// Gray level of an intensity, 0 to 255.
    pub(crate) fn level(&self, value: f32) -> f32 {
        255.0 * (value - self.low) / (self.high - self.low).max(f32::MIN_POSITIVE)
    }
}

/// A gray level with the color of a label; label 0 leaves it as it is.
pub(crate) fn blended(level: f32, label: u8) -> Rgb<u8> {
    if label == 0 {
        return Rgb([level as u8; 3]);
    }
    Rgb(label_color(label.into()).map(|part| (OPACITY * f32::from(part) + (1.0 - OPACITY) * level) as u8))
}

/// A slice (y, x) with its labels in color, one pixel a voxel, as the bytes of a PNG.
///
/// # Errors
/// Returns an error if the picture cannot be encoded.
pub fn labels_over(
    image: ArrayView2<'_, f32>,
    labels: ArrayView2<'_, u8>,
    gray: &Gray,
) -> std::io::Result<Vec<u8>> {
    let (height, width) = image.dim();
    let at = |x: u32, y: u32| {
        let at = (y as usize, x as usize);
        blended(gray.level(image[at]), labels[at])
    };
    png::encode(&RgbImage::from_fn(width as u32, height as u32, at))
}
