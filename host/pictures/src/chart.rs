//! What the charts share: size, colors, text, and writing the file.

use std::path::Path;

use image::RgbImage;
use image::imageops::{self, FilterType};
use nnunet_formats::{Error, Result};
use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::style::{BLACK, Color, RGBColor, ShapeStyle, TextStyle, WHITE};

use crate::{png, text};

/// Width and height of a chart, pixels.
pub(crate) const SIZE: (u32, u32) = (1200, 900);
/// plotters does not smooth lines: charts are drawn this many times as large and reduced.
const OVERSAMPLING: u32 = 2;

pub(crate) const BLUE: RGBColor = RGBColor(31, 60, 220);
pub(crate) const RED: RGBColor = RGBColor(215, 40, 40);
pub(crate) const GREEN: RGBColor = RGBColor(30, 150, 60);

pub(crate) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
pub(crate) type Drawn =
    std::result::Result<(), DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>>;

/// Pixels of the enlarged chart for `pixels` of the finished one.
pub(crate) const fn px(pixels: u32) -> u32 {
    pixels * OVERSAMPLING
}

/// Text of axes and legends.
pub(crate) fn label(color: RGBColor) -> TextStyle<'static> {
    text::style(px(18), color)
}

/// Draws a chart on white and writes it as a PNG.
///
/// # Errors
/// Returns an error if the chart cannot be drawn or the file cannot be written.
pub(crate) fn write(path: &Path, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<()> {
    let mut large = RgbImage::new(px(SIZE.0), px(SIZE.1));
    let size = large.dimensions();
    {
        let area = BitMapBackend::with_buffer(&mut large, size).into_drawing_area();
        let drawn = area.fill(&WHITE).and_then(|()| draw(&area)).and_then(|()| area.present());
        drawn.map_err(|error| Error::io(path, std::io::Error::other(error.to_string())))?;
    }
    png::write(path, &imageops::resize(&large, SIZE.0, SIZE.1, FilterType::Triangle))
}

/// The range of the finite values, with some space above and below.
pub(crate) fn range<'a>(values: impl IntoIterator<Item = &'a f64>) -> std::ops::Range<f64> {
    let finite = values.into_iter().copied().filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let space = match high - low {
        extent if extent > 0.0 => extent * 0.04,
        _ => 0.5,
    };
    if low <= high { low - space..high + space } else { 0.0..1.0 }
}

/// A thin gray line of the grid.
pub(crate) fn grid() -> ShapeStyle {
    BLACK.mix(0.15).stroke_width(px(1))
}

/// Writes the values of ticks: two digits after the point, or as many as tell about ten ticks in a range apart. What is
/// rounded to zero has no sign.
pub(crate) fn ticks(range: &std::ops::Range<f64>) -> impl Fn(&f64) -> String + use<> {
    // Steps are 1, 2, 2.5 or 5 of a power of ten.
    let step = (range.end - range.start) / 20.0;
    let digits = (-step.log10()).ceil().clamp(2.0, 12.0) as usize;
    move |value| {
        let scale = 10_f64.powi(digits as i32);
        format!("{:.digits$}", (value * scale).round() / scale + 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_a_small_range_differ() {
        let written = |range: std::ops::Range<f64>, values: &[f64]| -> Vec<String> {
            values.iter().map(ticks(&range)).collect()
        };
        assert_eq!(written(-1.0..0.5, &[-0.8, -0.001]), ["-0.80", "0.00"]);
        assert_eq!(written(0.679..0.717, &[0.70, 0.705, 0.71]), ["0.700", "0.705", "0.710"]);
    }
}
