//! Calls of libtorch that tch has none for: multi-tensor operators, and what a process knows of CUDA.
#![allow(unsafe_code, reason = "the C++ part is called through C functions")]

mod backend;
mod call;
mod fused;
mod graph;
mod later;
pub mod lists;
mod loss_scale;
mod memory;
pub mod ranks;
mod upload;

pub use backend::{cuda_is_registered, set_cuda_numerics};
pub use fused::{AdamState, AdamStep, SgdStep, adam, sgd};
pub use graph::CudaGraph;
pub use later::ReadLater;
pub use loss_scale::{LossScaleRule, update_loss_scale};
pub use memory::{DeviceMemory, device_memory, pinned};
pub use upload::Upload;
