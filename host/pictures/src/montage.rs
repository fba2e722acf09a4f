//! Image, reference and prediction of cases side by side.

use std::path::Path;

use image::RgbImage;
use ndarray::{Array3, Axis};
use nnunet_formats::Result;
use plotters::style::WHITE;

use crate::labels::Gray;
use crate::slice::{draw, tile_size};
use crate::{png, text};

/// Shortest side of a tile, pixels.
const TILE: u32 = 256;
const GAP: u32 = 8;
/// Font size, and height of a line of text.
const FONT: u32 = 15;
const LINE: u32 = 20;
/// Caption of a row and titles of its tiles.
const HEADER: u32 = 2 * LINE + GAP / 2;
/// Room for captions above narrow tiles.
const NARROWEST: u32 = 320;
/// One case.
#[derive(Debug, Clone)]
pub struct MontageRow {
    /// Written above the row.
    pub caption: String,
    /// (z, y, x).
    pub image: Array3<f32>,
    /// Reference labels (z, y, x).
    pub reference: Array3<u8>,
    /// Predicted labels (z, y, x).
    pub prediction: Array3<u8>,
    /// (z, y, x) mm: pixels are drawn with their true proportions.
    pub spacing: [f64; 3],
}

/// Draws one row per case: image, reference and prediction of the slice with most foreground.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn montage(path: &Path, rows: &[MontageRow]) -> Result<()> {
    let sizes: Vec<(u32, u32)> = rows.iter().map(tile).collect();
    let width = sizes.iter().map(|(width, _)| 3 * width + 4 * GAP).max().unwrap_or(1);
    let height: u32 = sizes.iter().map(|(_, height)| height + HEADER + GAP).sum::<u32>() + GAP;
    let mut picture = RgbImage::new(width.max(NARROWEST), height);
    let mut top = GAP;
    for (row, size) in rows.iter().zip(sizes) {
        draw_row(&mut picture, row, top, size);
        top += size.1 + HEADER + GAP;
    }
    png::write(path, &picture)
}

fn tile(row: &MontageRow) -> (u32, u32) {
    let ((_, y, x), [_, dy, dx]) = (row.image.dim(), row.spacing);
    tile_size((y, x), [dy, dx], TILE)
}

fn draw_row(picture: &mut RgbImage, row: &MontageRow, top: u32, size: (u32, u32)) {
    let style = text::style(FONT, WHITE);
    text::write(picture, &row.caption, (GAP, top), &style);
    let slice = fullest_slice(&row.reference);
    let image = row.image.index_axis(Axis(0), slice);
    let gray = Gray::of(image.iter());
    let background = Array3::zeros(row.reference.dim());
    let tiles = [("image", &background), ("reference", &row.reference), ("prediction", &row.prediction)];
    for (column, (title, labels)) in (0..).zip(tiles) {
        let left = GAP + column * (size.0 + GAP);
        text::write(picture, title, (left, top + LINE), &style);
        draw(picture, (left, top + HEADER), size, (image, &gray), labels.index_axis(Axis(0), slice));
    }
}

/// The slice with most foreground; the middle one when there is none.
fn fullest_slice(labels: &Array3<u8>) -> usize {
    let counts: Vec<usize> =
        labels.outer_iter().map(|slice| slice.iter().filter(|label| **label > 0).count()).collect();
    let best = (0..counts.len()).max_by_key(|i| counts[*i]).unwrap_or(0);
    if counts.get(best) == Some(&0) { counts.len() / 2 } else { best }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.png");
        let labels = Array3::from_shape_fn((3, 10, 12), |(z, y, _)| u8::from(z == 1 && y > 4));
        let row = MontageRow {
            caption: "case_1".to_owned(),
            image: Array3::from_shape_fn((3, 10, 12), |(_, y, x)| (x + y) as f32),
            prediction: labels.clone(),
            reference: labels,
            spacing: [1.0, 1.0, 2.0],
        };
        montage(&path, &[row]).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        assert!(picture.width() > 3 * TILE && picture.pixels().any(|pixel| pixel.0[0] > pixel.0[2] + 20));
    }
}
