//! Losses that use PyTorch's stable C shim alone (`torch/csrc/stable/c/shim.h`): a plugin without tch, which any libtorch
//! from 2.10 on can run. Its crate exports itself with `export_plugin_with_shim!()`.

use std::any::Any;

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::ROption;

use super::v1::adapter::{Guarded, Lent, LossAbi, LossAbi_TO, VarFactoryAbi};
use super::v1::{AbiResult, Created};
use crate::{Component, Config, Error, Factory, Info, Kind, Make, Result, TensorFactory};

/// An `AtenTensorHandle`.
pub use super::v1::adapter::TensorHandle;

/// A loss on `AtenTensorHandle`s.
pub trait ShimLoss: Send {
    /// The mean loss of a batch. Both handles are the callee's, as is what it returns the caller's: delete what is not
    /// returned with `aoti_torch_delete_tensor_object`.
    ///
    /// # Shapes
    /// `logits`: (batch, classes, space...), float. `target`: (batch, 1, space...), int64. Returns a tensor with one number.
    ///
    /// # Errors
    /// Returns an error if a function of the shim fails.
    fn forward(&self, logits: TensorHandle, target: TensorHandle) -> Result<TensorHandle>;
}

struct Exported(Guarded<Box<dyn ShimLoss>>);

impl LossAbi for Exported {
    fn forward(&self, logits: TensorHandle, target: TensorHandle) -> AbiResult<TensorHandle> {
        self.0.call(|loss| loss.forward(logits, target))
    }

    fn epoch_begins(&mut self, _epoch: u64) -> AbiResult<()> {
        AbiResult::ROk(())
    }

    fn of_batch(&self, _given: Lent<'_>) -> AbiResult<ROption<TensorHandle>> {
        AbiResult::ROk(ROption::RNone)
    }

    fn parameters(&mut self, _vars: VarFactoryAbi) -> AbiResult<()> {
        AbiResult::ROk(())
    }
}

fn export(make: &(dyn Any + Send + Sync), config: &Config) -> Result<Box<dyn Any + Send>> {
    let make = make.downcast_ref::<Make<dyn ShimLoss>>();
    let make = make.ok_or_else(|| Error::message("the component is of another kind than its factory"))?;
    let object = LossAbi_TO::from_value(Exported(Guarded::new(make(config)?)), TD_Opaque);
    Ok(Box::new(Created::Loss(object)))
}

impl Component {
    /// A loss that uses the shim alone. `make` creates it from its parameters.
    pub fn shim_loss<F>(info: Info, make: F) -> Self
    where
        F: Fn(&Config) -> Result<Box<dyn ShimLoss>> + Send + Sync + 'static,
    {
        let make: Make<dyn ShimLoss> = Box::new(make);
        let factory = Factory::Tensors(TensorFactory::new(make, export));
        Self { info: Info { kind: Kind::Loss, ..info }, factory }
    }
}
