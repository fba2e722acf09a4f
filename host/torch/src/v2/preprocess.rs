//! v2's preprocessing: crop, transpose, normalise, then resample (`DefaultPreprocessor`).

use anyhow::{Context, Result, bail, ensure};
use ndarray::{Array3, Array4, ArrayViewMut3, Axis};
use nnunet_inference::WayBack;
use nnunet_numerics::stats::mean_std;
use nnunet_plugin_api::vocabulary::CaseProperties;
use nnunet_preprocessing::Cropped;

use super::plans::{Configuration, Plans};
use crate::cascade::network_input;

/// Guards quotients of images of one value.
const EPSILON: f32 = 1e-8;

/// A case on the network's grid, transposed, and what leads back.
pub(super) struct Case {
    /// (channels, z, y, x).
    pub(super) image: Array4<f32>,
    /// Size of the crop in transposed order.
    pub(super) cropped: [usize; 3],
    /// Spacing of the crop in transposed order.
    pub(super) spacing: [f64; 3],
    /// Spacing of the image.
    pub(super) target: [f64; 3],
}

impl Case {
    /// From a cropped case. With a number of labels the label map that was cropped with the image is the previous stage's:
    /// resampled, it becomes a channel for each of them.
    pub(super) fn new(
        cropped: Cropped,
        properties: &CaseProperties,
        plans: &Plans,
        configuration: &Configuration,
        foreground_labels: Option<usize>,
    ) -> Result<Self> {
        let order = plans.transpose_forward;
        let image = cropped.data.permuted_axes([0, order[0] + 1, order[1] + 1, order[2] + 1]);
        let mut image = image.as_standard_layout().into_owned();
        let seg = cropped.seg.permuted_axes(order).as_standard_layout().into_owned();
        let spacing = order.map(|axis| properties.original_spacing[axis]);
        let target = configuration.target(spacing);
        let schemes = configuration.normalization_schemes.iter().zip(&configuration.use_mask_for_norm);
        ensure!(
            schemes.len() == image.dim().0,
            "the model wants {} channels, not {}",
            schemes.len(),
            image.dim().0
        );
        for (channel, ((scheme, mask), data)) in schemes.zip(image.axis_iter_mut(Axis(0))).enumerate() {
            normalize(data, scheme, mask.then_some(&seg), plans, channel)?;
        }
        let (_, z, y, x) = image.dim();
        let image = configuration.data().image(image, spacing, target);
        let image = match foreground_labels {
            None => image,
            Some(count) => {
                network_input(image.view(), &configuration.labels().labels(seg, spacing, target), count)?
            }
        };
        Ok(Self { image, cropped: [z, y, x], spacing, target })
    }

    /// The way back. Axes of the resampling are those of the raw image there.
    pub(super) fn way_back(&self, plans: &Plans, configuration: &Configuration) -> WayBack {
        let (_, z, y, x) = self.image.dim();
        let mut how = configuration.probabilities().how(self.target, self.spacing);
        how.separate = how.separate.map(|axis| plans.transpose_forward[axis]);
        let back = plans.transpose_backward;
        WayBack {
            transpose_backward: back,
            network: [z, y, x],
            cropped: back.map(|axis| self.cropped[axis]),
            how,
        }
    }
}

/// Normalises a channel in place; with a mask only where the label map is not negative.
fn normalize(
    mut data: ArrayViewMut3<'_, f32>,
    scheme: &str,
    mask: Option<&Array3<f32>>,
    plans: &Plans,
    channel: usize,
) -> Result<()> {
    match scheme {
        "ZScoreNormalization" => {
            let inside = |label: &f32| *label >= 0.0;
            let values: Vec<f32> = match mask {
                Some(seg) => {
                    data.iter().zip(seg).filter(|(_, label)| inside(label)).map(|(v, _)| *v).collect()
                }
                None => data.iter().copied().collect(),
            };
            let (mean, std) = mean_std(&values);
            let (mean, std) = (mean as f32, (std as f32).max(EPSILON));
            match mask {
                Some(seg) => ndarray::Zip::from(&mut data).and(seg).for_each(|value, label| {
                    if inside(label) {
                        *value = (*value - mean) / std;
                    }
                }),
                None => data.mapv_inplace(|value| (value - mean) / std),
            }
        }
        "CTNormalization" => {
            let found =
                plans.intensities(channel).context("plans.json lacks the foreground intensities of CT")?;
            let (low, high) = (found.percentile_00_5 as f32, found.percentile_99_5 as f32);
            let (mean, std) = (found.mean as f32, (found.std as f32).max(EPSILON));
            data.mapv_inplace(|value| (value.clamp(low, high) - mean) / std);
        }
        "NoNormalization" => {}
        "RescaleTo01Normalization" => {
            let low = data.iter().copied().fold(f32::INFINITY, f32::min);
            let high = data.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let range = (high - low).max(EPSILON);
            data.mapv_inplace(|value| (value - low) / range);
        }
        "RGBTo01Normalization" => data.mapv_inplace(|value| value / 255.0),
        other => bail!("normalisation {other} is not known here"),
    }
    Ok(())
}
