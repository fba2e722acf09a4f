//! Image, truth and prediction of cases side by side.

use std::path::Path;

use ndarray::{Array3, ArrayView2, Axis};
use nnunet_formats::Result;

use crate::canvas::{BLACK, Canvas, Colour, GLYPH, WHITE};

/// Shortest side of a tile, pixels.
const TILE: i64 = 256;
const GAP: i64 = 8;
const CAPTION: i64 = 2 * GLYPH + 2 * GAP;
/// Share of the label's colour in a pixel.
const OPACITY: f32 = 0.45;
/// Colours of the labels 1, 2, ...
const COLOURS: [Colour; 8] = [
    [230, 60, 60],
    [70, 160, 250],
    [80, 200, 90],
    [240, 190, 40],
    [180, 90, 220],
    [250, 130, 40],
    [60, 210, 210],
    [240, 120, 180],
];

/// One case.
#[derive(Debug, Clone)]
pub struct MontageRow {
    /// Written above the row.
    pub caption: String,
    /// (z, y, x).
    pub image: Array3<f32>,
    /// (z, y, x).
    pub truth: Array3<u8>,
    /// (z, y, x).
    pub prediction: Array3<u8>,
    /// (z, y, x) mm: pixels are drawn with their true proportions.
    pub spacing: [f64; 3],
}

/// Draws one row a case: image, truth and prediction at the slice with most foreground.
///
/// # Errors
/// What the system says.
pub fn montage(path: &Path, rows: &[MontageRow]) -> Result<()> {
    let sizes: Vec<(i64, i64)> = rows.iter().map(tile_size).collect();
    let width = sizes.iter().map(|(width, _)| 3 * width + 4 * GAP).max().unwrap_or(1);
    let height: i64 = sizes.iter().map(|(_, height)| height + CAPTION + GAP).sum::<i64>() + GAP;
    let mut canvas = Canvas::new(width.max(40 * GLYPH), height, BLACK);
    let mut top = GAP;
    for (row, size) in rows.iter().zip(sizes) {
        draw_row(&mut canvas, row, top, size);
        top += size.1 + CAPTION + GAP;
    }
    canvas.save(path)
}

fn tile_size(row: &MontageRow) -> (i64, i64) {
    let (_, y, x) = row.image.dim();
    let (height, width) = (y as f64 * row.spacing[1], x as f64 * row.spacing[2]);
    let scale = TILE as f64 / height.min(width).max(1e-6);
    ((width * scale).round() as i64, (height * scale).round() as i64)
}

fn draw_row(canvas: &mut Canvas, row: &MontageRow, top: i64, size: (i64, i64)) {
    canvas.text(GAP, top, &row.caption, 1, WHITE);
    let slice = fullest_slice(&row.truth);
    let image = row.image.index_axis(Axis(0), slice);
    let (low, high) =
        image.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let grey = image.mapv(|value| 255.0 * (value - low) / (high - low).max(f32::MIN_POSITIVE));
    let nothing = Array3::zeros(row.truth.dim());
    for (i, (title, labels)) in
        [("image", &nothing), ("truth", &row.truth), ("prediction", &row.prediction)].iter().enumerate()
    {
        let left = GAP + i as i64 * (size.0 + GAP);
        canvas.text(left, top + GLYPH + GAP / 2, title, 1, WHITE);
        draw_tile(canvas, (left, top + CAPTION), size, grey.view(), labels.index_axis(Axis(0), slice));
    }
}

fn draw_tile(
    canvas: &mut Canvas,
    (left, top): (i64, i64),
    (width, height): (i64, i64),
    grey: ArrayView2<'_, f32>,
    labels: ArrayView2<'_, u8>,
) {
    let (rows, columns) = grey.dim();
    for y in 0..height {
        for x in 0..width {
            let at = (y as usize * rows / height as usize, x as usize * columns / width as usize);
            let value = grey[at];
            let pixel = match labels[at] {
                0 => [value as u8; 3],
                label => {
                    let colour = COLOURS[(usize::from(label) - 1) % COLOURS.len()];
                    colour.map(|part| (OPACITY * f32::from(part) + (1.0 - OPACITY) * value) as u8)
                }
            };
            canvas.put(left + x, top + y, pixel);
        }
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
            truth: labels,
            spacing: [1.0, 1.0, 2.0],
        };
        montage(&path, &[row]).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        assert!(
            picture.width() > 3 * TILE as u32 && picture.pixels().any(|pixel| pixel.0[0] > pixel.0[2] + 20)
        );
    }
}
