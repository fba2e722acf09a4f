//! Training curves: v1's `progress.png`.

use std::path::Path;

use nnunet_formats::Result;
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, DashedPathElement, PathElement, Text};
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::{BLACK, Color, RGBColor, ShapeStyle};

use crate::chart::{self, Area, BLUE, Drawn, GREEN, RED, SIZE, label, px};
use crate::labels::COLORS;

/// Height of the legend above the curves, and of its second line with the labels.
const LEGEND: u32 = px(50);
const LABELS: u32 = px(30);
/// Labels whose curves are drawn; more would hide each other.
const MOST_LABELS: usize = 6;
/// Letters of a label's name that have room in the legend.
const MOST_LETTERS: usize = 14;

/// Values by epoch. NaN is left out.
#[derive(Debug, Clone, Copy)]
pub struct Curves<'a> {
    /// Mean training loss.
    pub train_loss: &'a [f64],
    /// Mean validation loss.
    pub validation_loss: &'a [f64],
    /// Mean foreground Dice.
    pub metric: &'a [f64],
    /// Dice by label with its name.
    pub by_label: &'a [(&'a str, &'a [f64])],
}

impl Curves<'_> {
    /// The labels that are drawn, with their colors. Of one label the mean is the same.
    fn labels(&self) -> impl Iterator<Item = (&str, &[f64], RGBColor)> {
        let drawn = if self.by_label.len() > 1 { MOST_LABELS } else { 0 };
        let color = |[r, g, b]: [u8; 3]| RGBColor(r, g, b);
        self.by_label
            .iter()
            .take(drawn)
            .zip(COLORS)
            .map(move |((name, dice), rgb)| (*name, *dice, color(rgb)))
    }
}

/// Draws the losses on the left axis (training blue, validation red) and the metric on the right one (green, dashed),
/// with thin lines for the Dice of the first labels.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn progress(path: &Path, curves: &Curves<'_>) -> Result<()> {
    chart::write(path, |area| {
        let lines = if curves.labels().next().is_some() { LABELS } else { 0 };
        let (legend, plot) = area.split_vertically(LEGEND + lines);
        draw_legend(&legend)?;
        draw_labels(&legend, curves)?;
        draw_curves(&plot, curves)
    })
}

fn draw_legend(area: &Area<'_>) -> Drawn {
    let entries = [
        (110, "loss_tr", BLUE),
        (260, "loss_val, train=False", RED),
        (560, "evaluation metric (right axis)", GREEN),
    ];
    for (left, name, color) in entries {
        let (x, y) = (px(left) as i32, px(30) as i32);
        let line = [(x, y), (x + px(40) as i32, y)];
        if color == GREEN {
            area.draw(&DashedPathElement::new(line, px(10), px(5), stroke(color)))?;
        } else {
            area.draw(&PathElement::new(line, stroke(color)))?;
        }
        area.draw(&Text::new(name, (x + px(50) as i32, y - px(9) as i32), label(BLACK)))?;
    }
    Ok(())
}

/// The second line of the legend.
fn draw_labels(area: &Area<'_>, curves: &Curves<'_>) -> Drawn {
    let y = (LEGEND + px(8)) as i32;
    let width = (px(SIZE.0) - px(110)) as i32 / MOST_LABELS as i32;
    for (index, (name, _, color)) in curves.labels().enumerate() {
        let x = px(110) as i32 + width * index as i32;
        area.draw(&PathElement::new([(x, y), (x + px(25) as i32, y)], color.stroke_width(px(1))))?;
        let name: String = name.chars().take(MOST_LETTERS).collect();
        area.draw(&Text::new(name, (x + px(30) as i32, y - px(9) as i32), label(BLACK)))?;
    }
    Ok(())
}

fn draw_curves(area: &Area<'_>, curves: &Curves<'_>) -> Drawn {
    let epochs = 0..curves.train_loss.len().max(2) - 1;
    let losses = chart::range(curves.train_loss.iter().chain(curves.validation_loss));
    let mut plot = ChartBuilder::on(area)
        .margin(px(20))
        .x_label_area_size(px(60))
        .y_label_area_size(px(90))
        .right_y_label_area_size(px(90))
        .build_cartesian_2d(epochs.clone(), losses.clone())?
        .set_secondary_coord(epochs, 0.0..1.0);
    plot.configure_mesh()
        .disable_x_mesh()
        .bold_line_style(chart::grid())
        .light_line_style(BLACK.mix(0.0))
        .x_labels(10)
        .y_labels(10)
        .label_style(label(BLACK))
        .y_label_formatter(&chart::ticks(&losses))
        .x_desc("epoch")
        .y_desc("loss")
        .draw()?;
    plot.configure_secondary_axes()
        .y_labels(10)
        .label_style(label(GREEN))
        .y_label_formatter(&|metric| format!("{metric:.1}"))
        .y_desc("evaluation metric")
        .draw()?;
    for (values, color) in [(curves.train_loss, BLUE), (curves.validation_loss, RED)] {
        plot.draw_series(LineSeries::new(points(values), stroke(color)))?;
        plot.draw_series(single(values, color))?;
    }
    for (_, dice, color) in curves.labels() {
        plot.draw_secondary_series(LineSeries::new(points(dice), color.stroke_width(px(1))))?;
    }
    plot.draw_secondary_series(DashedLineSeries::new(points(curves.metric), px(10), px(5), stroke(GREEN)))?;
    plot.draw_secondary_series(single(curves.metric, GREEN))?;
    Ok(())
}

fn stroke(color: RGBColor) -> ShapeStyle {
    color.stroke_width(px(2))
}

/// Epoch and value, without values that are not finite.
fn points(values: &[f64]) -> impl Iterator<Item = (usize, f64)> + Clone + '_ {
    values.iter().copied().enumerate().filter(|(_, value)| value.is_finite())
}

/// A dot in place of a curve of one value, which has no line.
fn single(values: &[f64], color: RGBColor) -> Option<Circle<(usize, f64), u32>> {
    match points(values).collect::<Vec<_>>().as_slice() {
        [point] => Some(Circle::new(*point, px(4), color.filled())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Curves<'static> =
        Curves { train_loss: &[], validation_loss: &[], metric: &[], by_label: &[] };

    fn drawn(curves: &Curves<'_>) -> image::RgbImage {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress.png");
        progress(&path, curves).unwrap();
        image::open(&path).unwrap().to_rgb8()
    }

    fn count(picture: &image::RgbImage, color: RGBColor) -> usize {
        picture.pixels().filter(|pixel| pixel.0 == [color.0, color.1, color.2]).count()
    }

    #[test]
    fn every_curve_is_drawn_in_its_color() {
        let none = drawn(&NONE);
        let all = drawn(&Curves {
            train_loss: &[0.5, 0.1],
            validation_loss: &[0.6, 0.2],
            metric: &[0.1, 0.8],
            ..NONE
        });
        for color in [BLUE, RED, GREEN] {
            assert!(count(&all, color) > count(&none, color) + 100, "{color:?}");
        }
    }

    #[test]
    fn labels_are_drawn_where_there_are_several() {
        let [one, two] = [[0.2, 0.9], [0.9, 0.2]];
        let labels: [(&str, &[f64]); 2] = [("1 (liver)", &one), ("2 (tumor)", &two)];
        let with = |by_label| drawn(&Curves { by_label, metric: &[0.5, 0.5], ..NONE });
        // Thin lines are blended with what is behind them.
        let near = |pixel: &image::Rgb<u8>| pixel.0.iter().zip(COLORS[1]).all(|(a, b)| a.abs_diff(b) < 60);
        let drawn = |labels| with(labels).pixels().filter(|pixel| near(pixel)).count();
        assert!(drawn(&labels) > drawn(&[]) + 100, "{} {}", drawn(&labels), drawn(&[]));
        assert_eq!(with(&labels[..1]), with(&[]));
    }

    #[test]
    fn a_single_epoch_is_a_dot_and_nan_is_left_out() {
        let none = drawn(&NONE);
        let one =
            drawn(&Curves { train_loss: &[0.5], validation_loss: &[f64::NAN], metric: &[f64::NAN], ..NONE });
        assert!(count(&one, BLUE) > count(&none, BLUE) + 20);
        assert_eq!(count(&one, RED), count(&none, RED));
    }

    #[test]
    fn text_is_drawn() {
        let picture = drawn(&NONE);
        let dark = picture
            .enumerate_pixels()
            .filter(|(x, y, pixel)| *x > 160 && *x < 250 && *y < 50 && pixel.0[0] < 128);
        assert!(dark.count() > 50, "the legend has text");
    }
}
