//! Blocks and their layers across the boundary.

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::RStr;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    BlockAbi, BlockAbi_TO, BlockObject, Guarded, LayerAbi, LayerAbi_TO, LayerObject, Opened, Received,
    TensorHandle, VarFactoryAbi, decode, encode,
};
use tch::Tensor;

use super::architecture::lend_vars;
use super::handles::{from_handle, on, to_handle};
use crate::{Block, BlockSpec, Error, Layer, Result, VarFactory};

struct Exported(Guarded<Box<dyn Block>>);

impl BlockAbi for Exported {
    fn build(&self, mut vars: VarFactoryAbi, spec: RStr<'_>) -> AbiResult<LayerObject> {
        self.0.call(|block| {
            let layer = block.build(&mut vars, &decode::<BlockSpec>(spec.as_str())?)?;
            Ok(LayerAbi_TO::from_value(ExportedLayer(Guarded::new(layer)), TD_Opaque))
        })
    }
}

struct ExportedLayer(Guarded<Box<dyn Layer>>);

impl LayerAbi for ExportedLayer {
    fn forward(&self, input: TensorHandle, training: bool) -> AbiResult<TensorHandle> {
        let input = from_handle(input);
        self.0.call(|layer| layer.forward(&input, training).map(to_handle))
    }

    fn supports_half_precision(&self) -> AbiResult<bool> {
        self.0.call(|layer| Ok(layer.supports_half_precision()))
    }
}

pub(crate) fn export(block: Box<dyn Block>) -> BlockObject {
    BlockAbi_TO::from_value(Exported(Guarded::new(block)), TD_Opaque)
}

struct Imported(Received<Opened<BlockObject>>);

impl Block for Imported {
    fn build(&self, vars: &mut dyn VarFactory, spec: &BlockSpec) -> Result<Box<dyn Layer>> {
        let text = encode(spec)?;
        let build = |factory| self.0.call("build", |object| object.build(factory, text.as_rstr()));
        let layer = lend_vars(vars, build)?;
        let object = Received::new(layer, self.0.label().to_owned());
        Ok(Box::new(ImportedLayer { object, spec: spec.clone() }))
    }
}

struct ImportedLayer {
    object: Received<LayerObject>,
    spec: BlockSpec,
}

impl Layer for ImportedLayer {
    fn forward(&self, input: &Tensor, training: bool) -> Result<Tensor> {
        let given = input.shallow_clone();
        let output = self.object.call("forward", |layer| layer.forward(to_handle(given), training))?;
        let output = from_handle(output);
        check(&self.spec, input, &output).map_err(|error| self.object.named("forward", error))?;
        Ok(output)
    }

    fn supports_half_precision(&self) -> bool {
        // A layer that cannot answer computes in single precision.
        self.object.call("supports_half_precision", |layer| layer.supports_half_precision()).unwrap_or(false)
    }
}

/// The next layer needs the features and the size that the specification names.
fn check(spec: &BlockSpec, input: &Tensor, output: &Tensor) -> Result<()> {
    let mut expected = input.size();
    if let [_, features, space @ ..] = expected.as_mut_slice() {
        *features = spec.output as i64;
        for (len, step) in space.iter_mut().zip(&spec.stride) {
            *len = (*len as u64).div_ceil(*step as u64) as i64;
        }
    }
    if output.size() != expected {
        return Err(Error::shape("output", format!("{expected:?}"), format!("{:?}", output.size())));
    }
    if !output.is_floating_point() {
        return Err(Error::shape("output", "a floating-point tensor", format!("{:?}", output.kind())));
    }
    if output.device() != input.device() {
        return Err(Error::shape("output", on(input.device()), on(output.device())));
    }
    Ok(())
}

pub(crate) fn import(object: Opened<BlockObject>, label: String) -> Result<Box<dyn Block>> {
    Ok(Box::new(Imported(Received::new(object, label))))
}
