//! The tensors of a checkpoint that are the values of a network's parameters.

use std::collections::HashMap;

use anyhow::{Context, Result};
use nnunet_architectures::ParameterStore;
use nnunet_formats::torch_zip::{TensorData, Tensors};

/// Names of parameters, and the index of the tensor that has the values.
#[derive(Debug, Default)]
pub(crate) struct Weights(pub(crate) Vec<(String, usize)>);

impl Weights {
    /// Puts tensors that have been read into a store.
    ///
    /// # Errors
    /// Returns an error for a parameter that does not exist, or has another shape or type.
    pub(crate) fn put(&self, tensors: &[TensorData], store: &mut ParameterStore) -> Result<()> {
        self.0.iter().try_for_each(|(name, index)| put(name, &tensors[*index], store))
    }

    /// Reads tensors one after the other into a store; no two are in memory at a time beside it.
    ///
    /// # Errors
    /// As [`Weights::put`], and if the file is damaged.
    pub(crate) fn read(&self, tensors: Tensors, store: &mut ParameterStore) -> Result<()> {
        let mut names: HashMap<usize, Vec<&str>> = HashMap::new();
        for (name, index) in &self.0 {
            names.entry(*index).or_default().push(name);
        }
        // A checkpoint has the optimizer's tensors too, which are as large.
        let tensors = tensors.retain(|index| names.contains_key(&index));
        tensors.read_each(|index, tensor| {
            names.remove(&index).into_iter().flatten().try_for_each(|name| put(name, &tensor, store))
        })
    }
}

fn put(name: &str, tensor: &TensorData, store: &mut ParameterStore) -> Result<()> {
    let values = tensor.as_f32().with_context(|| format!("`{name}` is not floating point"))?;
    Ok(store.set(name, &tensor.shape, &values)?)
}
