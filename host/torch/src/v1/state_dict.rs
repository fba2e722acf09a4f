//! Tensors of a checkpoint, by name, into the parameters of a network or a loss.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_architectures::{Parameter, ParameterStore};
use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::Checkpoint;

/// Puts the tensors of a state dict into a store; none may be missing.
pub(crate) fn put_entries(
    path: &Path,
    state: &[(Value, Value)],
    checkpoint: &Checkpoint,
    store: &mut ParameterStore,
) -> Result<()> {
    put_named(path, state, checkpoint, store, |store| store.parameters())
}

/// As [`put_entries`], for the parameters of the loss.
pub(crate) fn put_loss(
    path: &Path,
    state: &[(Value, Value)],
    checkpoint: &Checkpoint,
    store: &mut ParameterStore,
) -> Result<()> {
    put_named(path, state, checkpoint, store, |store| store.parameters_beside())
}

fn put_named(
    path: &Path,
    state: &[(Value, Value)],
    checkpoint: &Checkpoint,
    store: &mut ParameterStore,
    wanted: fn(&ParameterStore) -> &[Parameter],
) -> Result<()> {
    let firsts = wanted(store).iter().filter(|parameter| parameter.same_as.is_none());
    let mut missing: Vec<String> = firsts.map(|parameter| parameter.name.clone()).collect();
    for (name, value) in state {
        let (Value::Str(name), Value::Tensor(index)) = (name, value) else {
            bail!("{}: unexpected entry in `state_dict`: expected a name and a tensor", path.display())
        };
        let name = name.strip_prefix("module.").unwrap_or(name);
        let tensor = &checkpoint.tensors[*index];
        let values =
            tensor.to_f32().with_context(|| format!("{}: `{name}` is not floating point", path.display()))?;
        store.set(name, &tensor.shape, &values).with_context(|| path.display().to_string())?;
        missing.retain(|other| other != name);
    }
    ensure!(
        missing.is_empty(),
        "{} lacks the parameters {missing:?}; it belongs to another architecture",
        path.display()
    );
    Ok(())
}
