// Operators that are recorded instead of being done, and done together later: what a CUDA graph does.
#pragma once
#include <ATen/ATen.h>
#include <atomic>
#include <functional>
#include <utility>
#include <vector>

namespace rehearsal {

using Recording = std::vector<std::function<void()>>;

// The recording that is being made, if there is one. The backward pass adds to it from another thread.
inline std::atomic<Recording*>& recording() {
  static std::atomic<Recording*> recording{nullptr};
  return recording;
}

// What a graph cannot hold.
inline void refuse_recording(const std::string& name) {
  TORCH_CHECK(!recording().load(), "operation not permitted when stream is capturing (rehearsal): ", name);
}

// Tensors before an operator changes them.
class Unchanged {
 public:
  void keep(const at::Tensor& tensor) { kept.emplace_back(tensor, tensor.clone()); }
  void restore() {
    for (auto& [tensor, value] : kept) tensor.copy_(value);
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> kept;
};

}  // namespace rehearsal
