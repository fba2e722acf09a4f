// NCCL behind c10d's interface. libtorch's own wrapper cannot be compiled without the headers of CUDA and NCCL; of NCCL's
// functions in C few are needed, and its library is looked for at run time.
#pragma once
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <string>

namespace nnunet {

// The version of NCCL. Its library is that of this process, or else the file `fallback`.
std::string nccl_version(const char* fallback);

// Connects a GPU of this process with those of the others, after nccl_version.
c10::intrusive_ptr<c10d::Backend> nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size,
                                       c10::Device device);

}  // namespace nnunet
