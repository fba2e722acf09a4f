//! From the scores of v2's networks to what labels are taken from.

use ndarray::Array4;
use nnunet_inference::{SegmentationHeads, sigmoid, softmax};
use nnunet_plugin_api::tch::{Kind, Tensor};

use super::plans::Configuration;

/// What becomes of scores on the grid of a cropped case.
pub(super) struct ScoreRules<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) heads: &'a SegmentationHeads,
    /// Probabilities are written too.
    pub(super) probabilities: bool,
}

impl ScoreRules<'_> {
    /// Splines return logits in half precision, as in v2. Where labels exclude each other the largest logit is the
    /// largest probability, so that softmax is only needed for probabilities that are written.
    pub(super) fn finish(&self, scores: &mut Array4<f32>, resampled: bool) {
        if resampled && self.configuration.probabilities().keeps_half_precision() {
            scores.mapv_inplace(|value| half::f16::from_f32(value).to_f32());
        }
        match self.heads {
            SegmentationHeads::Regions(_) => sigmoid(scores),
            SegmentationHeads::Labels(_) if self.probabilities => softmax(scores),
            SegmentationHeads::Labels(_) => {}
        }
    }

    /// As [`ScoreRules::finish`], for scores on a GPU of which only labels are taken.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub(super) fn finish_tensor(&self, scores: Tensor, resampled: bool) -> nnunet_plugin_api::Result<Tensor> {
        let rounds = resampled && self.configuration.probabilities().keeps_half_precision();
        let scores = if rounds { scores.f_to_kind(Kind::Half)?.f_to_kind(Kind::Float)? } else { scores };
        Ok(match self.heads {
            SegmentationHeads::Regions(_) => scores.f_sigmoid()?,
            SegmentationHeads::Labels(_) => scores,
        })
    }
}
