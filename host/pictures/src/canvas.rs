//! Drawing on an RGB picture: pixels, lines, rectangles and small text.

use std::path::Path;

use font8x8::UnicodeFonts;
use image::{Rgb, RgbImage};
use nnunet_formats::{Error, Result, atomic};

pub(crate) type Colour = [u8; 3];
pub(crate) const BLACK: Colour = [0, 0, 0];
pub(crate) const WHITE: Colour = [255, 255, 255];
pub(crate) const GREY: Colour = [190, 190, 190];

/// Side of a character at scale 1.
pub(crate) const GLYPH: i64 = 8;

pub(crate) struct Canvas {
    image: RgbImage,
}

impl Canvas {
    pub(crate) fn new(width: i64, height: i64, background: Colour) -> Self {
        Self { image: RgbImage::from_pixel(width.max(1) as u32, height.max(1) as u32, Rgb(background)) }
    }

    pub(crate) fn put(&mut self, x: i64, y: i64, colour: Colour) {
        let (width, height) = self.image.dimensions();
        if (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y) {
            self.image.put_pixel(x as u32, y as u32, Rgb(colour));
        }
    }

    pub(crate) fn fill(&mut self, (x, y): (i64, i64), (width, height): (i64, i64), colour: Colour) {
        for dy in 0..height {
            for dx in 0..width {
                self.put(x + dx, y + dy, colour);
            }
        }
    }

    /// A line of some thickness; `dash` leaves every other stretch of that length out.
    pub(crate) fn line(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        thickness: i64,
        colour: Colour,
        dash: Option<f64>,
    ) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let steps = length.ceil().max(1.0) as usize;
        for step in 0..=steps {
            let t = step as f64 / steps as f64;
            if dash.is_some_and(|dash| (t * length / dash) as usize % 2 == 1) {
                continue;
            }
            let (x, y) = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
            let half = thickness / 2;
            self.fill((x.round() as i64 - half, y.round() as i64 - half), (thickness, thickness), colour);
        }
    }

    pub(crate) fn text(&mut self, x: i64, y: i64, text: &str, scale: i64, colour: Colour) {
        for (i, c) in text.chars().enumerate() {
            let Some(rows) = font8x8::BASIC_FONTS.get(c) else { continue };
            for (row, bits) in (0..).zip(rows) {
                for column in (0..GLYPH).filter(|column| bits >> column & 1 == 1) {
                    let left = x + (i as i64 * GLYPH + column) * scale;
                    self.fill((left, y + row * scale), (scale, scale), colour);
                }
            }
        }
    }

    /// Writes a PNG.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        self.image
            .write_to(&mut bytes, image::ImageFormat::Png)
            .map_err(|error| Error::io(path, std::io::Error::other(error)))?;
        atomic::write_bytes(path, bytes.get_ref())
    }
}
