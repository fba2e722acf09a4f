//! Training curves: v1's `progress.png`.

use std::path::Path;

use nnunet_formats::Result;

use crate::canvas::{BLACK, Canvas, Colour, GLYPH, GREY, WHITE};

const WIDTH: i64 = 1200;
const HEIGHT: i64 = 900;
const MARGIN: i64 = 110;
const TICKS: usize = 6;
const BLUE: Colour = [31, 60, 220];
const RED: Colour = [215, 40, 40];
const GREEN: Colour = [30, 150, 60];

/// Values by epoch. NaN is left out.
#[derive(Debug, Clone, Copy)]
pub struct Curves<'a> {
    /// Mean training loss.
    pub train_loss: &'a [f64],
    /// Mean validation loss.
    pub validation_loss: &'a [f64],
    /// Mean foreground Dice.
    pub metric: &'a [f64],
}

/// Draws losses on the left axis (training blue, validation red) and the metric on the right one (green, dashed).
///
/// # Errors
/// What the system says.
pub fn progress(path: &Path, curves: &Curves<'_>) -> Result<()> {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, WHITE);
    let epochs = curves.train_loss.len().max(2);
    let loss = Scale::over(&[curves.train_loss, curves.validation_loss]);
    let metric = Scale { low: 0.0, high: 1.0 };
    draw_axes(&mut canvas, epochs, &loss, &metric);
    draw_curve(&mut canvas, curves.train_loss, epochs, &loss, BLUE, None);
    draw_curve(&mut canvas, curves.validation_loss, epochs, &loss, RED, None);
    draw_curve(&mut canvas, curves.metric, epochs, &metric, GREEN, Some(12.0));
    let legend =
        [("loss_tr", BLUE), ("loss_val, train=False", RED), ("evaluation metric (right axis)", GREEN)];
    for (i, (name, colour)) in (0..).zip(legend) {
        let y = MARGIN / 4 + i * 3 * GLYPH;
        canvas.fill((MARGIN, y + GLYPH / 2), (40, 4), colour);
        canvas.text(MARGIN + 50, y, name, 2, BLACK);
    }
    canvas.save(path)
}

struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn over(curves: &[&[f64]]) -> Self {
        let values = curves.iter().flat_map(|curve| curve.iter().copied()).filter(|value| value.is_finite());
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low >= high { Self { low: low.min(0.0), high: low.max(0.0) + 1.0 } } else { Self { low, high } }
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        (HEIGHT - MARGIN) as f64 - share * (HEIGHT - 2 * MARGIN) as f64
    }

    fn at(&self, share: f64) -> f64 {
        self.low + share * (self.high - self.low)
    }
}

fn x(epoch: f64, epochs: usize) -> f64 {
    MARGIN as f64 + epoch / (epochs - 1) as f64 * (WIDTH - 2 * MARGIN) as f64
}

fn draw_axes(canvas: &mut Canvas, epochs: usize, loss: &Scale, metric: &Scale) {
    let (left, right) = (MARGIN as f64, (WIDTH - MARGIN) as f64);
    for tick in 0..TICKS {
        let share = tick as f64 / (TICKS - 1) as f64;
        let y = loss.y(loss.at(share));
        canvas.line((left, y), (right, y), 1, GREY, None);
        canvas.text(10, y as i64 - GLYPH, &format!("{:.2}", loss.at(share)), 2, BLACK);
        canvas.text(WIDTH - MARGIN + 15, y as i64 - GLYPH, &format!("{:.2}", metric.at(share)), 2, GREEN);
        let epoch = share * (epochs - 1) as f64;
        canvas.text(x(epoch, epochs) as i64 - GLYPH, HEIGHT - MARGIN + 15, &format!("{epoch:.0}"), 2, BLACK);
    }
    let (top, bottom) = (MARGIN as f64, (HEIGHT - MARGIN) as f64);
    canvas.line((left, top), (left, bottom), 2, BLACK, None);
    canvas.line((right, top), (right, bottom), 2, BLACK, None);
    canvas.line((left, bottom), (right, bottom), 2, BLACK, None);
    canvas.text(WIDTH / 2 - 3 * GLYPH * 2, HEIGHT - MARGIN / 2, "epoch", 2, BLACK);
}

fn draw_curve(
    canvas: &mut Canvas,
    values: &[f64],
    epochs: usize,
    scale: &Scale,
    colour: Colour,
    dash: Option<f64>,
) {
    let points: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_finite())
        .map(|(epoch, value)| (x(epoch as f64, epochs), scale.y(*value)))
        .collect();
    if let [(x, y)] = points.as_slice() {
        canvas.fill((*x as i64 - 3, *y as i64 - 3), (6, 6), colour);
    }
    points.windows(2).for_each(|pair| canvas.line(pair[0], pair[1], 3, colour, dash));
}
