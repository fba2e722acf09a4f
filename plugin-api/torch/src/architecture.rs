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
    /// Creates the parameters of the network through `vars` and returns the network. Parameters are saved in the
    /// order in which they are created, as in a `state_dict` of PyTorch.
    ///
    /// # Errors
    /// Returns an error if the architecture cannot be built for this specification.
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>>;
}

/// A network that maps images to logits.
///
/// ```no_run
/// use nnunet_plugin_api::tch::Tensor;
/// use nnunet_plugin_api::{Network, Result};
///
/// /// Two outputs: full resolution, and half of it for deep supervision.
/// struct Pyramid { weight: Tensor }
///
/// impl Network for Pyramid {
///     fn forward(&self, input: &Tensor, deep_supervision: bool) -> Result<Vec<Tensor>> {
///         let full = input.f_conv3d(&self.weight, None::<&Tensor>, [1; 3], [0; 3], [1; 3], 1)?;
///         if !deep_supervision {
///             return Ok(vec![full]);
///         }
///         let half = full.f_avg_pool3d([2; 3], [2; 3], [0; 3], false, true, None)?;
///         Ok(vec![full, half])
///     }
/// }
/// ```
pub trait Network: Send {
    /// Computes the logits of a batch of patches.
    ///
    /// # Shapes
    /// `input`: (batch, channels, patch...), float. Returns logits (batch, classes, ...) at full resolution first,
    /// then at the lower ones. Without `deep_supervision` the first output is enough.
    ///
    /// # Errors
    /// Returns an error if `input` has another shape.
    fn forward(&self, input: &Tensor, deep_supervision: bool) -> Result<Vec<Tensor>>;

    /// Sets training mode (statistics of the batch, dropout) or evaluation mode, as `Module.train` of PyTorch does. A
    /// new network is in evaluation mode. Networks without layers that depend on the mode need not implement this.
    ///
    /// # Errors
    /// Returns an error if the mode cannot be set.
    fn set_training(&mut self, _training: bool) -> Result<()> {
        Ok(())
    }

    /// Whether the network accepts input in bfloat16 or float16 and computes in that data type. Parameters are always
    /// in single precision.
    fn supports_half_precision(&self) -> bool {
        false
    }
}

/// Input, output and topology of a network, from the plans. Field names follow v1.
///
/// ```
/// use nnunet_plugin_api::NetworkSpec;
///
/// let spec = NetworkSpec {
///     num_input_channels: 1,
///     num_classes: 3,
///     base_num_features: 32,
///     conv_per_stage: 2,
///     patch_size: vec![64, 64, 64],
///     pool_op_kernel_sizes: vec![vec![2; 3]; 4],
///     conv_kernel_sizes: vec![vec![3; 3]; 5],
///     num_blocks_encoder: None,
///     num_blocks_decoder: None,
/// };
/// let pooled: Vec<usize> =
///     (0..3).map(|axis| spec.pool_op_kernel_sizes.iter().map(|kernel| kernel[axis]).product()).collect();
/// assert_eq!(spec.patch_size[0] / pooled[0], 4, "edge of the bottleneck");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Channels of the input.
    pub num_input_channels: usize,
    /// Channels of the output, background included.
    pub num_classes: usize,
    /// Feature maps of the first stage.
    pub base_num_features: usize,
    /// Convolutions per stage.
    pub conv_per_stage: usize,
    /// Patch size, 2 or 3 axes, voxels.
    pub patch_size: Vec<usize>,
    /// Kernel of every pooling.
    pub pool_op_kernel_sizes: Vec<Vec<usize>>,
    /// Convolution kernel of every resolution: one more than poolings.
    pub conv_kernel_sizes: Vec<Vec<usize>>,
    /// Residual blocks per encoder stage, for residual plans.
    #[serde(default)]
    pub num_blocks_encoder: Option<Vec<usize>>,
    /// Residual blocks per decoder stage, for residual plans.
    #[serde(default)]
    pub num_blocks_decoder: Option<Vec<usize>>,
}

/// How a parameter is initialized.
///
/// ```
/// use nnunet_plugin_api::{Init, serde_json};
///
/// let init = Init::KaimingNormal { negative_slope: 0.01 };
/// assert_eq!(serde_json::to_string(&init).unwrap(), r#"{"name":"kaiming_normal","negative_slope":0.01}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Init {
    /// A constant.
    Constant {
        /// The value.
        value: f64,
    },
    /// Normal distribution with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// He initialization for leaky rectifiers: normal, fan-in (He et al. 2015).
    KaimingNormal {
        /// Slope of the leaky rectifier.
        negative_slope: f64,
    },
    /// A 64-bit integer that starts at 0 (as `num_batches_tracked` of PyTorch's batch norm).
    Counter,
    /// A second name of an existing parameter: both names refer to the same tensor, and both are saved.
    Same {
        /// The first name.
        of: String,
    },
    /// Uniform distribution.
    Uniform {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
    },
}

/// Creates the parameters of a network. The host owns, saves, loads and optimizes them.
///
/// ```no_run
/// use nnunet_plugin_api::{Init, Result, VarFactory};
///
/// /// Weight, bias and running statistics of a batch norm, with the names PyTorch gives them.
/// fn batch_norm(vars: &mut dyn VarFactory, name: &str, features: i64) -> Result<()> {
///     vars.parameter(&format!("{name}.weight"), &[features], Init::Constant { value: 1.0 })?;
///     vars.parameter(&format!("{name}.bias"), &[features], Init::Constant { value: 0.0 })?;
///     vars.buffer(&format!("{name}.running_mean"), &[features], Init::Constant { value: 0.0 })?;
///     vars.buffer(&format!("{name}.running_var"), &[features], Init::Constant { value: 1.0 })?;
///     vars.buffer(&format!("{name}.num_batches_tracked"), &[], Init::Counter)?;
///     Ok(())
/// }
/// ```
pub trait VarFactory {
    /// Creates a trainable parameter. The returned tensor shares its storage with the host's.
    ///
    /// # Errors
    /// Returns an error if `name` is used already, or if libtorch cannot make a tensor of this shape.
    fn parameter(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor>;

    /// Creates a tensor that is saved but not trained (a buffer of PyTorch, for example running statistics).
    ///
    /// # Errors
    /// As for [`VarFactory::parameter`].
    fn buffer(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor>;
}
