//! Builds v2's U-Nets; the order of the calls is the order of v2's state dict.

use nnunet_plugin_api::{NetworkSpec, Result, VarFactory};

use super::blocks::{NormedConvolution, ResidualBlock, SLOPE};
use super::config::V2UnetConfig;
use crate::block::{Activation, BlockStyle};
use crate::layers::{Convolution, ConvolutionShape, Upsampling};
use crate::replaced::Replaced;
use crate::unet::{DecoderLevel, Layer, Layers};

/// Creates the parts.
pub(super) struct Builder<'a> {
    pub(super) config: &'a V2UnetConfig,
    pub(super) spec: &'a NetworkSpec,
    pub(super) replaced: &'a Replaced,
}

impl Builder<'_> {
    fn one(&self) -> Vec<usize> {
        vec![1; self.spec.patch_size.len()]
    }

    fn convolution(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        (input, output): (usize, usize),
        kernel: &[usize],
        stride: &[usize],
    ) -> Result<NormedConvolution> {
        let shape = ConvolutionShape { input, output, kernel, stride, bias: self.config.conv_bias };
        NormedConvolution::new(vars, name, self.config.norm, &shape)
    }

    /// What parts that no registered block replaces are like.
    fn style(&self) -> BlockStyle {
        let activation = Activation::LeakyRelu(SLOPE);
        BlockStyle { norm: self.config.norm, activation, init_slope: SLOPE, norm_last: false, dropout: 0.0 }
    }

    /// A convolution of a stage, or the registered block in its place.
    fn block(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        (input, output): (usize, usize),
        kernel: &[usize],
        stride: &[usize],
    ) -> Result<Box<dyn Layer>> {
        let shape = ConvolutionShape { input, output, kernel, stride, bias: self.config.conv_bias };
        match self.replaced.block(vars, name, &shape, self.style())? {
            Some(registered) => Ok(registered),
            None => Ok(Box::new(self.convolution(vars, name, (input, output), kernel, stride)?)),
        }
    }

    /// `{name}.convs.0`, `.1`, ...; the first has the stride.
    fn stack(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        count: usize,
        (input, output): (usize, usize),
        (kernel, stride): (&[usize], &[usize]),
    ) -> Result<Layers> {
        let one = self.one();
        (0..count)
            .map(|i| {
                let (input, stride) = if i == 0 { (input, stride) } else { (output, one.as_slice()) };
                self.block(vars, &format!("{name}.convs.{i}"), (input, output), kernel, stride)
            })
            .collect()
    }

    pub(super) fn plain_encoder(&self, vars: &mut dyn VarFactory) -> Result<Vec<Layers>> {
        let config = self.config;
        let mut input = self.spec.num_input_channels;
        (0..config.features_per_stage.len())
            .map(|s| {
                let features = (input, config.features_per_stage[s]);
                input = features.1;
                let form = (config.kernel_sizes[s].as_slice(), config.strides[s].as_slice());
                let name = format!("encoder.stages.{s}.0");
                self.stack(vars, &name, config.n_conv_per_stage[s], features, form)
            })
            .collect()
    }

    /// The layer before a residual encoder.
    pub(super) fn stem(&self, vars: &mut dyn VarFactory) -> Result<NormedConvolution> {
        let features = (self.spec.num_input_channels, self.config.features_per_stage[0]);
        let kernel = &self.config.kernel_sizes[0];
        self.convolution(vars, "encoder.stem.convs.0", features, kernel, &self.one())
    }

    pub(super) fn residual_encoder(&self, vars: &mut dyn VarFactory) -> Result<Vec<Layers>> {
        let config = self.config;
        let mut input = config.features_per_stage[0];
        let mut stages = Vec::new();
        for (s, output) in config.features_per_stage.iter().copied().enumerate() {
            let mut blocks = Vec::new();
            for b in 0..config.n_conv_per_stage[s] {
                let stride = if b == 0 { config.strides[s].clone() } else { self.one() };
                let name = format!("encoder.stages.{s}.blocks.{b}");
                blocks.push(self.residual_block(
                    vars,
                    &name,
                    (input, output),
                    &config.kernel_sizes[s],
                    stride,
                )?);
                input = output;
            }
            stages.push(blocks);
        }
        Ok(stages)
    }

    fn residual_block(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        (input, output): (usize, usize),
        kernel: &[usize],
        stride: Vec<usize>,
    ) -> Result<Box<dyn Layer>> {
        let shape = ConvolutionShape { input, output, kernel, stride: &stride, bias: self.config.conv_bias };
        if let Some(registered) = self.replaced.residual_block(vars, name, &shape, self.style())? {
            return Ok(registered);
        }
        let one = self.one();
        let strided = stride != one;
        let first = self.convolution(vars, &format!("{name}.conv1"), (input, output), kernel, &stride)?;
        let second = self.convolution(vars, &format!("{name}.conv2"), (output, output), kernel, &one)?;
        // A new block adds nothing.
        second.start_with_zeros()?;
        // v2 counts the pooling before it among the parts of the skip connection.
        let projection = (input != output)
            .then(|| {
                let shape = ConvolutionShape { input, output, kernel: &one, stride: &one, bias: false };
                let name = format!("{name}.skip.{}", usize::from(strided));
                NormedConvolution::new(vars, &name, self.config.norm, &shape)
            })
            .transpose()?;
        let pool = strided.then(|| stride.iter().map(|step| *step as i64).collect());
        Ok(Box::new(ResidualBlock { first, second, pool, projection }))
    }

    /// From the lowest resolution up. v2 has all stages first, then all transposed convolutions, then all outputs.
    pub(super) fn decoder(&self, vars: &mut dyn VarFactory) -> Result<Vec<DecoderLevel>> {
        let config = self.config;
        let last = config.features_per_stage.len() - 1;
        let one = self.one();
        let features =
            |s: usize| (config.features_per_stage[last - s], config.features_per_stage[last - s - 1]);
        let stages = (0..last).map(|s| {
            let (output, name) = (features(s).1, format!("decoder.stages.{s}"));
            let form = (config.kernel_sizes[last - s - 1].as_slice(), one.as_slice());
            self.stack(vars, &name, config.n_conv_per_stage_decoder[s], (2 * output, output), form)
        });
        let stages = stages.collect::<Result<Vec<_>>>()?;
        let ups = (0..last).map(|s| {
            let (name, stride) = (format!("decoder.transpconvs.{s}"), &config.strides[last - s]);
            Upsampling::new(vars, &name, features(s), stride, (SLOPE, config.conv_bias))
        });
        let ups = ups.collect::<Result<Vec<_>>>()?;
        let outputs = (0..last).map(|s| {
            let (input, output) = (features(s).1, self.spec.num_classes);
            let logits = ConvolutionShape { input, output, kernel: &one, stride: &one, bias: true };
            Convolution::new(vars, &format!("decoder.seg_layers.{s}"), &logits, SLOPE)
        });
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        let levels = stages.into_iter().zip(ups).zip(outputs).map(|((stage, up), output)| DecoderLevel {
            layers: stage,
            up,
            output: Box::new(output),
        });
        Ok(levels.collect())
    }
}
