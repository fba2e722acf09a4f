// Instance norm and leaky rectifier whose gradient needs only what the next convolution saves too.
#pragma once
#include "channels_last.h"

namespace norm_act {

// Layout of the Rust side.
struct NormAct {
  double eps, slope;
  // The input's memory may become the output's.
  bool in_place;
};

// `canceled` is a bias that was not added to x, because the mean takes it away; its gradient is zero.
at::Tensor with_gradients(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const std::optional<at::Tensor>& canceled, NormAct how);

}  // namespace norm_act
