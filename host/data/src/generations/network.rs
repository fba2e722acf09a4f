//! A plain U-Net as both generations have it, and what changes in it between them.

use anyhow::{Context, Result, bail};
use ndarray::{ArrayD, Axis, IxDyn, Slice};

/// A convolution with its instance normalization.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    /// Output features, input features, kernel.
    pub(super) weight: ArrayD<f32>,
    pub(super) bias: ArrayD<f32>,
    pub(super) norm_weight: ArrayD<f32>,
    pub(super) norm_bias: ArrayD<f32>,
}

/// A transposed convolution or an output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affine {
    pub(super) weight: ArrayD<f32>,
    /// One number for each output feature; zero where a network has none.
    pub(super) bias: ArrayD<f32>,
}

/// The parameters of a U-Net.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    /// By resolution, the highest first.
    pub(super) encoder: Vec<Vec<Block>>,
    /// By resolution, the lowest first, as all that follow.
    pub(super) decoder: Vec<Vec<Block>>,
    /// Transposed convolutions.
    pub(super) up: Vec<Affine>,
    /// Outputs.
    pub(super) heads: Vec<Affine>,
}

/// What a network of v1 has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Widened {
    /// Features of the first stage.
    pub(super) base: usize,
    /// Stages whose transposed convolution has lost its bias.
    pub(super) without: Vec<usize>,
}

/// Slope of the leaky rectifiers of v1 and v2 for negative values.
pub(super) const SLOPE: f64 = 0.01;
/// v1's largest number of features, in 2D and in 3D.
const V1_MOST: [usize; 2] = [480, 320];

impl Network {
    /// Resolutions.
    pub(super) fn stages(&self) -> usize {
        self.encoder.len()
    }

    /// Features by resolution.
    pub(super) fn features(&self) -> Vec<usize> {
        self.encoder.iter().map(|blocks| blocks.first().map_or(0, |block| block.weight.shape()[0])).collect()
    }

    /// Axes of images.
    pub(super) fn axes(&self) -> usize {
        self.encoder.first().and_then(|blocks| blocks.first()).map_or(0, |block| block.weight.ndim() - 2)
    }

    /// Input channels.
    pub(super) fn channels(&self) -> usize {
        self.encoder.first().and_then(|blocks| blocks.first()).map_or(0, |block| block.weight.shape()[1])
    }

    /// Outputs.
    pub(super) fn classes(&self) -> usize {
        self.heads.first().map_or(0, |head| head.weight.shape()[0])
    }

    /// Kernels of the encoder by resolution.
    pub(super) fn kernels(&self) -> Vec<Vec<usize>> {
        self.encoder.iter().map(|blocks| blocks.first().map_or(Vec::new(), Block::kernel)).collect()
    }

    /// Strides between resolutions.
    pub(super) fn strides(&self) -> Vec<Vec<usize>> {
        self.up.iter().rev().map(|up| up.weight.shape()[2..].to_vec()).collect()
    }

    /// Whether outputs have a bias.
    pub(super) fn has_output_bias(&self) -> bool {
        self.heads.iter().any(Affine::has_bias)
    }

    /// Resolution of a stage of the decoder.
    fn level(&self, decoder: usize) -> usize {
        self.stages() - 2 - decoder
    }

    /// Gives the decoder the kernels that v2 has there: those of the encoder at the same resolution. v1 has those of the
    /// resolution below. Kernels grow by zeros, which changes nothing.
    pub(super) fn fit_kernels_to_v2(&mut self) {
        self.fit_kernels(0);
    }

    /// Gives the decoder the kernels that v1 has there, see [`Network::fit_kernels_to_v2`].
    pub(super) fn fit_kernels_to_v1(&mut self) {
        self.fit_kernels(1);
    }

    /// `below`: how many resolutions below its own the decoder takes its kernels from.
    fn fit_kernels(&mut self, below: usize) {
        let mut kernels = self.kernels();
        for u in 0..self.decoder.len() {
            let level = self.level(u);
            for block in &self.decoder[u] {
                let wanted = block.kernel();
                kernels[level + below]
                    .iter_mut()
                    .zip(wanted)
                    .for_each(|(own, other)| *own = (*own).max(other));
            }
        }
        for (blocks, kernel) in self.encoder.iter_mut().zip(&kernels) {
            blocks.iter_mut().for_each(|block| block.grow_kernel(kernel));
        }
        for u in 0..self.decoder.len() {
            let kernel = &kernels[self.level(u) + below];
            self.decoder[u].iter_mut().for_each(|block| block.grow_kernel(kernel));
        }
    }

    /// Makes it wide enough for v1, whose features double from stage to stage up to its maximum and whose transposed
    /// convolutions have no bias. A bias becomes the weight of a feature that is 1 everywhere, in the skip connection
    /// beside it; v1's network has to be wider for that. Where v1's maximum leaves no feature for it, the bias is left
    /// out: the instance norm that follows subtracts it everywhere but at the borders of a patch.
    ///
    /// # Errors
    /// Returns an error if v1's widest stages are too narrow.
    pub(super) fn widen_to_v1(&mut self) -> Result<Widened> {
        let own = self.features();
        let most = V1_MOST[self.axes().saturating_sub(2).min(1)];
        if let Some(level) = own.iter().position(|features| *features > most) {
            bail!("stage {level} has {} features, and v1's networks have at most {most}", own[level]);
        }
        let biased = |level: &usize| self.up_at(*level).is_some_and(Affine::has_bias);
        let without: Vec<usize> = (0..own.len()).filter(biased).filter(|level| own[*level] == most).collect();
        let needed: Vec<usize> = (0..own.len())
            .map(|level| own[level] + usize::from(biased(&level) && own[level] < most))
            .collect();
        let wide = |base: usize| -> Vec<usize> {
            (0..own.len()).map(|level| base.saturating_mul(1 << level.min(16)).min(most)).collect()
        };
        let fits = |base: &usize| wide(*base).iter().zip(&needed).all(|(has, needed)| has >= needed);
        let base = (1..=most).find(fits).context("no network of v1 is wide enough")?;
        self.widen(&own, &wide(base));
        Ok(Widened { base, without })
    }

    /// The transposed convolution that leads to a resolution.
    fn up_at(&self, level: usize) -> Option<&Affine> {
        let index = self.stages().checked_sub(2 + level)?;
        self.up.get(index)
    }

    fn widen(&mut self, own: &[usize], wide: &[usize]) {
        let channels = self.channels();
        for (level, blocks) in self.encoder.iter_mut().enumerate() {
            let (count, is_skip) = (blocks.len(), level + 1 < own.len());
            for (i, block) in blocks.iter_mut().enumerate() {
                let inputs = match (i, level) {
                    (0, 0) => channels,
                    (0, _) => wide[level - 1],
                    _ => wide[level],
                };
                block.widen(wide[level], inputs);
                if is_skip && i + 1 == count && wide[level] > own[level] {
                    block.norm_bias[own[level]] = 1.0;
                }
            }
        }
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
            let head = &mut self.heads[u];
            let shape = head.weight.shape().to_vec();
            head.weight = placed(&head.weight, &[&[shape[0], to], &shape[2..]].concat(), &[]);
        }
    }
}

impl Affine {
    pub(super) fn has_bias(&self) -> bool {
        self.bias.iter().any(|value| *value != 0.0)
    }
}

impl Block {
    pub(super) fn kernel(&self) -> Vec<usize> {
        self.weight.shape()[2..].to_vec()
    }

    /// The same convolution with a kernel of that size around its own.
    fn grow_kernel(&mut self, kernel: &[usize]) {
        let own = self.weight.shape();
        let offsets: Vec<usize> =
            own[2..].iter().zip(kernel).map(|(own, wanted)| (wanted - own) / 2).collect();
        let shape = [&own[..2], kernel].concat();
        self.weight = placed(&self.weight, &shape, &[&[0, 0], offsets.as_slice()].concat());
    }

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

/// An array of a larger shape that has `values` at `offsets`, 0 where there are fewer of them, and zeros around.
fn placed(values: &ArrayD<f32>, shape: &[usize], offsets: &[usize]) -> ArrayD<f32> {
    let mut out = ArrayD::zeros(IxDyn(shape));
    let at = |axis: usize| {
        let start = offsets.get(axis).copied().unwrap_or(0);
        start..start + values.shape()[axis]
    };
    out.slice_each_axis_mut(|axis| Slice::from(at(axis.axis.index()))).assign(values);
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Numbers that differ.
    fn filled(shape: &[usize], start: f32) -> ArrayD<f32> {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| start + (i as f32 * 0.37).sin()).collect();
        ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
    }

    fn block(outputs: usize, inputs: usize, kernel: &[usize]) -> Block {
        Block {
            weight: filled(&[&[outputs, inputs], kernel].concat(), 0.1),
            bias: filled(&[outputs], 0.2),
            norm_weight: filled(&[outputs], 1.0),
            norm_bias: filled(&[outputs], 0.3),
        }
    }

    /// Two resolutions of 2 and 3 features, of slices, with 1 x 3 kernels above.
    pub(in super::super) fn sample() -> Network {
        let (above, below) = ([1, 3], [3, 3]);
        Network {
            encoder: vec![
                vec![block(2, 1, &above), block(2, 2, &above)],
                vec![block(3, 2, &below), block(3, 3, &below)],
            ],
            decoder: vec![vec![block(2, 4, &above), block(2, 2, &above)]],
            up: vec![Affine { weight: filled(&[3, 2, 1, 2], 0.5), bias: filled(&[2], 0.7) }],
            heads: vec![Affine { weight: filled(&[3, 2, 1, 1], 0.4), bias: filled(&[3], 0.0) }],
        }
    }

    #[test]
    fn kernels_of_the_decoder_are_those_of_a_resolution() {
        let mut network = sample();
        network.fit_kernels_to_v1();
        // v1's decoder has the kernel of the resolution below, 3 x 3.
        assert_eq!(network.decoder[0][0].kernel(), [3, 3]);
        assert_eq!(network.kernels(), [[1, 3], [3, 3]]);
        let grown = &network.decoder[0][0].weight;
        let own = &sample().decoder[0][0].weight;
        assert_eq!(grown[[1, 2, 1, 2].as_slice()], own[[1, 2, 0, 2].as_slice()]);
        assert_eq!(grown[[1, 2, 0, 2].as_slice()], 0.0);
        // Back, the encoder has to have the kernel of its decoder.
        network.fit_kernels_to_v2();
        assert_eq!(network.kernels(), [[3, 3], [3, 3]]);
    }

    #[test]
    fn a_bias_becomes_the_weight_of_a_feature_that_is_one() {
        let mut network = sample();
        assert_eq!(network.widen_to_v1().unwrap(), Widened { base: 3, without: Vec::new() });
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
        assert_eq!(plain.widen_to_v1().unwrap().base, 2);
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
        assert_eq!(network.widen_to_v1().unwrap(), Widened { base: 480, without: vec![0] });
        assert!(!network.up[0].has_bias());
        assert_eq!(network.features(), [480, 480]);
        network.encoder[0] = vec![block(481, 1)];
        let error = network.widen_to_v1().unwrap_err().to_string();
        assert!(error.contains("at most 480"), "{error}");
    }
}
