//! Where a value that is not finite came from.

use nnunet_architectures::probe;
use nnunet_plugin_api::tch::{Kind, Tensor, no_grad};
use nnunet_plugin_api::{Batch, Error, Result};
use nnunet_torch_ops::ranks;

use crate::batch_on_device::OnDevice;
use crate::gradients::forget_gradients;
use crate::state::Engine;

/// Names the cases and the first layer that an error of a step is about.
pub(crate) fn locate(engine: &Engine, batch: &Batch, error: Error) -> Error {
    if ranks::current().is_some() {
        // The processes look at different samples, and the loss of one waits for the others.
        return error;
    }
    let place = place(engine, batch).unwrap_or_else(|_| "place unknown".to_owned());
    error.within(place)
}

/// Every sample alone, so that the case is known; then what only shows in the whole batch.
fn place(engine: &Engine, batch: &Batch) -> Result<String> {
    let all = format!("cases {}", batch.cases.join(" "));
    if let Some(name) = first_parameter(engine, |tensor| tensor.shallow_clone())? {
        return Ok(format!("{all}: first in parameter {name}"));
    }
    for (i, case) in (0..).zip(&batch.cases) {
        if let Some(layer) = no_grad(|| first_in_sample(engine, &batch.sample(i)?))? {
            return Ok(format!("case {case}: first in {layer}"));
        }
    }
    if engine.reads_late() {
        // The gradients are those of a later step.
        forget_gradients(&engine.store)?;
        engine.loss_of(&engine.forward(batch, true)?, batch)?.f_backward()?;
    }
    let gradient = first_parameter(engine, Tensor::grad)?;
    Ok(gradient.map_or_else(
        || format!("{all}: first in the loss"),
        |name| format!("{all}: first in the gradient of {name}"),
    ))
}

fn first_in_sample(engine: &Engine, sample: &Batch) -> Result<Option<String>> {
    if !finite(&sample.data)? {
        return Ok(Some("the input".to_owned()));
    }
    let (outputs, layer) = probe::first_not_finite(|| engine.forward(sample, true));
    if layer.is_some() {
        return Ok(layer);
    }
    for (i, output) in outputs?.iter().enumerate() {
        if !finite(output)? {
            return Ok(Some(format!("output {i} of the network")));
        }
    }
    Ok(None)
}

fn first_parameter(engine: &Engine, look: impl Fn(&Tensor) -> Tensor) -> Result<Option<String>> {
    for parameter in engine.store.parameters() {
        let tensor = look(&parameter.tensor);
        if tensor.defined() && !finite(&tensor)? {
            return Ok(Some(parameter.name.clone()));
        }
    }
    Ok(None)
}

fn finite(tensor: &Tensor) -> Result<bool> {
    let all = tensor.detach().f_isfinite()?.f_all()?;
    Ok(f64::try_from(all.f_to_kind(Kind::Double)?)? == 1.0)
}
