//! The width that v1's networks need: their features double from stage to stage up to v1's maximum, and convolutions that
//! have a bias in v2 have none there. A bias becomes the weight of a feature that is 1 everywhere.

use anyhow::{Context, Result, bail, ensure};
use ndarray::{ArrayD, Axis, IxDyn, Slice};

use super::network::{Affine, Block, Network, placed};

/// v1's largest number of features, in 2D and in 3D.
const MOST: [usize; 2] = [480, 320];

/// What a network of v1 has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Widened {
    /// Features of the first stage.
    pub(super) base: usize,
    /// Stages whose transposed convolution has lost its bias.
    pub(super) without: Vec<usize>,
}

/// What becomes of the bias of outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputBias {
    /// The outputs of v1's network have one too.
    Kept,
    /// A feature of the decoder's last block is 1, and its weight the bias.
    Carried,
}

impl Network {
    /// Makes it wide enough for v1. Where v1's maximum leaves no feature for the bias of a transposed convolution, it is
    /// left out: the instance norm that follows subtracts it everywhere but at the borders of a patch. That of an output
    /// below the highest resolution is left out there too; such outputs are for training only.
    ///
    /// # Errors
    /// Returns an error if v1's widest stages are too narrow.
    pub(super) fn widen_to_v1(&mut self, outputs: OutputBias) -> Result<Widened> {
        let own = self.features();
        let most = MOST[self.axes().saturating_sub(2).min(1)];
        if let Some(level) = own.iter().position(|features| *features > most) {
            bail!(
                "stage {level} has {} features, and v1's networks have at most {most} in {} axes",
                own[level],
                self.axes()
            );
        }
        let has_bias = |level: usize, of: &[Affine]| self.decoder_at(level, of).is_some_and(Affine::has_bias);
        let carried = |level: usize| outputs == OutputBias::Carried && has_bias(level, &self.heads);
        ensure!(
            !carried(0) || own[0] < most,
            "the outputs have a bias, which this trainer's network in v1 has not, and no feature is left to carry it"
        );
        let biased = |level: usize| has_bias(level, &self.up);
        let without = (0..own.len()).filter(|level| biased(*level) && own[*level] == most).collect();
        let needed: Vec<usize> = (0..own.len())
            .map(|level| (own[level] + usize::from(biased(level) || carried(level))).min(most))
            .collect();
        let wide = |base: usize| -> Vec<usize> {
            (0..own.len()).map(|level| base.saturating_mul(1 << level.min(16)).min(most)).collect()
        };
        let fits = |base: &usize| wide(*base).iter().zip(&needed).all(|(has, needed)| has >= needed);
        let base = (1..=most).find(fits).context("no network of v1 is wide enough")?;
        self.widen_encoder(&own, &wide(base));
        self.widen_decoder(&own, &wide(base));
        self.widen_heads(&own, &wide(base), outputs);
        Ok(Widened { base, without })
    }

    /// The part of the decoder that leads to a resolution.
    fn decoder_at<'a>(&self, level: usize, all: &'a [Affine]) -> Option<&'a Affine> {
        all.get(self.stages().checked_sub(2 + level)?)
    }

    fn widen_encoder(&mut self, own: &[usize], wide: &[usize]) {
        let channels = self.channels();
        for (level, blocks) in self.encoder.iter_mut().enumerate() {
            for (i, block) in blocks.iter_mut().enumerate() {
                let inputs = match (i, level) {
                    (0, 0) => channels,
                    (0, _) => wide[level - 1],
                    _ => wide[level],
                };
                block.widen(wide[level], inputs);
            }
            if level + 1 < own.len() {
                set_one(blocks, own[level]);
            }
        }
    }

    fn widen_decoder(&mut self, own: &[usize], wide: &[usize]) {
        for u in 0..self.decoder.len() {
            let level = self.level(u);
            let (from, to) = (own[level], wide[level]);
            let up = &mut self.up[u];
            for (i, block) in self.decoder[u].iter_mut().enumerate() {
                if i == 0 {
                    block.widen_concatenated(from, to, &up.bias);
                } else {
                    block.widen(to, to);
                }
            }
            let stride = up.weight.shape()[2..].to_vec();
            up.weight = placed(&up.weight, &[&[wide[level + 1], to], stride.as_slice()].concat(), &[]);
            up.bias = ArrayD::zeros(IxDyn(&[to]));
        }
    }

    fn widen_heads(&mut self, own: &[usize], wide: &[usize], outputs: OutputBias) {
        for u in 0..self.heads.len() {
            let level = self.level(u);
            let (from, to) = (own[level], wide[level]);
            let head = &mut self.heads[u];
            let shape = head.weight.shape().to_vec();
            head.weight = placed(&head.weight, &[&[shape[0], to], &shape[2..]].concat(), &[]);
            if outputs == OutputBias::Carried && head.has_bias() {
                if to > from {
                    set_one(&mut self.decoder[u], from);
                    let bias = head.bias.clone();
                    let weights = head.weight.index_axis_mut(Axis(1), from);
                    weights.into_iter().zip(&bias).for_each(|(weight, bias)| *weight = *bias);
                }
                head.bias.fill(0.0);
            }
        }
    }
}

/// The feature at `index` of the last block becomes 1 everywhere, if there is one more than before.
fn set_one(blocks: &mut [Block], index: usize) {
    let value = blocks.last_mut().and_then(|block| block.norm_bias.get_mut(index));
    value.into_iter().for_each(|value| *value = 1.0);
}

impl Block {
    /// More features, which are zero.
    fn widen(&mut self, outputs: usize, inputs: usize) {
        let shape = [&[outputs, inputs], self.kernel().as_slice()].concat();
        self.weight = placed(&self.weight, &shape, &[]);
        self.widen_norm(outputs);
    }

    fn widen_norm(&mut self, outputs: usize) {
        for values in [&mut self.bias, &mut self.norm_weight, &mut self.norm_bias] {
            *values = placed(values, &[outputs], &[]);
        }
    }

    /// The first convolution after a transposed one: its inputs are `own` features from there and `own` of the skip
    /// connection, and become `wide` each. The first feature that is added to the skip connection is 1, and carries the
    /// bias of the transposed convolution.
    fn widen_concatenated(&mut self, own: usize, wide: usize, bias: &ArrayD<f32>) {
        let shape = [&[wide, 2 * wide], self.kernel().as_slice()].concat();
        let inputs =
            |range: std::ops::Range<usize>| self.weight.slice_axis(Axis(1), Slice::from(range)).to_owned();
        let (above, skip) = (inputs(0..own), inputs(own..2 * own));
        let mut carried = ArrayD::<f32>::zeros(above.index_axis(Axis(1), 0).shape());
        for (input, bias) in above.axis_iter(Axis(1)).zip(bias) {
            carried.scaled_add(*bias, &input);
        }
        let mut weight = placed(&above, &shape, &[]) + placed(&skip, &shape, &[0, wide]);
        if wide > own {
            let one = carried.insert_axis(Axis(1));
            weight += &placed(&one, &shape, &[0, wide + own]);
        }
        self.weight = weight;
        self.widen_norm(wide);
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::tests::{block, filled, sample};
    use super::*;

    #[test]
    fn a_bias_becomes_the_weight_of_a_feature_that_is_one() {
        let mut network = sample();
        assert_eq!(network.widen_to_v1(OutputBias::Kept).unwrap(), Widened { base: 3, without: Vec::new() });
        assert_eq!(network.features(), [3, 6]);
        assert!(!network.up[0].has_bias());
        let last = &network.encoder[0][1];
        assert_eq!((last.norm_weight[2], last.norm_bias[2], last.bias[2]), (0.0, 1.0, 0.0));
        let (own, wide) = (&sample().decoder[0][0].weight, &network.decoder[0][0].weight);
        let bias = &sample().up[0].bias;
        let carried = own[[1, 0, 0, 2].as_slice()] * bias[0] + own[[1, 1, 0, 2].as_slice()] * bias[1];
        // Inputs: three from below, three of the skip connection, of which the last is 1.
        assert!((wide[[1, 5, 0, 2].as_slice()] - carried).abs() < 1e-6);
        assert_eq!(wide[[1, 3, 0, 2].as_slice()], own[[1, 2, 0, 2].as_slice()]);
        assert_eq!(wide[[2, 3, 0, 2].as_slice()], 0.0);
        // A network without that bias keeps its width.
        let mut plain = sample();
        plain.up[0].bias.fill(0.0);
        assert_eq!(plain.widen_to_v1(OutputBias::Kept).unwrap().base, 2);
    }

    #[test]
    fn of_the_widest_stages_the_bias_is_left_out_and_wider_ones_are_refused() {
        let block = |outputs, inputs| block(outputs, inputs, &[1, 1]);
        let mut network = Network {
            encoder: vec![vec![block(480, 1)], vec![block(480, 480)]],
            decoder: vec![vec![block(480, 960)]],
            up: vec![Affine { weight: filled(&[480, 480, 1, 1], 0.5), bias: filled(&[480], 0.7) }],
            heads: vec![Affine { weight: filled(&[2, 480, 1, 1], 0.4), bias: filled(&[2], 0.0) }],
        };
        assert_eq!(network.widen_to_v1(OutputBias::Kept).unwrap(), Widened { base: 480, without: vec![0] });
        assert!(!network.up[0].has_bias());
        assert_eq!(network.features(), [480, 480]);
        network.encoder[0] = vec![block(481, 1)];
        let error = network.widen_to_v1(OutputBias::Kept).unwrap_err().to_string();
        assert!(error.contains("at most 480"), "{error}");
    }

    #[test]
    fn the_bias_of_outputs_becomes_a_weight_where_v1_has_none() {
        let mut network = sample();
        network.heads[0].bias = filled(&[3], 0.9);
        network.widen_to_v1(OutputBias::Carried).unwrap();
        assert!(!network.has_output_bias());
        let last = network.decoder[0].last().unwrap();
        assert_eq!((last.norm_weight[2], last.norm_bias[2]), (0.0, 1.0));
        let weight = &network.heads[0].weight;
        assert_eq!(weight[[1, 2, 0, 0].as_slice()], filled(&[3], 0.9)[1]);
        assert_eq!(weight[[1, 1, 0, 0].as_slice()], sample().heads[0].weight[[1, 1, 0, 0].as_slice()]);
        // Kept, nothing changes in the decoder's blocks.
        let mut network = sample();
        network.heads[0].bias = filled(&[3], 0.9);
        network.widen_to_v1(OutputBias::Kept).unwrap();
        assert_eq!(network.heads[0].bias, filled(&[3], 0.9));
        assert_eq!(network.decoder[0].last().unwrap().norm_bias[2], 0.0);
    }
}
