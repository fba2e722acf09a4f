//! A plain U-Net as both generations have it, and what changes in it between them.

use ndarray::{ArrayD, IxDyn, Slice};

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

/// Slope of the leaky rectifiers of v1 and v2 for negative values.
pub(super) const SLOPE: f64 = 0.01;

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
    pub(super) fn level(&self, decoder: usize) -> usize {
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
}

/// An array of a larger shape that has `values` at `offsets`, 0 where there are fewer of them, and zeros around.
pub(super) fn placed(values: &ArrayD<f32>, shape: &[usize], offsets: &[usize]) -> ArrayD<f32> {
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
    pub(in super::super) fn filled(shape: &[usize], start: f32) -> ArrayD<f32> {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| start + (i as f32 * 0.37).sin()).collect();
        ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
    }

    pub(in super::super) fn block(outputs: usize, inputs: usize, kernel: &[usize]) -> Block {
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
}
