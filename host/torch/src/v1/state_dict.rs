//! Tensors of a checkpoint, by name, into the parameters of a network or a loss.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_architectures::{Parameter, ParameterStore};
use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::{Checkpoint, Tensors};

use crate::weights::Weights;

/// Puts the tensors of a state dict into a store; none may be missing.
pub(crate) fn put_entries(
    path: &Path,
    state: &[(Value, Value)],
    checkpoint: &Checkpoint,
    store: &mut ParameterStore,
) -> Result<()> {
    let weights = complete(path, state, store.parameters())?;
    weights.put(&checkpoint.tensors, store).with_context(|| path.display().to_string())
}

/// As [`put_entries`], reading the tensors.
pub(crate) fn read_entries(
    path: &Path,
    state: &[(Value, Value)],
    tensors: Tensors,
    store: &mut ParameterStore,
) -> Result<()> {
    let weights = complete(path, state, store.parameters())?;
    weights.read(tensors, store).with_context(|| path.display().to_string())
}

/// As [`put_entries`], for the parameters of the loss.
pub(crate) fn put_loss(
    path: &Path,
    state: &[(Value, Value)],
    checkpoint: &Checkpoint,
    store: &mut ParameterStore,
) -> Result<()> {
    let weights = complete(path, state, store.parameters_beside())?;
    weights.put(&checkpoint.tensors, store).with_context(|| path.display().to_string())
}

/// The tensors of a state dict, which has all parameters that are wanted. A leading `module.` (data parallel training) is
/// ignored.
fn complete(path: &Path, state: &[(Value, Value)], wanted: &[Parameter]) -> Result<Weights> {
    let firsts = wanted.iter().filter(|parameter| parameter.same_as.is_none());
    let mut missing: Vec<&str> = firsts.map(|parameter| parameter.name.as_str()).collect();
    let mut weights = Weights::default();
    for (name, value) in state {
        let (Value::Str(name), Value::Tensor(index)) = (name, value) else {
            bail!("{}: unexpected entry in `state_dict`: expected a name and a tensor", path.display())
        };
        let name = name.strip_prefix("module.").unwrap_or(name);
        missing.retain(|other| *other != name);
        weights.0.push((name.to_owned(), *index));
    }
    ensure!(
        missing.is_empty(),
        "{} lacks the parameters {missing:?}; it belongs to another architecture",
        path.display()
    );
    Ok(weights)
}
