//! Registered blocks in place of those that a network has by itself.

use std::fmt;

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::vocabulary::ComponentChoice;
use nnunet_plugin_api::{self as api, BlockSpec, Error, Prefixed, Result, VarFactory, host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::block::{Activation, BlockStyle, dropped};
use crate::layers::{Convolution, ConvolutionShape};
use crate::norm::Normalization;
use crate::unet::Layer;

/// Registered blocks in a network, by name with their parameters. What is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Replace {
    /// The blocks of all stages of encoder and decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<ComponentChoice>,
    /// The normalization within the network's own blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm: Option<ComponentChoice>,
    /// The nonlinearity within the network's own blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonlinearity: Option<ComponentChoice>,
}

/// The blocks of a [`Replace`].
#[derive(Default)]
pub(crate) struct Replaced {
    block: Option<Box<dyn api::Block>>,
    norm: Option<Box<dyn api::Block>>,
    nonlinearity: Option<Box<dyn api::Block>>,
    /// What normalization and nonlinearity are called in the state dict.
    names: [&'static str; 2],
}

impl fmt::Debug for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replaced")
    }
}

impl Replaced {
    /// Makes the blocks, so that a wrong name or parameter is an error before a network is built.
    pub(crate) fn new(replace: &Replace, names: [&'static str; 2]) -> Result<Self> {
        if replace.block.is_some() && (replace.norm.is_some() || replace.nonlinearity.is_some()) {
            let why = "a block brings its own normalization and nonlinearity; name the block or these";
            return Err(Error::parameter("replace", why));
        }
        let make = |choice: &Option<ComponentChoice>| {
            choice.as_ref().map(|choice| host::block(&choice.name, &choice.parameters)).transpose()
        };
        Ok(Self {
            block: make(&replace.block)?,
            norm: make(&replace.norm)?,
            nonlinearity: make(&replace.nonlinearity)?,
            names,
        })
    }

    /// Whether the network's own blocks have a registered part.
    fn has_parts(&self) -> bool {
        self.norm.is_some() || self.nonlinearity.is_some()
    }

    /// A block of a stage: the registered one, or the network's own with registered parts, or none of these.
    pub(crate) fn block(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        style: BlockStyle,
    ) -> Result<Option<Box<dyn Layer>>> {
        if let Some(block) = &self.block {
            return Ok(Some(Box::new(Registered::new(&**block, vars, name, &spec(shape))?)));
        }
        if !self.has_parts() {
            return Ok(None);
        }
        Ok(Some(Box::new(Unit::new(self, vars, name, shape, style, true)?)))
    }

    /// As [`Replaced::block`], for residual blocks.
    pub(crate) fn residual_block(
        &self,
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        style: BlockStyle,
    ) -> Result<Option<Box<dyn Layer>>> {
        if !self.has_parts() {
            return self.block(vars, name, shape, style);
        }
        let one = vec![1; shape.kernel.len()];
        let second = ConvolutionShape { input: shape.output, stride: &one, ..*shape };
        let skip = ConvolutionShape { kernel: &one, bias: false, ..*shape };
        let spec = spec(shape);
        let block = Residual {
            first: Unit::new(self, vars, &format!("{name}.conv1"), shape, style, true)?,
            second: Unit::new(self, vars, &format!("{name}.conv2"), &second, style, false)?,
            skip: spec
                .changes_shape()
                .then(|| Unit::new(self, vars, &format!("{name}.skip"), &skip, style, false))
                .transpose()?,
            nonlinearity: Part::nonlinearity(self, vars, &format!("{name}.nonlin2"), shape, style)?,
        };
        Ok(Some(Box::new(block)))
    }
}

fn spec(shape: &ConvolutionShape<'_>) -> BlockSpec {
    let ConvolutionShape { input, output, kernel, stride, .. } = *shape;
    BlockSpec { input, output, kernel: kernel.to_vec(), stride: stride.to_vec() }
}

/// What comes after a convolution.
fn spec_after(shape: &ConvolutionShape<'_>) -> BlockSpec {
    let one = vec![1; shape.kernel.len()];
    BlockSpec { input: shape.output, output: shape.output, kernel: one.clone(), stride: one }
}

/// A layer of a registered block.
struct Registered(Box<dyn api::Layer>);

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registered")
    }
}

impl Registered {
    fn new(block: &dyn api::Block, vars: &mut dyn VarFactory, name: &str, spec: &BlockSpec) -> Result<Self> {
        Ok(Self(block.build(&mut Prefixed::new(name, vars), spec)?))
    }
}

impl Layer for Registered {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        self.0.forward(x, training)
    }

    fn supports_half_precision(&self) -> bool {
        self.0.supports_half_precision()
    }
}

/// A normalization or nonlinearity.
#[derive(Debug)]
enum Part {
    Registered(Registered),
    Norm(Normalization),
    Nonlinearity(Activation),
}

impl Part {
    /// A registered block in the place of a built-in part, if there is one.
    fn new(
        block: Option<&dyn api::Block>,
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        built_in: impl FnOnce(&mut dyn VarFactory) -> Result<Self>,
    ) -> Result<Self> {
        match block {
            Some(block) => Ok(Self::Registered(Registered::new(block, vars, name, &spec_after(shape))?)),
            None => built_in(vars),
        }
    }

    fn norm(
        replaced: &Replaced,
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        style: BlockStyle,
    ) -> Result<Self> {
        Self::new(replaced.norm.as_deref(), vars, name, shape, |vars| {
            Ok(Self::Norm(Normalization::new(vars, name, style.norm, shape)?))
        })
    }

    fn nonlinearity(
        replaced: &Replaced,
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        style: BlockStyle,
    ) -> Result<Self> {
        Self::new(replaced.nonlinearity.as_deref(), vars, name, shape, |_| {
            Ok(Self::Nonlinearity(style.activation))
        })
    }

    fn apply(&self, x: Tensor, training: bool) -> Result<Tensor> {
        match self {
            Self::Registered(layer) => layer.forward(&x, training),
            Self::Norm(norm) => norm.forward(x, training),
            Self::Nonlinearity(activation) => activation.apply(x),
        }
    }

    fn supports_half_precision(&self) -> bool {
        match self {
            Self::Registered(layer) => layer.supports_half_precision(),
            Self::Norm(_) | Self::Nonlinearity(_) => true,
        }
    }
}

/// Convolution and dropout, then normalization and perhaps nonlinearity in the order of the network.
#[derive(Debug)]
struct Unit {
    convolution: Convolution,
    dropout: f64,
    then: Vec<Part>,
}

impl Unit {
    fn new(
        replaced: &Replaced,
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        style: BlockStyle,
        is_nonlinear: bool,
    ) -> Result<Self> {
        let [norm, nonlinearity] = replaced.names.map(|part| format!("{name}.{part}"));
        let convolution = Convolution::new(vars, &format!("{name}.conv"), shape, style.init_slope)?;
        let mut then = vec![Part::norm(replaced, vars, &norm, shape, style)?];
        if is_nonlinear {
            then.push(Part::nonlinearity(replaced, vars, &nonlinearity, shape, style)?);
        }
        if style.norm_last {
            then.reverse();
        }
        Ok(Self { convolution, dropout: style.dropout, then })
    }
}

impl Layer for Unit {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let x = dropped(self.convolution.forward(x)?, self.dropout, training)?;
        self.then.iter().try_fold(x, |x, part| part.apply(x, training))
    }

    fn supports_half_precision(&self) -> bool {
        self.then.iter().all(Part::supports_half_precision)
    }
}

/// A residual block with registered parts. Where features or size change, the input goes through a strided convolution.
#[derive(Debug)]
struct Residual {
    first: Unit,
    second: Unit,
    skip: Option<Unit>,
    nonlinearity: Part,
}

impl Layer for Residual {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let skip = match &self.skip {
            Some(skip) => skip.forward(x, training)?,
            None => x.shallow_clone(),
        };
        let inner = self.second.forward(&self.first.forward(x, training)?, training)?;
        self.nonlinearity.apply(inner.f_add(&skip)?, training)
    }

    fn supports_half_precision(&self) -> bool {
        self.nonlinearity.supports_half_precision()
            && [&self.first, &self.second].into_iter().chain(&self.skip).all(Unit::supports_half_precision)
    }
}
