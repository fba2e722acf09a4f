//! Architectures and networks across the boundary.

use core::ffi::c_void;

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RSlice, RStr, RVec};
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    ArchitectureAbi, ArchitectureAbi_TO, ArchitectureObject, Guarded, NetworkAbi, NetworkAbi_TO,
    NetworkObject, Received, TensorHandle, VarFactoryAbi, contain, decode, encode, from_abi,
};
use tch::Tensor;

use super::handles::{from_handle, on, to_handle};
use crate::{Architecture, Error, Init, Network, NetworkSpec, Result, VarFactory};

struct Exported(Guarded<Box<dyn Architecture>>);

impl ArchitectureAbi for Exported {
    fn build(&self, mut vars: VarFactoryAbi, spec: RStr<'_>) -> AbiResult<NetworkObject> {
        self.0.call(|architecture| {
            let network = architecture.build(&mut vars, &decode::<NetworkSpec>(spec.as_str())?)?;
            Ok(NetworkAbi_TO::from_value(ExportedNetwork(Guarded::new(network)), TD_Opaque))
        })
    }
}

/// The plugin's view of the host's factory.
impl VarFactory for VarFactoryAbi {
    fn parameter(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        make(self, name, shape, init, true)
    }

    fn buffer(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        make(self, name, shape, init, false)
    }
}

fn make(vars: &VarFactoryAbi, name: &str, shape: &[i64], init: Init, trainable: bool) -> Result<Tensor> {
    let init = encode(&init)?;
    let made = (vars.create)(vars.context, name.into(), shape.into(), init.as_rstr(), trainable);
    from_abi(made).map(from_handle)
}

struct ExportedNetwork(Guarded<Box<dyn Network>>);

impl NetworkAbi for ExportedNetwork {
    fn forward(&self, input: TensorHandle, deep_supervision: bool) -> AbiResult<RVec<TensorHandle>> {
        let input = from_handle(input);
        self.0.call(|network| {
            let outputs = network.forward(&input, deep_supervision)?;
            Ok(outputs.into_iter().map(to_handle).collect())
        })
    }

    fn set_training(&mut self, training: bool) -> AbiResult<()> {
        self.0.call_mut(|network| network.set_training(training))
    }

    fn supports_half_precision(&self) -> AbiResult<bool> {
        self.0.call(|network| Ok(network.supports_half_precision()))
    }
}

pub(crate) fn export(architecture: Box<dyn Architecture>) -> ArchitectureObject {
    ArchitectureAbi_TO::from_value(Exported(Guarded::new(architecture)), TD_Opaque)
}

struct Imported(Received<ArchitectureObject>);

impl Architecture for Imported {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let text = encode(spec)?;
        let build = |factory| self.0.call("build", |object| object.build(factory, text.as_rstr()));
        let network = lend_vars(vars, build)?;
        Ok(Box::new(ImportedNetwork {
            object: Received::new(network, self.0.label().to_owned()),
            batch_axes: spec.patch_size.len() + 2,
            classes: spec.num_classes as i64,
        }))
    }
}

/// Lends the host's factory of parameters to a plugin during `body`.
pub(super) fn lend_vars<R>(vars: &mut dyn VarFactory, body: impl FnOnce(VarFactoryAbi) -> R) -> R {
    // A fat pointer does not fit `*mut c_void`; a pointer to it does. Both live until `body` returns.
    let mut vars: &mut dyn VarFactory = vars;
    body(VarFactoryAbi { context: (&raw mut vars).cast(), create: create_var })
}

/// Called by the plugin, runs in the host: the host's factory behind `context`.
extern "C" fn create_var(
    context: *mut c_void,
    name: RStr<'_>,
    shape: RSlice<'_, i64>,
    init: RStr<'_>,
    trainable: bool,
) -> AbiResult<TensorHandle> {
    contain(|| {
        // SAFETY: `context` is the `&mut &mut dyn VarFactory` of the call that is running on this thread.
        let vars = unsafe { &mut *context.cast::<&mut dyn VarFactory>() };
        let init: Init = decode(init.as_str())?;
        let made = if trainable {
            vars.parameter(name.as_str(), shape.as_slice(), init)
        } else {
            vars.buffer(name.as_str(), shape.as_slice(), init)
        };
        made.map(to_handle)
    })
}

struct ImportedNetwork {
    object: Received<NetworkObject>,
    batch_axes: usize,
    classes: i64,
}

impl Network for ImportedNetwork {
    fn forward(&self, input: &Tensor, deep_supervision: bool) -> Result<Vec<Tensor>> {
        let given = input.shallow_clone();
        let outputs = self.object.call("forward", |net| net.forward(to_handle(given), deep_supervision))?;
        let outputs = outputs.into_iter().map(from_handle).collect();
        self.check(input, outputs).map_err(|error| self.object.named("forward", error))
    }

    fn set_training(&mut self, training: bool) -> Result<()> {
        self.object.call_mut("set_training", |net| net.set_training(training))
    }

    fn supports_half_precision(&self) -> bool {
        // A network that cannot answer computes in single precision.
        self.object.call("supports_half_precision", |net| net.supports_half_precision()).unwrap_or(false)
    }
}

impl ImportedNetwork {
    /// The first output has the input's batch and grid and one channel per class.
    fn check(&self, input: &Tensor, outputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        let Some(first) = outputs.first() else {
            return Err(Error::shape("output", "at least one tensor", "none"));
        };
        let mut expected = input.size();
        expected[1] = self.classes;
        if first.size() != expected || expected.len() != self.batch_axes {
            return Err(Error::shape("output", format!("{expected:?}"), format!("{:?}", first.size())));
        }
        for output in &outputs {
            if !output.is_floating_point() {
                let found = format!("{:?}", output.kind());
                return Err(Error::shape("output", "floating-point tensors", found));
            }
            if output.device() != input.device() {
                return Err(Error::shape("output", on(input.device()), on(output.device())));
            }
        }
        Ok(outputs)
    }
}

pub(crate) fn import(object: ArchitectureObject, label: String) -> Result<Box<dyn Architecture>> {
    Ok(Box::new(Imported(Received::new(object, label))))
}
