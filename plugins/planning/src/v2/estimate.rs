//! Sum of the feature maps of v2's networks (`compute_conv_feature_map_size`).

use nnunet_plugin_core::V2Network;

/// A network whose size is estimated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network<'a> {
    pub(super) kind: V2Network,
    /// By stage.
    pub(super) features: &'a [usize],
    /// Stride before every stage; the first is 1.
    pub(super) strides: &'a [Vec<usize>],
    /// Convolutions or residual blocks by encoder stage.
    pub(super) encoder: &'a [usize],
    /// Convolutions by decoder stage, from the bottom up.
    pub(super) decoder: &'a [usize],
    /// Names in `dataset.json`, background and `ignore` among them.
    pub(super) labels: usize,
}

impl Network<'_> {
    /// Elements of all feature maps of one sample.
    pub(super) fn feature_maps(&self, patch: &[usize]) -> f64 {
        let sizes = self.sizes(patch);
        let encoder: usize = (0..sizes.len()).map(|stage| self.encoder_stage(stage, &sizes)).sum();
        let stem = match self.kind {
            V2Network::PlainConvUnet => 0,
            V2Network::ResidualEncoderUnet => self.features[0] * voxels(patch),
        };
        let stages = sizes.len() - 1;
        // A transposed convolution comes before the convolutions of every decoder stage.
        let convolutions = |step: usize| (self.decoder[step] + 1) * self.features[stages - 1 - step];
        let decoder: usize =
            (0..stages).map(|step| convolutions(step) * voxels(&sizes[stages - 1 - step])).sum();
        let output = if stages > 0 { self.labels * voxels(&sizes[0]) } else { 0 };
        (stem + encoder + decoder + output) as f64
    }

    fn encoder_stage(&self, stage: usize, sizes: &[Vec<usize>]) -> usize {
        let maps = match self.kind {
            V2Network::PlainConvUnet => self.encoder[stage],
            V2Network::ResidualEncoderUnet => {
                let is_new = stage > 0
                    && (self.features[stage - 1] != self.features[stage] || sizes[stage - 1] != sizes[stage]);
                2 * self.encoder[stage] + usize::from(is_new)
            }
        };
        maps * self.features[stage] * voxels(&sizes[stage])
    }

    /// Size of the feature maps of every stage.
    fn sizes(&self, patch: &[usize]) -> Vec<Vec<usize>> {
        let mut size = patch.to_vec();
        let halve = |stride: &Vec<usize>| {
            size.iter_mut().zip(stride).for_each(|(len, by)| *len /= by);
            size.clone()
        };
        self.strides.iter().map(halve).collect()
    }
}

fn voxels(size: &[usize]) -> usize {
    size.iter().product()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network<'a>(kind: V2Network, features: &'a [usize], strides: &'a [Vec<usize>]) -> Network<'a> {
        let (encoder, decoder): (&[usize], &[usize]) = match kind {
            V2Network::PlainConvUnet => (&[2; 7], &[2; 6]),
            V2Network::ResidualEncoderUnet => (&[1, 3, 4, 6, 6, 6, 6], &[1; 6]),
        };
        Network { kind, features, strides, encoder, decoder, labels: 3 }
    }

    /// Values of `compute_conv_feature_map_size` of the original's networks without deep supervision.
    #[test]
    fn estimates_are_the_originals() {
        let features = [32, 64, 128, 256, 320, 320];
        let mut strides = vec![vec![2; 3]; 6];
        strides[0] = vec![1; 3];
        let residual = network(V2Network::ResidualEncoderUnet, &features, &strides);
        assert_eq!(residual.feature_maps(&[128; 3]), 557_420_544.0);
        let features = [32, 64, 128, 256, 512, 512, 512];
        let mut strides = vec![vec![2; 2]; 7];
        strides[0] = vec![1; 2];
        let residual = network(V2Network::ResidualEncoderUnet, &features, &strides);
        assert_eq!(residual.feature_maps(&[512; 2]), 129_531_904.0);
    }
}
