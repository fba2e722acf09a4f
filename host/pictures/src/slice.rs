//! A slice with its labels in color, and their names below it.

use std::collections::BTreeSet;
use std::path::Path;

use image::{Rgb, RgbImage};
use ndarray::ArrayView2;
use nnunet_formats::Result;
use plotters::style::RGBColor;

use crate::labels::{Gray, blended, label_color};
use crate::{png, text};

/// Shortest side of the slice, pixels.
const SHORTEST: u32 = 512;
/// No side becomes longer than this, pixels.
const LONGEST: u32 = 4096;
const GAP: u32 = 8;
/// Font size, and height of a line of text.
const FONT: u32 = 15;
const LINE: u32 = 20;

/// A slice (y, x) of an image with its labels.
#[derive(Debug, Clone, Copy)]
pub struct LabelledSlice<'a> {
    /// Intensities.
    pub image: ArrayView2<'a, f32>,
    /// Labels.
    pub labels: ArrayView2<'a, u8>,
    /// (y, x) mm: the slice is drawn with its true proportions.
    pub spacing: [f64; 2],
}

/// Draws a slice, and below it the `name` of each label that occurs in it, in the label's color.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn labelled_slice(path: &Path, slice: &LabelledSlice<'_>, name: impl Fn(u8) -> String) -> Result<()> {
    let found: BTreeSet<u8> = slice.labels.iter().copied().filter(|label| *label > 0).collect();
    let (width, height) = tile_size(slice.image.dim(), slice.spacing, SHORTEST);
    let mut picture = RgbImage::new(width, height + found.len() as u32 * LINE + GAP);
    let gray = Gray::of(slice.image.iter());
    draw(&mut picture, (0, 0), (width, height), (slice.image, &gray), slice.labels);
    for (line, label) in (0..).zip(found) {
        let (top, color) = (height + GAP / 2 + line * LINE, label_color(label.into()));
        for (x, y) in (0..FONT).flat_map(|x| (0..FONT).map(move |y| (x, y))).filter(|(x, _)| GAP + x < width)
        {
            picture.put_pixel(GAP + x, top + y, Rgb(color));
        }
        let [red, green, blue] = color;
        let style = text::style(FONT, RGBColor(red, green, blue));
        text::write(&mut picture, &name(label), (2 * GAP + FONT, top), &style);
    }
    png::write(path, &picture)
}

/// Width and height in pixels of a slice of so many rows and columns, whose shorter side has `shortest` pixels.
pub(crate) fn tile_size((rows, columns): (usize, usize), spacing: [f64; 2], shortest: u32) -> (u32, u32) {
    let (height, width) = (rows as f64 * spacing[0], columns as f64 * spacing[1]);
    let scale = f64::from(shortest) / height.min(width).max(1e-6);
    let scale = scale.min(f64::from(LONGEST) / height.max(width));
    let pixels = |len: f64| ((len * scale).round() as u32).max(1);
    (pixels(width), pixels(height))
}

/// Draws a slice into a picture.
pub(crate) fn draw(
    picture: &mut RgbImage,
    (left, top): (u32, u32),
    (width, height): (u32, u32),
    (image, gray): (ArrayView2<'_, f32>, &Gray),
    labels: ArrayView2<'_, u8>,
) {
    let (rows, columns) = image.dim();
    for y in 0..height {
        for x in 0..width {
            let at = (y as usize * rows / height as usize, x as usize * columns / width as usize);
            picture.put_pixel(left + x, top + y, blended(gray.level(image[at]), labels[at]));
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn a_small_slice_becomes_readable_in_the_colors_of_its_labels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.png");
        let image = Array2::from_shape_fn((20, 30), |(y, x)| (x + y) as f32);
        // The second label alone: its color does not depend on the others.
        let labels = Array2::from_shape_fn((20, 30), |(y, _)| if y < 10 { 2 } else { 0 });
        let slice = LabelledSlice { image: image.view(), labels: labels.view(), spacing: [1.0, 2.0] };
        labelled_slice(&path, &slice, |label| format!("{label} Posterior")).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (1536, 512 + LINE + GAP));
        let colored = |pixel: &Rgb<u8>| pixel.0[2] > pixel.0[0] + 20;
        assert!(colored(picture.get_pixel(700, 100)) && !colored(picture.get_pixel(700, 400)));
        let below = (0..1536).flat_map(|x| (512 + GAP / 2..512 + LINE).map(move |y| (x, y)));
        let inked = below.filter(|(x, y)| *x > 2 * GAP + FONT && colored(picture.get_pixel(*x, *y))).count();
        assert!(inked > 50, "{inked} pixels of the name");
    }

    #[test]
    fn a_slice_of_one_row_does_not_become_endless() {
        assert_eq!(tile_size((1, 10_000), [1.0, 1.0], SHORTEST), (LONGEST, 1));
    }
}
