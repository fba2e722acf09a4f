//! Loss over the learning rate: v1's `lr_finder.png`.

use std::path::Path;

use nnunet_formats::Result;
use plotters::chart::ChartBuilder;
use plotters::coord::combinators::IntoLogRange;
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color};

use crate::chart::{self, Area, BLUE, Drawn, label, px};

/// Draws the smoothed loss over the learning rate, whose axis is logarithmic.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn learning_rates(path: &Path, rates: &[f64], losses: &[f64]) -> Result<()> {
    chart::write(path, |area| draw(area, rates, losses))
}

fn draw(area: &Area<'_>, rates: &[f64], losses: &[f64]) -> Drawn {
    let positive = || rates.iter().copied().filter(|rate| rate.is_finite() && *rate > 0.0);
    let (low, high) = (positive().fold(f64::INFINITY, f64::min), positive().fold(0.0, f64::max));
    let across = if low < high { low..high } else { 1e-6..1.0 };
    let losses_range = chart::range(losses);
    let mut plot = ChartBuilder::on(area)
        .margin(px(30))
        .x_label_area_size(px(60))
        .y_label_area_size(px(100))
        .build_cartesian_2d(across.log_scale(), losses_range.clone())?;
    plot.configure_mesh()
        .bold_line_style(chart::grid())
        .light_line_style(BLACK.mix(0.0))
        .y_labels(10)
        .label_style(label(BLACK))
        .x_label_formatter(&|rate| format!("{rate:.0e}"))
        .y_label_formatter(&chart::ticks(&losses_range))
        .x_desc("learning rate")
        .y_desc("smoothed training loss")
        .draw()?;
    let points = rates.iter().copied().zip(losses.iter().copied());
    let finite = points.filter(|(rate, loss)| rate.is_finite() && loss.is_finite());
    plot.draw_series(LineSeries::new(finite, BLUE.stroke_width(px(2))))?;
    Ok(())
}
