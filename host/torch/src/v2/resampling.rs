//! The resamplers that a model's plans name.

use anyhow::{Context, Result, ensure};
use ndarray::{Array3, ArrayView3};
use nnunet_data::components;
use nnunet_engine::registry::Registry;
use nnunet_inference::ExportResampler;
use nnunet_numerics::Resampling as Splines;
use nnunet_plugin_api::{GridChange, Interpolation, Resampler, resample_scores};
use nnunet_preprocessing::Resamplers;

use super::plans::Configuration;

/// What resamples images, labels and scores.
pub(super) struct Resampling {
    /// Of images and labels.
    pub(super) inputs: Resamplers,
    scores: Box<dyn Resampler>,
}

/// A change of grid that asks for the interpolation only.
const ANY: GridChange = GridChange { shape: [1; 3], from: [1.0; 3], to: [1.0; 3] };

impl Resampling {
    /// # Errors
    /// Returns an error if a name or a parameter is not known, or if only some of images and scores keep their grid.
    pub(super) fn new(registry: &Registry, configuration: &Configuration) -> Result<Self> {
        let name = configuration.preprocessor_name.as_deref().unwrap_or("DefaultPreprocessor");
        let preprocessor = components::without_normalizations(registry, name)?;
        let inputs = components::resamplers(registry, &preprocessor, &configuration.resampling)?;
        let scores = configuration.resampling.probabilities()?;
        let (_, scores) = components::resampler(registry, &scores).context("resampling_fn_probabilities")?;
        ensure!(
            inputs.data.keeps_grid() == scores.keeps_grid(),
            "images and probabilities must both be resampled, or none"
        );
        Ok(Self { inputs, scores })
    }

    /// The program's interpolation that scores are resampled with, if there is one.
    fn interpolation(&self) -> Option<Interpolation> {
        self.scores.interpolation(&ANY)
    }

    /// Whether the component itself resamples scores.
    pub(super) fn is_by_component(&self) -> bool {
        self.interpolation().is_none()
    }

    /// Whether scores can only be resampled whole.
    pub(super) fn needs_whole_volume(&self) -> bool {
        self.interpolation().is_none_or(|interpolation| interpolation.order > 1)
    }

    /// Whether the program rounds scores to half precision.
    pub(super) fn rounds(&self) -> bool {
        self.interpolation().is_some_and(|interpolation| interpolation.half_precision)
    }

    /// How the program resamples scores; not used where the component does.
    pub(super) fn how(&self, change: &GridChange) -> Splines {
        let found = self.scores.interpolation(change).unwrap_or(Interpolation::of_order(1));
        Splines { order: found.order, order_z: found.order_z, separate: found.separate }
    }

    /// Scores of one class on the network's grid, in transposed order, to the cropped case, in its own.
    pub(super) fn scores(
        &self,
        class: ArrayView3<'_, f32>,
        grids: &ExportResampler,
        [from, to]: [[f64; 3]; 2],
    ) -> Result<Array3<f32>> {
        let mut shape = [0; 3];
        for (axis, len) in grids.transpose_backward.iter().zip(grids.cropped) {
            shape[*axis] = len;
        }
        let change = GridChange { shape, from, to };
        let resampled = resample_scores(&*self.scores, class.to_owned(), &change)?;
        Ok(resampled.permuted_axes(grids.transpose_backward).as_standard_layout().into_owned())
    }
}
