//! Calls of libtorch that tch has no bindings for: multi-tensor operators, and what a process knows of CUDA; and operators of our
//! own.
#![allow(unsafe_code, reason = "the C++ part is called through C functions")]

mod backend;
mod call;
mod convolution;
mod fused;
mod graph;
mod later;
pub mod lists;
mod loss_scale;
mod low_memory;
mod memory;
mod norm_act;
mod own_operators;
pub mod ranks;
mod tensor_memory;
mod upload;
mod values;

pub use backend::{cuda_is_registered, set_cuda_numerics};
pub use convolution::{add_convolution, transposed_convolution};
pub use fused::{AdamState, AdamStep, SgdStep, adam, sgd};
pub use graph::CudaGraph;
pub use later::ReadLater;
pub use loss_scale::{LossScaleRule, update_loss_scale};
pub use low_memory::{GivesBack, low_memory_norm_act, use_low_memory};
pub use memory::{DeviceMemory, device_memory, pinned};
pub use norm_act::{NormAct, instance_norm_act, scale_act, takes_norm_act};
pub use own_operators::{has_own_operators, use_libtorch_operators};
pub use tensor_memory::{keep_tensor_memory, trim_tensor_memory};
pub use upload::Upload;
pub use values::copy_from_slice;
