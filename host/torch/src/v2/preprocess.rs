//! v2's preprocessing: crop, transpose, normalize, then resample (`DefaultPreprocessor`).

use anyhow::{Context, Result, ensure};
use ndarray::{Array4, Axis};
use nnunet_inference::ExportResampler;
use nnunet_plugin_api::vocabulary::CaseProperties;
use nnunet_plugin_api::{
    GridChange, NormalizationContext, normalize_channel, resample_image, resample_labels,
};
use nnunet_preprocessing::{Cropped, Normalizations};

use super::plans::{Configuration, Plans};
use super::resampling::Resampling;
use crate::cascade::network_input;

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
    /// From a cropped case. With a number of labels the label map that was cropped with the image is the previous
    /// stage's: resampled, it becomes a channel for each of them.
    pub(super) fn new(
        cropped: Cropped,
        properties: &CaseProperties,
        plans: &Plans,
        configuration: &Configuration,
        (normalizations, resampling): (&Normalizations, &Resampling),
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
            "the model needs {} channels, not {}",
            schemes.len(),
            image.dim().0
        );
        for (channel, ((scheme, use_mask), data)) in schemes.zip(image.axis_iter_mut(Axis(0))).enumerate() {
            let normalization = normalizations.get(scheme).context("a normalization has not been made")?;
            let mut context = NormalizationContext::new(channel, seg.view());
            context.use_mask = *use_mask;
            context.intensities = plans.intensities(channel);
            normalize_channel(&**normalization, data, &context)
                .with_context(|| format!("normalization {scheme} of channel {channel}"))?;
        }
        let (_, z, y, x) = image.dim();
        let resamplers = &resampling.inputs;
        let image = resample_image(&*resamplers.data, image, spacing, target)?;
        let image = match foreground_labels {
            None => image,
            Some(count) => {
                let labels = resample_labels(&*resamplers.labels, seg, spacing, target)?;
                network_input(image.view(), &labels, count)?
            }
        };
        Ok(Self { image, cropped: [z, y, x], spacing, target })
    }

    /// The resampler of scores; the axes of its resampling are those of the raw image.
    pub(super) fn resampler(&self, plans: &Plans, resampling: &Resampling) -> ExportResampler {
        let (_, z, y, x) = self.image.dim();
        let change = GridChange { shape: self.cropped, from: self.target, to: self.spacing };
        let mut how = resampling.how(&change);
        how.separate = how.separate.map(|axis| plans.transpose_forward[axis]);
        let back = plans.transpose_backward;
        ExportResampler {
            transpose_backward: back,
            network: [z, y, x],
            cropped: back.map(|axis| self.cropped[axis]),
            how,
        }
    }
}
