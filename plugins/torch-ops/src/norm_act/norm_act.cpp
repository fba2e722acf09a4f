// Normalization and leaky rectifier as one operator: one pass over the values for the sums, one for the results.
#include "../guarded.h"
#include "statistics.h"
#include "training.h"

using norm_act::NormAct;

namespace {

std::optional<at::Tensor> maybe(const at::Tensor* tensor) {
  return tensor ? std::optional<at::Tensor>(*tensor) : std::nullopt;
}

// The same memory, or memory for the output.
at::Tensor output_for(const at::Tensor& x, NormAct how) { return how.in_place ? x : at::empty_like(x); }

at::Tensor instance_norm_act(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, NormAct how) {
  auto layout = norm_act::layout_of(x);
  auto w = norm_act::per_channel(weight, layout), b = norm_act::per_channel(bias, layout);
  norm_act::Factors factors(norm_act::statistics_of(x, layout, how.eps), w, b);
  auto y = output_for(x, how);
  auto slope = static_cast<float>(how.slope);
  norm_act::apply_to(x, y, layout, [&](int64_t sample) { return factors.of_sample(sample, layout, slope); });
  return y;
}

}  // namespace

extern "C" {

// Normalizes each channel of each sample, multiplies by weight, adds bias; negative values are multiplied by the slope.
// `canceled` may be null.
char* nnunet_instance_norm_act(const at::Tensor* x, const at::Tensor* weight, const at::Tensor* bias,
                               const at::Tensor* canceled, NormAct how, at::Tensor** result) {
  return with_message([&] {
    bool is_recorded = at::GradMode::is_enabled() &&
                       (x->requires_grad() || weight->requires_grad() || bias->requires_grad());
    auto y = is_recorded ? norm_act::with_gradients(*x, *weight, *bias, maybe(canceled), how)
                         : instance_norm_act(*x, *weight, *bias, how);
    *result = new at::Tensor(y);
  });
}

// Multiplies each channel by its scale and adds its offset; negative values are multiplied by the slope.
char* nnunet_scale_act(const at::Tensor* x, const at::Tensor* scale, const at::Tensor* offset, NormAct how,
                       at::Tensor** result) {
  return guarded([&] {
    auto layout = norm_act::layout_of(*x);
    auto s = norm_act::per_channel(*scale, layout), o = norm_act::per_channel(*offset, layout);
    auto y = output_for(*x, how);
    norm_act::Affine affine{s.data_ptr<float>(), o.data_ptr<float>(), static_cast<float>(how.slope)};
    norm_act::apply_to(*x, y, layout, [&](int64_t) { return affine; });
    *result = new at::Tensor(y);
  });
}

}
