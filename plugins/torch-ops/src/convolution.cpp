// Convolutions of oneDNN that add to what is there, which libtorch has no C++ functions for.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <vector>

#include "guarded.h"

namespace {

struct Axes {
  const int64_t* first;
  size_t count;

  std::vector<int64_t> list() const { return {first, first + count}; }
};

}  // namespace

extern "C" {

// y += convolution of x; all have their channels innermost.
char* nnunet_add_convolution(at::Tensor* y, const at::Tensor* x, const at::Tensor* weight, Axes padding, Axes stride) {
  return guarded([&] {
    static const auto add =
        c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise_", "binary");
    std::vector<int64_t> dilation(stride.count, 1);
    c10::IValue none;
    torch::jit::Stack stack{*y, *x, *weight, none, padding.list(), stride.list(), dilation, 1};
    stack.insert(stack.end(), {"add", 1.0, none, c10::List<std::optional<at::Scalar>>(), none});
    add.callBoxed(stack);
  });
}

}
