//! What the process knows of CUDA.

unsafe extern "C" {
    fn nnunet_cuda_is_registered() -> i32;
}

/// Whether the process has a CUDA backend already. Other than `tch::Cuda::is_available`, this initializes nothing: once
/// libtorch has been asked for devices, a backend that is loaded later is not seen any more.
#[must_use]
pub fn cuda_is_registered() -> bool {
    // SAFETY: the function takes nothing and only reads a registry.
    unsafe { nnunet_cuda_is_registered() != 0 }
}
