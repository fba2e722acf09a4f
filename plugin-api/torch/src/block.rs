//! Blocks: parts of networks that architectures are made of.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{Result, VarFactory};

/// Builds a part of a network: a block of convolutions, a normalization or a nonlinearity. `Generic_UNet`,
/// `PlainConvUNet` and `ResidualEncoderUNet` use it instead of their own where their parameter `replace` names it; an
/// architecture of a plugin gets it with `host::block`.
///
/// A closure that builds a layer is a block.
///
/// ```
/// use nnunet_plugin_api::tch::Tensor;
/// use nnunet_plugin_api::{Block, BlockSpec, Component, Info, Kind, Layer, Registration, Result, VarFactory, inventory};
///
/// /// `x` times its sigmoid: `replace = { nonlinearity = "Swish" }`.
/// struct Swish;
///
/// impl Layer for Swish {
///     fn forward(&self, input: &Tensor, _training: bool) -> Result<Tensor> {
///         Ok(input.f_silu()?)
///     }
/// }
///
/// impl Block for Swish {
///     fn build(&self, _vars: &mut dyn VarFactory, _spec: &BlockSpec) -> Result<Box<dyn Layer>> {
///         Ok(Box::new(Swish))
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     Component::block(Info::new(Kind::Block, "Swish", "x times its sigmoid."), |_config| Ok(Box::new(Swish)))
/// }));
/// ```
pub trait Block: Send {
    /// Creates the parameters of one layer through `vars` and returns the layer. A network builds the block once for each
    /// place; names of parameters need to differ within one layer only.
    ///
    /// # Errors
    /// Returns an error if there is no such layer for this specification.
    fn build(&self, vars: &mut dyn VarFactory, spec: &BlockSpec) -> Result<Box<dyn Layer>>;
}

impl<F> Block for F
where
    F: Fn(&mut dyn VarFactory, &BlockSpec) -> Result<Box<dyn Layer>> + Send,
{
    fn build(&self, vars: &mut dyn VarFactory, spec: &BlockSpec) -> Result<Box<dyn Layer>> {
        self(vars, spec)
    }
}

/// A layer of a network, or several.
pub trait Layer: Send {
    /// # Shapes
    /// (batch, `input`, space...) to (batch, `output`, space / `stride`, rounded up...) of its [`BlockSpec`].
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn forward(&self, input: &Tensor, training: bool) -> Result<Tensor>;

    /// Whether the layer accepts input in bfloat16 or float16 and computes in that data type. Parameters are always in
    /// single precision. A network with a layer that does not is trained in single precision.
    fn supports_half_precision(&self) -> bool {
        false
    }
}

/// Features, kernel and stride of a layer.
///
/// ```
/// use nnunet_plugin_api::BlockSpec;
///
/// let spec = BlockSpec { input: 32, output: 64, kernel: vec![3; 3], stride: vec![1, 2, 2] };
/// assert!(spec.changes_shape());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSpec {
    /// Features that come in.
    pub input: usize,
    /// Features that go out; of normalizations and nonlinearities the same.
    pub output: usize,
    /// Kernel of the stage's convolutions, 2 or 3 axes.
    pub kernel: Vec<usize>,
    /// Stride along each axis; 1 everywhere but in the first block of a stage.
    pub stride: Vec<usize>,
}

impl BlockSpec {
    /// Whether features or size change, so that a residual block cannot simply add its input.
    #[must_use]
    pub fn changes_shape(&self) -> bool {
        self.input != self.output || self.stride.iter().any(|step| *step != 1)
    }
}
