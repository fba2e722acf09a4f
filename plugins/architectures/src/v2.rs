//! The U-Nets of nnU-Net v2: `PlainConvUNet` and `ResidualEncoderUNet` of the package `dynamic_network_architectures`
//! (Isensee et al. 2024), with its parameter names.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Architecture, Component, Error, Info, Kind, Network, NetworkSpec, Result, VarFactory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::layers::{Convolution, ConvolutionShape, NormedConvolution, Upsampling, V2_SLOPE, leaky_relu};
use crate::norm::Norm;

/// What the encoder is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncoderKind {
    /// Convolutions.
    Plain,
    /// A stem, then residual blocks (ResNet-D).
    Residual,
}

/// Parameters of [`V2Unet`], by v2's names. Lists have one entry for each resolution, the highest first; where they are
/// empty they follow from the plans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct V2UnetConfig {
    /// Features.
    pub features_per_stage: Vec<usize>,
    /// Kernels of the convolutions.
    pub kernel_sizes: Vec<Vec<usize>>,
    /// Strides into each resolution; the first is 1.
    pub strides: Vec<Vec<usize>>,
    /// Convolutions, or residual blocks, of the encoder.
    #[serde(alias = "n_blocks_per_stage")]
    pub n_conv_per_stage: Vec<usize>,
    /// Convolutions of the decoder, the lowest resolution first; one entry less.
    pub n_conv_per_stage_decoder: Vec<usize>,
    /// Convolutions have a bias.
    pub conv_bias: bool,
    /// What follows every convolution; v2's `norm_op`.
    pub norm: Norm,
}

impl Default for V2UnetConfig {
    fn default() -> Self {
        Self {
            features_per_stage: Vec::new(),
            kernel_sizes: Vec::new(),
            strides: Vec::new(),
            n_conv_per_stage: Vec::new(),
            n_conv_per_stage_decoder: Vec::new(),
            conv_bias: true,
            norm: Norm::Instance,
        }
    }
}

/// Features of no stage exceed this when the plans decide: v2's caps.
const MAX_FEATURES: [usize; 2] = [512, 320];
/// Residual blocks of v2's planner `ResEncM` and larger.
const RESIDUAL_BLOCKS: [usize; 8] = [1, 3, 4, 6, 6, 6, 6, 6];

impl V2UnetConfig {
    /// Fills what is left open from the plans.
    fn completed(&self, kind: EncoderKind, spec: &NetworkSpec) -> Self {
        let mut config = self.clone();
        let stages = spec.conv_kernel_sizes.len();
        let most = MAX_FEATURES[usize::from(spec.patch_size.len() == 3)];
        if config.features_per_stage.is_empty() {
            config.features_per_stage =
                (0..stages).map(|i| (spec.base_num_features << i).min(most)).collect();
        }
        if config.kernel_sizes.is_empty() {
            config.kernel_sizes.clone_from(&spec.conv_kernel_sizes);
        }
        if config.strides.is_empty() {
            let one = vec![1; spec.patch_size.len()];
            config.strides = std::iter::once(one).chain(spec.pool_op_kernel_sizes.iter().cloned()).collect();
        }
        let stages = config.features_per_stage.len();
        if config.n_conv_per_stage.is_empty() {
            config.n_conv_per_stage = match kind {
                EncoderKind::Plain => vec![spec.conv_per_stage; stages],
                EncoderKind::Residual => {
                    (0..stages).map(|i| RESIDUAL_BLOCKS[i.min(RESIDUAL_BLOCKS.len() - 1)]).collect()
                }
            };
        }
        if config.n_conv_per_stage_decoder.is_empty() {
            let count = if kind == EncoderKind::Plain { spec.conv_per_stage } else { 1 };
            config.n_conv_per_stage_decoder = vec![count; stages.saturating_sub(1)];
        }
        config
    }

    fn check(&self, axes: usize) -> Result<()> {
        let stages = self.features_per_stage.len();
        let lists = [self.kernel_sizes.len(), self.strides.len(), self.n_conv_per_stage.len()];
        if stages < 2
            || lists.iter().any(|len| *len != stages)
            || self.n_conv_per_stage_decoder.len() + 1 != stages
        {
            return Err(Error::parameter(
                "features_per_stage",
                "all lists need one entry for each resolution",
            ));
        }
        let vectors = self.kernel_sizes.iter().chain(&self.strides);
        if vectors.clone().any(|vector| vector.len() != axes || vector.contains(&0)) {
            return Err(Error::parameter(
                "kernel_sizes",
                "kernels and strides need one entry for each axis of the patch",
            ));
        }
        Ok(())
    }
}

/// U-Net of v2.
#[derive(Debug, Clone)]
pub struct V2Unet {
    kind: EncoderKind,
    config: V2UnetConfig,
}

pub(crate) fn component(kind: EncoderKind) -> Component {
    let (name, summary) = match kind {
        EncoderKind::Plain => ("PlainConvUNet", "v2's U-Net."),
        EncoderKind::Residual => ("ResidualEncoderUNet", "v2's U-Net with a residual encoder."),
    };
    let info = Info::new(Kind::Architecture, name, summary).with_config::<V2UnetConfig>();
    Component::architecture(info, move |config| Ok(Box::new(V2Unet { kind, config: parse_config(config)? })))
}

impl V2Unet {
    /// With parameters.
    #[must_use]
    pub fn new(kind: EncoderKind, config: V2UnetConfig) -> Self {
        Self { kind, config }
    }
}

impl Architecture for V2Unet {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let config = self.config.completed(self.kind, spec);
        config.check(spec.patch_size.len())?;
        let builder = Builder { config: &config, spec };
        let (stem, encoder) = match self.kind {
            EncoderKind::Plain => (None, builder.plain_encoder(vars)?),
            EncoderKind::Residual => (Some(builder.stem(vars)?), builder.residual_encoder(vars)?),
        };
        Ok(Box::new(Unet { stem, encoder, decoder: builder.decoder(vars)?, training: false }))
    }
}

/// Creates the parts.
struct Builder<'a> {
    config: &'a V2UnetConfig,
    spec: &'a NetworkSpec,
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

    /// `{name}.convs.0`, `.1`, ...; the first has the stride.
    fn stack(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        count: usize,
        (input, output): (usize, usize),
        (kernel, stride): (&[usize], &[usize]),
    ) -> Result<Vec<NormedConvolution>> {
        let one = self.one();
        (0..count)
            .map(|i| {
                let (input, stride) = if i == 0 { (input, stride) } else { (output, one.as_slice()) };
                self.convolution(vars, &format!("{name}.convs.{i}"), (input, output), kernel, stride)
            })
            .collect()
    }

    fn plain_encoder(&self, vars: &mut dyn VarFactory) -> Result<Vec<Stage>> {
        let config = self.config;
        let mut input = self.spec.num_input_channels;
        (0..config.features_per_stage.len())
            .map(|s| {
                let features = (input, config.features_per_stage[s]);
                input = features.1;
                let form = (config.kernel_sizes[s].as_slice(), config.strides[s].as_slice());
                let name = format!("encoder.stages.{s}.0");
                self.stack(vars, &name, config.n_conv_per_stage[s], features, form).map(Stage::Plain)
            })
            .collect()
    }

    fn stem(&self, vars: &mut dyn VarFactory) -> Result<NormedConvolution> {
        let features = (self.spec.num_input_channels, self.config.features_per_stage[0]);
        let kernel = &self.config.kernel_sizes[0];
        self.convolution(vars, "encoder.stem.convs.0", features, kernel, &self.one())
    }

    fn residual_encoder(&self, vars: &mut dyn VarFactory) -> Result<Vec<Stage>> {
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
            stages.push(Stage::Residual(blocks));
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
    ) -> Result<ResidualBlock> {
        let one = self.one();
        let strided = stride != one;
        let first = self.convolution(vars, &format!("{name}.conv1"), (input, output), kernel, &stride)?;
        let second = self.convolution(vars, &format!("{name}.conv2"), (output, output), kernel, &one)?;
        // v2 counts the pooling before it among the parts of the skip connection.
        let projection = (input != output)
            .then(|| {
                let shape = ConvolutionShape { input, output, kernel: &one, stride: &one, bias: false };
                let name = format!("{name}.skip.{}", usize::from(strided));
                NormedConvolution::new(vars, &name, self.config.norm, &shape)
            })
            .transpose()?;
        let pool = strided.then(|| stride.iter().map(|step| *step as i64).collect());
        Ok(ResidualBlock { first, second, pool, projection })
    }

    /// From the lowest resolution up.
    fn decoder(&self, vars: &mut dyn VarFactory) -> Result<Vec<Level>> {
        let config = self.config;
        let last = config.features_per_stage.len() - 1;
        let one = self.one();
        (0..last)
            .map(|s| {
                let (below, here) = (last - s, last - s - 1);
                let (input, output) = (config.features_per_stage[below], config.features_per_stage[here]);
                let name = format!("decoder.stages.{s}");
                let form = (config.kernel_sizes[here].as_slice(), one.as_slice());
                let count = config.n_conv_per_stage_decoder[s];
                let head = ConvolutionShape {
                    input: output,
                    output: self.spec.num_classes,
                    kernel: &one,
                    stride: &one,
                    bias: true,
                };
                Ok(Level {
                    convolutions: self.stack(vars, &name, count, (2 * output, output), form)?,
                    up: Upsampling::new(
                        vars,
                        &format!("decoder.transpconvs.{s}"),
                        (input, output),
                        &config.strides[below],
                        (V2_SLOPE, config.conv_bias),
                    )?,
                    head: Convolution::new(vars, &format!("decoder.seg_layers.{s}"), &head, V2_SLOPE)?,
                })
            })
            .collect()
    }
}

enum Stage {
    Plain(Vec<NormedConvolution>),
    Residual(Vec<ResidualBlock>),
}

impl Stage {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let x = x.shallow_clone();
        match self {
            Stage::Plain(convolutions) => {
                convolutions.iter().try_fold(x, |x, layer| layer.forward(&x, training))
            }
            Stage::Residual(blocks) => blocks.iter().try_fold(x, |x, block| block.forward(&x, training)),
        }
    }
}

/// Two convolutions beside an average pooling and a projection, where they are needed (`BasicBlockD`).
struct ResidualBlock {
    first: NormedConvolution,
    second: NormedConvolution,
    pool: Option<Vec<i64>>,
    projection: Option<NormedConvolution>,
}

impl ResidualBlock {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let mut skip = x.shallow_clone();
        if let Some(pool) = &self.pool {
            let none: Option<i64> = None;
            let zeros = vec![0; pool.len()];
            skip = match pool.len() {
                2 => skip.f_avg_pool2d(pool, pool, &zeros, false, true, none)?,
                _ => skip.f_avg_pool3d(pool, pool, &zeros, false, true, none)?,
            };
        }
        if let Some(projection) = &self.projection {
            skip = projection.linear(&skip, training)?;
        }
        let inner = self.second.linear(&self.first.forward(x, training)?, training)?;
        leaky_relu(&mut inner.f_add(&skip)?, V2_SLOPE)
    }
}

struct Level {
    convolutions: Vec<NormedConvolution>,
    up: Upsampling,
    head: Convolution,
}

struct Unet {
    stem: Option<NormedConvolution>,
    encoder: Vec<Stage>,
    decoder: Vec<Level>,
    training: bool,
}

impl Network for Unet {
    fn set_training(&mut self, training: bool) -> Result<()> {
        self.training = training;
        Ok(())
    }

    fn supports_half_precision(&self) -> bool {
        true
    }

    fn forward(&self, input: &Tensor, deep_supervision: bool) -> Result<Vec<Tensor>> {
        let mut x = match &self.stem {
            Some(stem) => stem.forward(input, self.training)?,
            None => input.shallow_clone(),
        };
        let mut skips = Vec::new();
        for stage in &self.encoder {
            x = stage.forward(&x, self.training)?;
            skips.push(x.shallow_clone());
        }
        skips.pop();
        let mut outputs = Vec::new();
        for (s, level) in self.decoder.iter().enumerate() {
            let skip =
                skips.pop().ok_or_else(|| Error::message("fewer skip connections than decoder levels"))?;
            let joined = Tensor::f_cat(&[level.up.forward(&x)?, skip], 1)?;
            x = level.convolutions.iter().try_fold(joined, |x, layer| layer.forward(&x, self.training))?;
            if deep_supervision || s + 1 == self.decoder.len() {
                outputs.push(level.head.forward(&x)?);
            }
        }
        outputs.reverse();
        Ok(outputs)
    }
}
