// Convolutions of oneDNN that libtorch has no C++ functions for.
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

// The transposed convolution of x; a null bias is none.
char* nnunet_transposed_convolution(const at::Tensor* x, const at::Tensor* weight, const at::Tensor* bias, Axes stride,
                                    at::Tensor** y) {
  return guarded([&] {
    static const auto transposed =
        c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_transpose_pointwise", "");
    std::vector<int64_t> zeros(stride.count, 0), ones(stride.count, 1);
    c10::IValue none;
    torch::jit::Stack stack{*x, *weight, bias ? c10::IValue(*bias) : none, zeros, zeros, stride.list(), ones, 1};
    stack.insert(stack.end(), {"none", c10::List<std::optional<at::Scalar>>(), none});
    transposed.callBoxed(stack);
    *y = new at::Tensor(stack.front().toTensor());
  });
}

}
