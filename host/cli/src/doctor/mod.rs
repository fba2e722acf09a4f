//! What is known of this machine: for `nnunet doctor`, and for messages about devices.

pub mod driver;
mod machine;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use driver::Driver;
pub use machine::{Machine, free_space};

/// The libtorch of the program with tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Libtorch {
    /// Where it is.
    pub folder: Option<PathBuf>,
    /// Its version.
    pub version: Option<String>,
    /// Its part for CUDA.
    pub cuda: Cuda,
    /// Threads it uses for an operator.
    pub threads: usize,
    /// Whether it has oneDNN's kernels.
    pub onednn: bool,
    /// What processes that train together send gradients with; none where the build cannot.
    #[serde(default)]
    pub distributed: Option<String>,
    /// The device for the choice that was asked about; none if it cannot be used.
    pub device: Option<String>,
    /// Why not that device, or for `auto` why no GPU.
    pub error: Option<String>,
}

/// libtorch's part for CUDA.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cuda {
    /// The version it is built for.
    pub version: Option<String>,
    /// Whether it loads.
    pub is_loaded: bool,
    /// Why it does not.
    pub error: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Version of cuDNN.
    pub cudnn: Option<String>,
}
