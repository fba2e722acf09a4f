//! From the scores of v2's networks to what labels are taken from.

use anyhow::Result;
use ndarray::{Array3, Array4, ArrayView3};
use nnunet_inference::{ExportResampler, SegmentationHeads, from_tensor, sigmoid, softmax, to_tensor};
use nnunet_plugin_api::TaskHead;
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::vocabulary::CaseProperties;

use super::plans::Configuration;
use super::resampling::Resampling;

/// What becomes of scores on the grid of a cropped case.
pub(super) struct ScoreRules<'a> {
    /// Axis order of preprocessed arrays.
    pub(super) order: [usize; 3],
    pub(super) configuration: &'a Configuration,
    pub(super) resampling: &'a Resampling,
    pub(super) heads: &'a SegmentationHeads,
    /// A head of a component, which makes the scores instead.
    pub(super) head: Option<&'a TaskHead>,
    /// Probabilities are written too.
    pub(super) probabilities: bool,
}

impl ScoreRules<'_> {
    /// Scores of one class to the grid of the cropped case.
    ///
    /// # Errors
    /// Returns the error of the resampler.
    pub(super) fn resample_class(
        &self,
        class: ArrayView3<'_, f32>,
        grids: &ExportResampler,
        case: &CaseProperties,
    ) -> Result<Array3<f32>> {
        if !self.resampling.is_by_component() {
            return Ok(grids.whole(class));
        }
        let spacing = self.order.map(|axis| case.original_spacing[axis]);
        self.resampling.scores(class, grids, [self.configuration.target(spacing), spacing])
    }

    /// Splines return logits in half precision, as in v2. Where labels exclude each other the largest logit is the
    /// largest probability, so that softmax is only needed for probabilities that are written.
    ///
    /// # Errors
    /// Returns the error of the head.
    pub(super) fn finish(&self, scores: &mut Array4<f32>, resampled: bool) -> Result<()> {
        if resampled && self.resampling.rounds() {
            scores.mapv_inplace(|value| half::f16::from_f32(value).to_f32());
        }
        if let Some(head) = self.head {
            let outputs = to_tensor(scores.view())?.f_unsqueeze(0)?;
            *scores = from_tensor(&head.scores(&outputs)?.f_squeeze_dim(0)?)?;
            return Ok(());
        }
        match self.heads {
            SegmentationHeads::Regions(_) => sigmoid(scores),
            SegmentationHeads::Labels(_) if self.probabilities => softmax(scores),
            SegmentationHeads::Labels(_) => {}
        }
        Ok(())
    }

    /// As [`ScoreRules::finish`], for scores on a GPU of which only labels are taken.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub(super) fn finish_tensor(&self, scores: Tensor, resampled: bool) -> nnunet_plugin_api::Result<Tensor> {
        let rounds = resampled && self.resampling.rounds();
        let scores = if rounds { scores.f_to_kind(Kind::Half)?.f_to_kind(Kind::Float)? } else { scores };
        Ok(match self.heads {
            SegmentationHeads::Regions(_) => scores.f_sigmoid()?,
            SegmentationHeads::Labels(_) => scores,
        })
    }
}
