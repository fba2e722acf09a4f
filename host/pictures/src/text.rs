//! Anti-aliased text in DejaVu Sans, which is embedded: machines without a display often have no fonts.

use std::sync::Once;

use image::RgbImage;
use plotters::backend::BitMapBackend;
use plotters::drawing::IntoDrawingArea;
use plotters::style::{FontStyle, IntoFont, RGBColor, TextStyle};

const FONT: &str = "sans-serif";

/// The font at a size, in pixels of the picture that is drawn on.
pub(crate) fn style(size: u32, color: RGBColor) -> TextStyle<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // It fails for a file that is not a font; a test looks for the text in a picture.
        let _ = plotters::style::register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
    });
    (FONT, size).into_font().color(&color)
}

/// Writes a line of text whose upper left corner is at (x, y).
pub(crate) fn write(image: &mut RgbImage, text: &str, at: (u32, u32), style: &TextStyle<'_>) {
    let size = image.dimensions();
    let area = BitMapBackend::with_buffer(image, size).into_drawing_area();
    // Drawing into memory fails only for a style without a font.
    let _ = area.draw_text(text, style, (at.0 as i32, at.1 as i32));
}

#[cfg(test)]
mod tests {
    use plotters::style::WHITE;

    use super::*;

    #[test]
    fn text_has_smooth_edges() {
        let mut image = RgbImage::new(120, 30);
        write(&mut image, "Dice 0.91", (2, 2), &style(18, WHITE));
        let levels =
            |range: std::ops::Range<u8>| image.pixels().filter(|pixel| range.contains(&pixel.0[0])).count();
        assert!(levels(200..255) > 20 && levels(20..200) > 20, "{} {}", levels(200..255), levels(20..200));
    }
}
