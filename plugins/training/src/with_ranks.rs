//! Training as one of several processes: each makes its share of every batch, gradients are averaged while the backward pass
//! runs, and what decides how training goes on is the same in all of them. In a process on its own nothing here does anything.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Error, Result, Tally};
use nnunet_torch_ops::ranks;

/// Parameters are made the same in all processes, and their gradients are averaged from now on.
///
/// # Errors
/// Returns an error if a batch has fewer samples than there are processes, or if another process has ended, as all functions
/// here.
pub(crate) fn begin(store: &ParameterStore, batch: usize) -> Result<()> {
    let Some(ranks) = ranks::current() else { return Ok(()) };
    if batch < ranks.size() {
        let why = format!("{batch} samples cannot be shared by {} processes; use fewer", ranks.size());
        return Err(Error::parameter("batch_size", why));
    }
    ranks.set_batch(batch);
    take_parameters_from_first(store)?;
    let trained: Vec<Tensor> = store.trainable().map(|parameter| parameter.tensor.shallow_clone()).collect();
    Ok(ranks.average_gradients_of(&trained)?)
}

/// Parameters, and buffers such as running means, become those of the first process.
pub(crate) fn take_parameters_from_first(store: &ParameterStore) -> Result<()> {
    let Some(ranks) = ranks::current() else { return Ok(()) };
    let all: Vec<Tensor> =
        store.all_parameters().iter().map(|parameter| parameter.tensor.shallow_clone()).collect();
    Ok(ranks.take_from_first(&all)?)
}

/// The gradients of a loss.
pub(crate) fn backward(loss: &Tensor) -> Result<()> {
    let Some(ranks) = ranks::current() else { return Ok(loss.f_backward()?) };
    let loss = loss.f_mul_scalar(ranks.weight())?;
    ranks.prepare_backward(&loss)?;
    Ok(loss.f_backward()?)
}

/// The mean of a loss over the whole batch, without its gradient.
pub(crate) fn mean_loss(loss: &Tensor) -> Result<Tensor> {
    Ok(match ranks::current() {
        Some(ranks) => ranks.mean_loss(loss)?,
        None => loss.detach(),
    })
}

/// The sum of a tensor over all processes.
pub(crate) fn sum(x: Tensor) -> Result<Tensor> {
    Ok(match ranks::current() {
        Some(ranks) => ranks.sum(&x)?,
        None => x,
    })
}

/// Whether any process says so.
pub(crate) fn any(here: bool) -> Result<bool> {
    Ok(match ranks::current() {
        Some(ranks) => ranks.any(here)?,
        None => here,
    })
}

/// A part of the seed of layers' random numbers, in which processes differ.
pub(crate) fn seed() -> u64 {
    ranks::current().map_or(0, |ranks| (ranks.rank() as u64) << 32)
}

/// The tallies of all processes.
pub(crate) fn all_tallies(tallies: Vec<Tally>) -> Result<Vec<Tally>> {
    let Some(ranks) = ranks::current() else { return Ok(tallies) };
    let line = |tally: &Tally| format!("{} {} {}\n", tally.sum.to_bits(), tally.count.to_bits(), tally.name);
    let gathered = ranks.gather(tallies.iter().map(line).collect::<String>().as_bytes())?;
    let texts = gathered.iter().map(|bytes| String::from_utf8_lossy(bytes));
    let read = |line: &str| -> Option<Tally> {
        let mut parts = line.splitn(3, ' ');
        let mut number = || parts.next()?.parse().ok().map(f64::from_bits);
        let (sum, count) = (number()?, number()?);
        Some(Tally::new(parts.next()?, sum, count))
    };
    Ok(texts.flat_map(|text| text.lines().filter_map(read).collect::<Vec<_>>()).collect())
}
