//! The group of a build without c10d: there is none.

use std::time::Duration;

use tch::{TchError, Tensor};

use super::Meeting;

type Result<T> = std::result::Result<T, TchError>;

/// No value of it can be made.
#[derive(Debug)]
pub(super) enum Group {}

impl Group {
    pub(super) fn join(_meeting: &Meeting) -> Result<Self> {
        let why = "this build was made without libtorch's c10d, which training with several processes needs";
        Err(TchError::Torch(why.to_owned()))
    }

    pub(super) fn sum(&self, _tensor: &Tensor) -> Result<()> {
        match *self {}
    }

    pub(super) fn broadcast(&self, _tensors: &[Tensor]) -> Result<()> {
        match *self {}
    }

    pub(super) fn set(&self, _key: &str, _value: &str) -> Result<()> {
        match *self {}
    }

    pub(super) fn get(&self, _key: &str, _within: Duration) -> Result<String> {
        match *self {}
    }

    pub(super) fn watch(&self, _parameters: &[Tensor]) -> Result<()> {
        match *self {}
    }

    pub(super) fn prepare_backward(&self, _loss: &Tensor) -> Result<()> {
        match *self {}
    }
}
