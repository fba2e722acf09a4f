// Instance norm and leaky rectifier in terms of libtorch's operators, for any device. Of the activations only the output is
// saved, which the next convolution saves too; the backward pass computes the normalized values from it.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../guarded.h"
#include "training.h"

namespace {

using List = torch::autograd::variable_list;
using Context = torch::autograd::AutogradContext;

// One channel for each channel of each sample, as libtorch's own instance norm has it.
at::Tensor flat(const at::Tensor& x) { return x.contiguous().view({1, x.size(0) * x.size(1), -1}); }

// In the layout of `like`, in which the next convolution wants it: what it saves is then the same tensor.
at::Tensor in_layout_of(const at::Tensor& like, const at::Tensor& x) {
  return like.is_contiguous() ? x : x.movedim(1, -1).contiguous().movedim(-1, 1);
}

at::Tensor repeated(const at::Tensor& channels, int64_t samples) { return channels.detach().repeat(samples); }

struct LowMemory : torch::autograd::Function<LowMemory> {
  static at::Tensor forward(Context* context, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            double eps, double slope) {
    auto samples = x.size(0);
    auto found = at::native_batch_norm(flat(x), repeated(weight, samples), repeated(bias, samples), {}, {}, true, 0.0, eps);
    auto y = in_layout_of(x, std::get<0>(found).view(x.sizes()));
    at::leaky_relu_(y, slope);
    context->save_for_backward({y, weight, bias, std::get<2>(found)});
    context->saved_data["eps"] = eps;
    context->saved_data["slope"] = slope;
    return y;
  }

  // A batch norm that has the normalized values times weight plus bias as its input: their mean is the bias, and their
  // deviation the weight.
  static List backward(Context* context, List gradients) {
    auto all = context->get_saved_variables();
    auto y = all[0], weight = all[1], inverse_deviation = all[3];
    auto eps = context->saved_data["eps"].toDouble(), slope = context->saved_data["slope"].toDouble();
    auto samples = y.size(0), channels = y.size(1);
    auto gradient = at::leaky_relu_backward(gradients[0].contiguous(), y, slope, true);
    auto before = at::leaky_relu(y, 1 / slope);
    auto w = repeated(weight, samples), b = repeated(all[2], samples);
    auto found = at::native_batch_norm_backward(flat(gradient), flat(before), w * w * inverse_deviation, {}, {}, b,
                                                w.reciprocal(), true, eps, {true, true, true});
    auto of_channels = [&](const at::Tensor& columns, const at::Tensor& like) {
      return columns.view({samples, channels}).sum(0).to(like.scalar_type());
    };
    return {std::get<0>(found).view(y.sizes()), of_channels(std::get<1>(found), weight),
            of_channels(std::get<2>(found), all[2]), {}, {}};
  }
};

}  // namespace

extern "C" {

char* nnunet_low_memory_norm_act(const at::Tensor* x, const at::Tensor* weight, const at::Tensor* bias,
                                 norm_act::NormAct how, at::Tensor** result) {
  return with_message([&] { *result = new at::Tensor(LowMemory::apply(*x, *weight, *bias, how.eps, how.slope)); });
}

}
