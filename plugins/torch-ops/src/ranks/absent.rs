//! The group of a build without c10d: there is none.

use std::time::Duration;

use tch::{TchError, Tensor};

use super::meeting::Meeting;

type Result<T> = std::result::Result<T, TchError>;

/// No value of it can be made.
#[derive(Debug)]
pub(super) enum Group {}

fn absent<T>() -> Result<T> {
    let why = "this build was made without libtorch's c10d, which training with several processes needs";
    Err(TchError::Torch(why.to_owned()))
}

pub(super) fn nccl_version(_fallback: &str) -> Result<String> {
    absent()
}

impl Group {
    pub(super) fn join(_meeting: &Meeting) -> Result<Self> {
        absent()
    }

    pub(super) fn connect_nccl(&self, _gpu: usize) -> Result<()> {
        match *self {}
    }

    pub(super) fn use_nccl(&self) -> Result<()> {
        match *self {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_c10d_says_so() {
        let meeting = Meeting {
            rank: 0,
            size: 2,
            host: "localhost".to_owned(),
            port: 1,
            serves: true,
            prefix: String::new(),
            address: "localhost".to_owned(),
            timeout: Duration::from_secs(1),
        };
        let said = Group::join(&meeting).unwrap_err().to_string();
        assert!(said.ends_with(
            "this build was made without libtorch's c10d, which training with several processes needs"
        ));
        assert_eq!(nccl_version("").unwrap_err().to_string(), said);
    }
}
