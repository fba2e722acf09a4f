//! The learning-rate sweep: v1's `lr_finder.png`.

use std::path::Path;

use nnunet_formats::Result;

use crate::canvas::{BLACK, Canvas, Colour, GLYPH, GREY, WHITE};

const WIDTH: i64 = 1200;
const HEIGHT: i64 = 800;
const MARGIN: i64 = 110;
const TICKS: usize = 6;
const BLUE: Colour = [31, 60, 220];

/// Draws the smoothed loss over the learning rate, whose axis is logarithmic.
///
/// # Errors
/// What the system says.
pub fn learning_rates(path: &Path, rates: &[f64], losses: &[f64]) -> Result<()> {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, WHITE);
    let exponents: Vec<f64> = rates.iter().map(|rate| rate.log10()).collect();
    let (across, up) =
        (Axis::over(&exponents, MARGIN, WIDTH - MARGIN), Axis::over(losses, HEIGHT - MARGIN, MARGIN));
    for tick in 0..TICKS {
        let share = tick as f64 / (TICKS - 1) as f64;
        let (exponent, loss) = (across.at(share), up.at(share));
        let (x, y) = (across.pixel(exponent), up.pixel(loss));
        canvas.line((MARGIN as f64, y), ((WIDTH - MARGIN) as f64, y), 1, GREY, None);
        canvas.text(10, y as i64 - GLYPH, &format!("{loss:.3}"), 2, BLACK);
        canvas.text(
            x as i64 - 4 * GLYPH,
            HEIGHT - MARGIN + 15,
            &format!("{:.0e}", 10.0_f64.powf(exponent)),
            2,
            BLACK,
        );
    }
    canvas.text(WIDTH / 2 - 13 * GLYPH, HEIGHT - MARGIN / 2, "learning rate", 2, BLACK);
    canvas.text(MARGIN, MARGIN / 3, "smoothed training loss", 2, BLACK);
    let points: Vec<(f64, f64)> =
        exponents.iter().zip(losses).map(|(x, y)| (across.pixel(*x), up.pixel(*y))).collect();
    points.windows(2).for_each(|pair| canvas.line(pair[0], pair[1], 3, BLUE, None));
    canvas.save(path)
}

/// From values to pixels.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: &[f64], from: i64, to: i64) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
        Self { low, high, from: from as f64, to: to as f64 }
    }

    fn at(&self, share: f64) -> f64 {
        self.low + share * (self.high - self.low)
    }

    fn pixel(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }
}
