//! Architectures: networks whose parameters the host owns.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::Result;

/// Builds a network for the plans of a data set.
///
/// ```no_run
/// use nnunet_plugin_api::tch::Tensor;
/// use nnunet_plugin_api::{Architecture, Error, Init, Network, NetworkSpec, Result, VarFactory};
///
/// /// One convolution of one voxel, for volumes.
/// struct Pointwise;
///
/// impl Architecture for Pointwise {
///     fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
///         if spec.patch_size.len() != 3 {
///             return Err(Error::message("Pointwise is for volumes"));
///         }
///         let shape = [spec.num_classes as i64, spec.num_input_channels as i64, 1, 1, 1];
///         let weight = vars.parameter("weight", &shape, Init::KaimingNormal { negative_slope: 0.01 })?;
///         Ok(Box::new(PointwiseNetwork { weight }))
///     }
/// }
///
/// struct PointwiseNetwork {
///     weight: Tensor,
/// }
///
/// impl Network for PointwiseNetwork {
///     fn forward(&self, input: &Tensor, _deep_supervision: bool) -> Result<Vec<Tensor>> {
///         let none: Option<&Tensor> = None;
///         Ok(vec![input.f_conv3d(&self.weight, none, [1, 1, 1], [0, 0, 0], [1, 1, 1], 1)?])
///     }
/// }
/// ```
pub trait Architecture: Send {
    /// Creates the parameters of the network through `vars` and returns the network. Parameters are saved in the order in
    /// which they are created, as in a `state_dict` of PyTorch.
    ///
    /// # Errors
    /// Returns an error if the architecture cannot be built for this specification.
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>>;
}

/// A network that maps images to logits.
pub trait Network: Send {
    /// Computes the logits of a batch of patches.
    ///
    /// # Shapes
    /// `input`: (batch, channels, patch...), float. Returns logits (batch, classes, ...) at full resolution first, then at
    /// the lower ones. Without `deep_supervision` the first output is enough.
    ///
    /// # Errors
    /// Returns an error if `input` has another shape.
    fn forward(&self, input: &Tensor, deep_supervision: bool) -> Result<Vec<Tensor>>;

    /// Switches between training (statistics of the batch, dropout) and prediction, where a network starts. Networks
    /// without such layers need not tell them apart.
    ///
    /// # Errors
    /// A network that cannot be switched.
    fn set_training(&mut self, _training: bool) -> Result<()> {
        Ok(())
    }

    /// Whether the network computes in its input's number format when that is bfloat16 or half. Parameters are always
    /// in single precision.
    fn supports_half_precision(&self) -> bool {
        false
    }
}

/// What an architecture must fit: from the plans, with v1's names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Channels of the input.
    pub num_input_channels: usize,
    /// Channels of the output, background included.
    pub num_classes: usize,
    /// Features of the first stage.
    pub base_num_features: usize,
    /// Convolutions per stage.
    pub conv_per_stage: usize,
    /// 2 or 3 axes, voxels.
    pub patch_size: Vec<usize>,
    /// Pooling kernels; their length is the number of poolings.
    pub pool_op_kernel_sizes: Vec<Vec<usize>>,
    /// Convolution kernels, one more than poolings.
    pub conv_kernel_sizes: Vec<Vec<usize>>,
    /// Residual blocks per encoder stage, for residual plans.
    #[serde(default)]
    pub num_blocks_encoder: Option<Vec<usize>>,
    /// Residual blocks per decoder stage, for residual plans.
    #[serde(default)]
    pub num_blocks_decoder: Option<Vec<usize>>,
}

/// How a parameter is initialized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Init {
    /// One value everywhere.
    Constant {
        /// The value.
        value: f64,
    },
    /// Normal with the given deviation and mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// He initialization for leaky rectifiers: normal, fan-in (He et al. 2015).
    KaimingNormal {
        /// Slope of the leaky rectifier.
        negative_slope: f64,
    },
    /// A 64-bit whole number that starts at 0 (batches seen).
    Counter,
    /// A second name of a parameter that exists already: both are the same tensor, saved under both names.
    Same {
        /// The first name.
        of: String,
    },
    /// Uniform between two bounds.
    Uniform {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
    },
}

/// Creates the parameters of a network. The host owns, saves, loads and optimizes them.
pub trait VarFactory {
    /// Creates a trainable parameter. The returned tensor shares its storage with the host's.
    ///
    /// # Errors
    /// Returns an error if `name` is used already, or if libtorch cannot make a tensor of this shape.
    fn parameter(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor>;

    /// A saved tensor that is not trained (running statistics).
    ///
    /// # Errors
    /// As for [`VarFactory::parameter`].
    fn buffer(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor>;
}
