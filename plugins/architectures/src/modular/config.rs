//! What a modular U-Net looks like: its parameters and the plans, put together.

use nnunet_plugin_api::{Error, NetworkSpec, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::norm::Norm;

/// v1's classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModularFamily {
    /// Residual encoder, plain decoder: the network of the `ResencUNet` trainers.
    Fabians,
    /// Plain encoder and decoder.
    Plain,
    /// Residual encoder and decoder.
    Residual,
    /// Encoder and decoder of pre-activation blocks.
    PreAct,
    /// Encoder of pre-activation blocks, plain decoder.
    FabiansPreAct,
}

impl ModularFamily {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Fabians, Self::Plain, Self::Residual, Self::PreAct, Self::FabiansPreAct];

    /// v1's class. Its `PlainConvUNet` shares the name with a network of v2.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fabians => "FabiansUNet",
            Self::Plain => "PlainConvUNet_v1",
            Self::Residual => "ResidualUNet",
            Self::PreAct => "PreActResidualUNet",
            Self::FabiansPreAct => "FabiansPreActUNet",
        }
    }

    pub(super) const fn summary(self) -> &'static str {
        match self {
            Self::Fabians => "v1's U-Net with a residual encoder and a plain decoder.",
            Self::Plain => "v1's modular U-Net of plain blocks.",
            Self::Residual => "v1's U-Net with a residual encoder and decoder.",
            Self::PreAct => "v1's U-Net of pre-activation residual blocks.",
            Self::FabiansPreAct => "v1's U-Net with a pre-activation encoder and a plain decoder.",
        }
    }

    pub(super) const fn encoder(self) -> BlockKind {
        match self {
            Self::Plain => BlockKind::Plain,
            Self::Fabians | Self::Residual => BlockKind::Residual,
            Self::PreAct | Self::FabiansPreAct => BlockKind::PreAct,
        }
    }

    pub(super) const fn decoder(self) -> BlockKind {
        match self {
            Self::Plain | Self::Fabians | Self::FabiansPreAct => BlockKind::Plain,
            Self::Residual => BlockKind::Residual,
            Self::PreAct => BlockKind::PreAct,
        }
    }

    /// Blocks of an encoder stage (0: full resolution) and of any decoder stage, where the plans do not say.
    fn default_blocks(self, stage: usize, convolutions: usize) -> (usize, usize) {
        let of = |first: &[usize], rest: usize| first.get(stage).copied().unwrap_or(rest);
        match self {
            Self::Fabians => (of(&[1, 2, 3], 4), 1),
            Self::FabiansPreAct => (of(&[1, 3, 4], 6), 2),
            Self::Plain => (convolutions, convolutions),
            Self::Residual | Self::PreAct => (2, 2),
        }
    }
}

/// Kinds of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Plain,
    Residual,
    PreAct,
}

/// Parameters of [`super::ModularUnet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModularConfig {
    /// Largest number of features of a stage.
    pub max_num_features: usize,
    /// Features of the first stage, instead of the plans'.
    pub base_num_features: Option<usize>,
    /// Normalization: `instance`, `batch`, `group` or `none`.
    pub norm: Norm,
    /// Slope of the leaky rectifier for negative values.
    pub negative_slope: f64,
    /// Slope assumed by the initialization of the weights.
    pub init_slope: f64,
    /// Dropout probability of a feature map of the encoder in training.
    pub dropout: f64,
    /// Initialize the last norm of each residual block with 0, so that the block starts as the identity.
    pub zero_last_norm: bool,
    /// Skip connections use average pooling instead of strided convolutions.
    pub avgpool_in_skip: bool,
}

impl Default for ModularConfig {
    fn default() -> Self {
        Self {
            max_num_features: 512,
            base_num_features: None,
            norm: Norm::Instance,
            negative_slope: 0.01,
            init_slope: 0.01,
            dropout: 0.0,
            zero_last_norm: false,
            avgpool_in_skip: false,
        }
    }
}

/// Everything about one network.
#[derive(Debug)]
pub(super) struct Layout {
    pub family: ModularFamily,
    pub config: ModularConfig,
    pub input: usize,
    pub classes: usize,
    /// By stage, full resolution first.
    pub features: Vec<usize>,
    /// Stride into each stage.
    pub strides: Vec<Vec<usize>>,
    /// Kernel of each stage.
    pub kernels: Vec<Vec<usize>>,
    /// Blocks of each encoder stage.
    pub encoder_blocks: Vec<usize>,
    /// Blocks of each decoder stage, lowest resolution first.
    pub decoder_blocks: Vec<usize>,
}

impl Layout {
    /// Residual plans have a first stride of 1; plans of ordinary planners have one stride less.
    pub(super) fn new(family: ModularFamily, config: &ModularConfig, spec: &NetworkSpec) -> Result<Self> {
        let kernels = spec.conv_kernel_sizes.clone();
        let mut strides = spec.pool_op_kernel_sizes.clone();
        if strides.len() + 1 == kernels.len() {
            strides.insert(0, vec![1; spec.patch_size.len()]);
        }
        let stages = kernels.len();
        if stages < 2 || strides.len() != stages {
            let got = format!("{} strides and {stages} kernels", strides.len());
            return Err(Error::shape(family.name(), "a stride and a kernel of at least two stages", got));
        }
        let base = config.base_num_features.unwrap_or(spec.base_num_features);
        let default = |stage| family.default_blocks(stage, spec.conv_per_stage);
        let encoder = (0..stages).map(|stage| default(stage).0).collect();
        let decoder = vec![default(0).1; stages - 1];
        let layout = Self {
            family,
            config: config.clone(),
            input: spec.num_input_channels,
            classes: spec.num_classes,
            features: (0..stages).map(|stage| (base << stage).min(config.max_num_features)).collect(),
            strides,
            kernels,
            encoder_blocks: spec.num_blocks_encoder.clone().unwrap_or(encoder),
            decoder_blocks: spec.num_blocks_decoder.clone().unwrap_or(decoder),
        };
        layout.check()?;
        Ok(layout)
    }

    fn check(&self) -> Result<()> {
        let (encoder, decoder) = (self.encoder_blocks.len(), self.decoder_blocks.len());
        if encoder == self.kernels.len() && decoder + 1 == encoder {
            return Ok(());
        }
        let got = format!("blocks of {encoder} and {decoder} stages");
        Err(Error::shape(self.family.name(), "blocks of every stage, one stage less in the decoder", got))
    }

    /// Number of axes.
    pub(super) fn axes(&self) -> usize {
        self.kernels[0].len()
    }
}
