//! Parameters of v2's U-Nets.

use nnunet_plugin_api::{Error, NetworkSpec, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::norm::Norm;
use crate::replaced::Replace;

/// What the encoder is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncoderKind {
    /// Convolutions.
    Plain,
    /// A stem, then residual blocks (ResNet-D).
    Residual,
}

/// Parameters of v2's U-Nets, by v2's names; the `arch_kwargs` of v2's plans are accepted as they are. Lists have one
/// entry for each resolution, the highest first; where they are empty they follow from the plans.
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
    /// Registered blocks instead of the network's own: `block`, `norm`, `nonlinearity`, each a name, or a table of a name
    /// and parameters.
    pub replace: Replace,
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
            replace: Replace::default(),
        }
    }
}

/// Largest number of features of a stage if the plans do not give the features: v2's limits.
const MAX_FEATURES: [usize; 2] = [512, 320];
/// Residual blocks of v2's planner `ResEncM` and larger.
const RESIDUAL_BLOCKS: [usize; 8] = [1, 3, 4, 6, 6, 6, 6, 6];

impl V2UnetConfig {
    /// Fills what is left open from the plans.
    pub(super) fn completed(&self, kind: EncoderKind, spec: &NetworkSpec) -> Self {
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

    pub(super) fn check(&self, axes: usize) -> Result<()> {
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
