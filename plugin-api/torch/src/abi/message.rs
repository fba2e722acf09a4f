//! Tensors, numbers and JSON of hooks and requests, on both sides.

use nnunet_plugin_core::abi::v1::adapter::{Lent, Message, TensorHandle, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::Tensor;

use super::handles::{from_handle, lent, to_handle};
use crate::{Batch, Error, Result};

/// Values on their way into a call.
#[derive(Default)]
pub(super) struct Given {
    handles: Vec<TensorHandle>,
    numbers: Vec<f64>,
    text: String,
}

impl Given {
    /// A JSON value.
    pub(super) fn new(value: &impl Serialize) -> Result<Self> {
        Ok(Self { text: encode(value)?.into_string(), ..Self::default() })
    }

    /// Adds numbers that may be NaN.
    pub(super) fn add_numbers(&mut self, numbers: impl IntoIterator<Item = f64>) {
        self.numbers.extend(numbers);
    }

    /// The tensors are read during the call `body` only.
    pub(super) fn lend<'a, R>(
        &mut self,
        tensors: impl IntoIterator<Item = &'a Tensor>,
        body: impl FnOnce(Lent<'_>) -> R,
    ) -> R {
        self.handles = tensors
            .into_iter()
            .map(|tensor| TensorHandle::from_raw(tensor.as_ptr().cast_mut().cast()))
            .collect();
        body(Lent {
            tensors: self.handles.as_slice().into(),
            numbers: self.numbers.as_slice().into(),
            text: self.text.as_str().into(),
        })
    }
}

/// What came with a call or back from it, with tensors of this side.
pub(super) struct Taken {
    tensors: std::vec::IntoIter<Tensor>,
    pub(super) numbers: Vec<f64>,
    text: String,
}

impl Taken {
    /// What was lent; the tensors get a second owner.
    pub(super) fn lent(given: &Lent<'_>) -> Self {
        Self {
            tensors: given.tensors.iter().map(lent).collect::<Vec<_>>().into_iter(),
            numbers: given.numbers.to_vec(),
            text: given.text.into(),
        }
    }

    /// What was returned.
    pub(super) fn owned(message: Message) -> Self {
        Self {
            tensors: message.tensors.into_iter().map(from_handle).collect::<Vec<_>>().into_iter(),
            numbers: message.numbers.into_vec(),
            text: message.text.into_string(),
        }
    }

    /// The JSON value.
    pub(super) fn value<T: DeserializeOwned>(&self) -> Result<T> {
        decode(&self.text)
    }

    /// The next tensor.
    pub(super) fn tensor(&mut self) -> Result<Tensor> {
        self.tensors.next().ok_or_else(|| Error::message("a tensor is missing in a message"))
    }

    /// So many tensors.
    pub(super) fn some(&mut self, count: usize) -> Result<Vec<Tensor>> {
        (0..count).map(|_| self.tensor()).collect()
    }

    /// All tensors that are left.
    pub(super) fn rest(&mut self) -> Vec<Tensor> {
        self.tensors.by_ref().collect()
    }

    /// The tensors that are left, as images and targets.
    pub(super) fn batch(&mut self, cases: Vec<String>) -> Result<Batch> {
        Ok(Batch { data: self.tensor()?, targets: self.rest(), cases })
    }
}

/// Images, then targets.
pub(super) fn tensors_of(batch: &Batch) -> impl Iterator<Item = &Tensor> {
    std::iter::once(&batch.data).chain(&batch.targets)
}

/// A message of tensors and a JSON value.
pub(super) fn message(tensors: Vec<Tensor>, value: &impl Serialize) -> Result<Message> {
    // First what may fail: handles that nobody takes over would stay for ever.
    let text = encode(value)?;
    Ok(Message { tensors: tensors.into_iter().map(to_handle).collect(), text, ..Message::default() })
}
