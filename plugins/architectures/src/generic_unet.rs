//! `Generic_UNet`: the U-Net of nnU-Net (Ronneberger et al. 2015, Isensee et al. 2021; v1 class of the same name).

use nnunet_plugin_api::{
    Architecture, Component, Error, Info, Network, NetworkSpec, Result, VarFactory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::block::{Activation, Block, BlockStyle};
use crate::layers::{Convolution, ConvolutionShape, Upsampling};
use crate::norm::Norm;
use crate::replaced::{Replace, Replaced};
use crate::unet::{DecoderLevel, Layer, Layers, Unet};

/// Parameters of [`GenericUnet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GenericUnetConfig {
    /// Largest number of features of a stage; by default 320 in 3D and 480 in 2D.
    pub max_num_features: Option<usize>,
    /// Features of the first stage, instead of the plans'.
    pub base_num_features: Option<usize>,
    /// Convolutions per stage, instead of the plans'.
    pub conv_per_stage: Option<usize>,
    /// Kernels of size 3 along all axes of all stages, instead of the plans'.
    pub all_conv_3: bool,
    /// Nonlinearity: `leaky_relu`, `gelu`, `mish` or `none`.
    pub nonlinearity: Nonlinearity,
    /// Slope of the leaky rectifier for negative values; 0 makes it a rectifier.
    pub negative_slope: f64,
    /// Slope assumed by the initialization of the weights; that of the rectifier by default.
    pub init_slope: Option<f64>,
    /// Normalization: `instance`, `batch`, `group`, `filter_response` or `none`.
    pub norm: Norm,
    /// The nonlinearity comes before the normalization.
    pub norm_last: bool,
    /// The outputs have a bias.
    pub seg_output_bias: bool,
    /// Dropout probability of a feature map in training.
    pub dropout: f64,
    /// Registered blocks instead of the network's own: `block`, `norm`, `nonlinearity`, each a name, or a table of a name
    /// and parameters.
    pub replace: Replace,
}

/// Nonlinearities of [`GenericUnetConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// Leaky rectifier.
    LeakyRelu,
    /// Gaussian error linear unit.
    Gelu,
    /// Mish.
    Mish,
    /// None, for filter response normalization, which includes a nonlinearity.
    None,
}

impl Default for GenericUnetConfig {
    fn default() -> Self {
        Self {
            max_num_features: None,
            base_num_features: None,
            conv_per_stage: None,
            all_conv_3: false,
            nonlinearity: Nonlinearity::LeakyRelu,
            negative_slope: 0.01,
            init_slope: None,
            norm: Norm::Instance,
            norm_last: false,
            seg_output_bias: false,
            dropout: 0.0,
            replace: Replace::default(),
        }
    }
}

impl GenericUnetConfig {
    fn style(&self) -> BlockStyle {
        let activation = match self.nonlinearity {
            Nonlinearity::LeakyRelu => Activation::LeakyRelu(self.negative_slope),
            Nonlinearity::Gelu => Activation::Gelu,
            Nonlinearity::Mish => Activation::Mish,
            Nonlinearity::None => Activation::Identity,
        };
        let init_slope = self.init_slope.unwrap_or(self.negative_slope);
        let (norm, norm_last, dropout) = (self.norm, self.norm_last, self.dropout);
        BlockStyle { norm, activation, init_slope, norm_last, dropout }
    }

    /// The plans' network with the changes of the parameters.
    fn changed(&self, spec: &NetworkSpec) -> NetworkSpec {
        let mut spec = spec.clone();
        spec.base_num_features = self.base_num_features.unwrap_or(spec.base_num_features);
        spec.conv_per_stage = self.conv_per_stage.unwrap_or(spec.conv_per_stage);
        if self.all_conv_3 {
            spec.conv_kernel_sizes.iter_mut().for_each(|kernel| kernel.fill(3));
        }
        spec
    }
}

/// Plain U-Net: strided convolutions down, transposed convolutions up, an output on every level.
#[derive(Debug, Default)]
pub struct GenericUnet {
    config: GenericUnetConfig,
    replaced: Replaced,
}

pub(crate) fn component() -> Component {
    let info = Info::new(
        nnunet_plugin_api::Kind::Architecture,
        "Generic_UNet",
        "Plain U-Net in 2D or 3D with instance norm, leaky rectifiers and deep supervision.",
    );
    Component::architecture(info.with_config::<GenericUnetConfig>(), |config| {
        let config: GenericUnetConfig = parse_config(config)?;
        Ok(Box::new(GenericUnet { replaced: Replaced::new(&config.replace, ["instnorm", "lrelu"])?, config }))
    })
}

impl Architecture for GenericUnet {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let spec = &self.config.changed(spec);
        check(spec)?;
        let style = self.config.style();
        let outputs_have_bias = self.config.seg_output_bias;
        let (features, replaced) = (self.features(spec), &self.replaced);
        let builder = Builder { spec, style, replaced, outputs_have_bias, features };
        let localization = builder.localization(vars)?;
        let context = builder.context(vars)?;
        let upsampling = builder.upsampling(vars)?;
        let outputs = builder.outputs(vars)?;
        let levels = upsampling.into_iter().zip(localization).zip(outputs);
        let level = |((up, layers), output)| DecoderLevel { up, layers, output: Box::new(output) };
        Ok(Box::new(Unet::new(context, levels.map(level).collect())))
    }
}

impl GenericUnet {
    /// Features of every resolution, highest resolution first.
    fn features(&self, spec: &NetworkSpec) -> Vec<usize> {
        let default = if spec.patch_size.len() == 3 { 320 } else { 480 };
        let most = self.config.max_num_features.unwrap_or(default);
        (0..spec.conv_kernel_sizes.len()).map(|stage| (spec.base_num_features << stage).min(most)).collect()
    }
}

fn check(spec: &NetworkSpec) -> Result<()> {
    let (pools, kernels) = (spec.pool_op_kernel_sizes.len(), spec.conv_kernel_sizes.len());
    if pools == 0 || kernels != pools + 1 {
        let got = format!("{pools} poolings and {kernels} kernels");
        return Err(Error::shape(
            "Generic_UNet",
            "at least one pooling, and one more kernel than poolings",
            got,
        ));
    }
    if spec.conv_per_stage < 2 {
        return Err(Error::parameter("conv_per_stage", "Generic_UNet needs at least 2"));
    }
    Ok(())
}

/// Creates the parts. The order of the calls is the order of v1's state dict.
struct Builder<'a> {
    spec: &'a NetworkSpec,
    style: BlockStyle,
    replaced: &'a Replaced,
    outputs_have_bias: bool,
    features: Vec<usize>,
}

impl Builder<'_> {
    fn pools(&self) -> usize {
        self.spec.pool_op_kernel_sizes.len()
    }

    /// Blocks `{name}.blocks.0`, `.1`, ...; the first one has the stride.
    fn stack(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        convolutions: usize,
        first: &ConvolutionShape<'_>,
    ) -> Result<Layers> {
        let one = vec![1; first.kernel.len()];
        let block = |i: usize| {
            let shape = if i == 0 {
                ConvolutionShape { ..*first }
            } else {
                ConvolutionShape { input: first.output, stride: &one, ..*first }
            };
            self.block(vars, &format!("{name}.blocks.{i}"), &shape)
        };
        (0..convolutions).map(block).collect()
    }

    fn block(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
    ) -> Result<Box<dyn Layer>> {
        match self.replaced.block(vars, name, shape, self.style)? {
            Some(registered) => Ok(registered),
            None => Ok(Box::new(Block::new(vars, name, shape, self.style)?)),
        }
    }

    /// Decoder levels, lowest resolution first. Level u uses the kernel of encoder stage `pools - u`, one lower than
    /// its own resolution, as v1 does.
    fn localization(&self, vars: &mut dyn VarFactory) -> Result<Vec<Layers>> {
        let levels = (0..self.pools()).map(|u| {
            let features = self.features[self.pools() - 1 - u];
            let kernel = &self.spec.conv_kernel_sizes[self.pools() - u];
            let one = vec![1; kernel.len()];
            let shape =
                |input| ConvolutionShape { input, output: features, kernel, stride: &one, bias: true };
            let name = format!("conv_blocks_localization.{u}");
            let mut blocks =
                self.stack(vars, &format!("{name}.0"), self.spec.conv_per_stage - 1, &shape(2 * features))?;
            blocks.extend(self.stack(vars, &format!("{name}.1"), 1, &shape(features))?);
            Ok(blocks)
        });
        levels.collect()
    }

    /// Encoder stages and the bottleneck.
    fn context(&self, vars: &mut dyn VarFactory) -> Result<Vec<Layers>> {
        let mut stages = Vec::new();
        for d in 0..=self.pools() {
            let kernel = &self.spec.conv_kernel_sizes[d];
            let one = vec![1; kernel.len()];
            let stride = if d == 0 { &one } else { &self.spec.pool_op_kernel_sizes[d - 1] };
            let input = if d == 0 { self.spec.num_input_channels } else { self.features[d - 1] };
            let first = ConvolutionShape { input, output: self.features[d], kernel, stride, bias: true };
            let name = format!("conv_blocks_context.{d}");
            if d < self.pools() {
                stages.push(self.stack(vars, &name, self.spec.conv_per_stage, &first)?);
                continue;
            }
            let mut blocks = self.stack(vars, &format!("{name}.0"), self.spec.conv_per_stage - 1, &first)?;
            let last = ConvolutionShape { input: self.features[d], stride: &one, ..first };
            blocks.extend(self.stack(vars, &format!("{name}.1"), 1, &last)?);
            stages.push(blocks);
        }
        Ok(stages)
    }

    fn upsampling(&self, vars: &mut dyn VarFactory) -> Result<Vec<Upsampling>> {
        let level = |u: usize| {
            let d = self.pools() - 1 - u;
            let features = (self.features[d + 1], self.features[d]);
            Upsampling::new(
                vars,
                &format!("tu.{u}"),
                features,
                &self.spec.pool_op_kernel_sizes[d],
                (self.style.init_slope, false),
            )
        };
        (0..self.pools()).map(level).collect()
    }

    fn outputs(&self, vars: &mut dyn VarFactory) -> Result<Vec<Convolution>> {
        let one = vec![1; self.spec.patch_size.len()];
        let output = |u: usize| {
            let input = self.features[self.pools() - 1 - u];
            let shape = ConvolutionShape {
                input,
                output: self.spec.num_classes,
                kernel: &one,
                stride: &one,
                bias: self.outputs_have_bias,
            };
            Convolution::new(vars, &format!("seg_outputs.{u}"), &shape, self.style.init_slope)
        };
        (0..self.pools()).map(output).collect()
    }
}
