//! What hooks of trainers may return.

use tch::{Device, Kind, Tensor};

use super::handles::on;
use crate::{Batch, Error, Result, Tally, TrainerState};

/// A batch after `on_batch`: images and targets as before, but for the number of samples and the kind of targets.
pub(super) fn batch(before: &Batch, after: Batch) -> Result<Batch> {
    let samples = after.data.size().first().copied().unwrap_or(0);
    same_space("images", &before.data, &after.data, samples, true)?;
    if !after.data.is_floating_point() {
        return Err(Error::shape("images", "floating-point numbers", format!("{:?}", after.data.kind())));
    }
    if before.targets.len() != after.targets.len() {
        return Err(Error::shape("targets", before.targets.len(), after.targets.len()));
    }
    for (before, after) in before.targets.iter().zip(&after.targets) {
        same_space("targets", before, after, samples, !after.is_floating_point())?;
        if !after.is_floating_point() && after.kind() != Kind::Int64 {
            return Err(Error::shape("targets", "Int64 or floating point", format!("{:?}", after.kind())));
        }
    }
    // A GPU is not waited for: there the loss shows it.
    if after.data.device() == Device::Cpu && !is_finite(&after.data)? {
        return Err(Error::message("images with values that are not finite"));
    }
    Ok(after)
}

fn same_space(what: &str, before: &Tensor, after: &Tensor, samples: i64, channels: bool) -> Result<()> {
    let (mut expected, found) = (before.size(), after.size());
    expected[0] = samples;
    if !channels && found.len() > 1 {
        expected[1] = found[1];
    }
    if found != expected || samples < 1 {
        return Err(Error::shape(what, format!("{expected:?}"), format!("{found:?}")));
    }
    if after.device() != before.device() {
        return Err(Error::shape(what, on(before.device()), on(after.device())));
    }
    Ok(())
}

/// The loss of a step is one number on the device of the batch.
pub(super) fn step_loss(loss: Tensor, batch: &Batch) -> Result<Tensor> {
    if loss.numel() != 1 || !loss.is_floating_point() {
        let found = format!("{:?} {:?}", loss.kind(), loss.size());
        return Err(Error::shape("loss", "a floating-point scalar", found));
    }
    if loss.device() != batch.data.device() {
        return Err(Error::shape("loss", on(batch.data.device()), on(loss.device())));
    }
    let loss = loss.detach().f_reshape(&[] as &[i64])?;
    // A GPU is not waited for; the engine reads the value later.
    if loss.device() == Device::Cpu && !is_finite(&loss)? {
        return Err(Error::NotFinite(format!("loss {}", f64::try_from(&loss)?)));
    }
    Ok(loss)
}

/// Scores of a whole case are numbers, for every voxel of its image.
pub(super) fn scores(scores: Tensor, image: &Tensor) -> Result<Tensor> {
    let (found, expected) = (scores.size(), image.size());
    if found.len() != expected.len() || found[1..] != expected[1..] {
        let expected = format!("[classes, {:?}]", &expected[1..]);
        return Err(Error::shape("scores", expected, format!("{found:?}")));
    }
    if !scores.is_floating_point() {
        return Err(Error::shape("scores", "floating-point numbers", format!("{:?}", scores.kind())));
    }
    if !is_finite(&scores)? {
        return Err(Error::NotFinite("a score".to_owned()));
    }
    Ok(scores)
}

/// Sums and counts are numbers.
pub(super) fn tallies(tallies: Vec<Tally>) -> Result<Vec<Tally>> {
    match tallies.iter().find(|tally| !(tally.sum.is_finite() && tally.count.is_finite())) {
        Some(Tally { name, sum, count }) => {
            Err(Error::message(format!("tally `{name}` of {sum} and {count} is not finite")))
        }
        None => Ok(tallies),
    }
}

/// Checkpoints keep floating-point tensors.
pub(super) fn state(state: TrainerState) -> Result<TrainerState> {
    match state.tensors.iter().find(|(_, tensor)| !tensor.is_floating_point()) {
        Some((name, tensor)) => {
            Err(Error::shape(name, "floating-point numbers", format!("{:?}", tensor.kind())))
        }
        None => Ok(state),
    }
}

fn is_finite(tensor: &Tensor) -> Result<bool> {
    let finite = tensor.detach().f_isfinite()?.f_all()?;
    Ok(f64::try_from(finite.f_to_kind(Kind::Double)?)? == 1.0)
}
