// Calls of libtorch that tch has none for. Functions that may fail return a message to be freed, or null.
#include <ATen/detail/CUDAHooksInterface.h>

extern "C" {

// Whether the process has a CUDA backend already: linked, loaded or preloaded. Asks for no device.
int nnunet_cuda_is_registered() { return at::CUDAHooksRegistry()->Has("CUDAHooks"); }

}
