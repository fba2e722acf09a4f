//! Resamplers: sizes, labels and scores on other grids.

use nnunet_plugin_core::ndarray::{Array3, Array4, Axis};
use nnunet_plugin_core::{
    Config, GridChange, Make, Resampler, resample_image, resample_labels, resample_scores, target_shape,
};

use crate::arrays::{finite, together};
use crate::findings::{Checked, Report, same, text};

const SHAPE: [usize; 3] = [4, 6, 5];
const SPACING: [f64; 3] = [3.0, 1.0, 1.0];
/// Coarser, finer, the same, and with an axis that was of much larger spacing.
const TARGETS: [[f64; 3]; 4] = [[6.0, 2.0, 2.0], [1.5, 0.7, 0.9], SPACING, [1.0, 1.0, 1.0]];

pub(crate) fn resampler(make: &Make<dyn Resampler>, report: &mut Report<'_>) {
    let Some(resampler) = report.made("is created from its defaults", make(&Config::new())) else { return };
    let resampler = &*resampler;
    for target in TARGETS {
        let of = |what: &str| format!("{what} of spacing {SPACING:?} at {target:?}");
        let run = || resample_image(resampler, image(), SPACING, target);
        if let Some(first) = report.made(&of("resamples an image"), run()) {
            report.note("gives numbers", finite(first.iter().copied()));
            report.note(
                "returns the same image on several threads at once",
                together(&first, || run().map_err(text)),
            );
        }
        if let Some(made) =
            report.made(&of("resamples labels"), resample_labels(resampler, labels(), SPACING, target))
        {
            report.note("returns labels that were there", known(&made));
        }
        // Back from the network's grid.
        let (network, change) = (
            target_shape(resampler, SHAPE, SPACING, target),
            GridChange { shape: SHAPE, from: target, to: SPACING },
        );
        let class = Array3::from_shape_fn(network, |(z, y, x)| ((z + 2 * y + x) % 5) as f32 - 2.0);
        if let Some(made) =
            report.made(&of("resamples scores back"), resample_scores(resampler, class, &change))
        {
            report.note("gives numbers", finite(made.iter().copied()));
        }
    }
    let constant = resample_image(resampler, Array4::ones((1, 3, 3, 3)), SPACING, TARGETS[1]);
    let constant = constant.map_err(text).and_then(|made| finite(made.iter().copied()));
    report.note("returns finite numbers for an image of one value", constant);
    let one = resample_labels(resampler, Array3::zeros((1, 1, 1)), SPACING, SPACING).map_err(text);
    report.note("accepts one voxel", one.and_then(|made| same(&made.dim(), &(1, 1, 1))));
}

fn image() -> Array4<f32> {
    let [z, y, x] = SHAPE;
    Array4::from_shape_fn((2, z, y, x), |(c, z, y, x)| ((c + z * 7 + y * 3 + x) % 13) as f32)
}

/// Background, two labels, and outside of the nonzero mask.
fn labels() -> Array3<f32> {
    image().index_axis_move(Axis(0), 0).mapv(|value| (value / 4.0).floor() - 1.0)
}

fn known(made: &Array3<f32>) -> Checked {
    let labels = labels();
    match made.iter().find(|value| !labels.iter().any(|label| label == *value)) {
        Some(label) => Err(format!("label {label} was not there before")),
        None => Ok(()),
    }
}
