//! What an optimizer keeps of each parameter.

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::Tensor;

use super::Trained;

/// A value for each trainable parameter; none before its first step.
#[derive(Debug)]
pub(super) struct PerParameter<T>(Vec<Option<T>>);

impl<T> PerParameter<T> {
    pub(super) fn new(parameters: usize) -> Self {
        Self(std::iter::repeat_with(|| None).take(parameters).collect())
    }

    /// Makes the values of parameters that have none yet.
    pub(super) fn begin(&mut self, trained: &Trained, make: impl Fn(&Tensor) -> Result<T>) -> Result<()> {
        for (number, tensor) in trained.numbers.iter().zip(&trained.tensors) {
            if self.get(*number).is_none() {
                self.set(*number, make(&tensor.detach())?);
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.0.get(number).and_then(Option::as_ref)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.0.get_mut(number).and_then(Option::as_mut)
    }

    /// Sets a value; that of a parameter that does not exist is ignored.
    pub(super) fn set(&mut self, number: usize, value: T) {
        if let Some(slot) = self.0.get_mut(number) {
            *slot = Some(value);
        }
    }

    /// Forgets all values.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(|slot| *slot = None);
    }

    /// The values of these parameters.
    pub(super) fn of<'a>(&'a self, trained: &'a Trained) -> impl Iterator<Item = &'a T> {
        trained.numbers.iter().filter_map(|number| self.get(*number))
    }

    /// A tensor of each value.
    pub(super) fn tensors(&self, trained: &Trained, part: fn(&T) -> &Tensor) -> Vec<Tensor> {
        self.of(trained).map(|value| part(value).shallow_clone()).collect()
    }
}
