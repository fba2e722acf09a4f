// Mean and deviation of each channel, and the map that normalizes by them.
#pragma once
#include <vector>

#include "channels_last.h"

namespace norm_act {

// In single precision; returns an error unless there is a value for each channel.
at::Tensor per_channel(const at::Tensor& all, Layout layout);

// Of each sample and channel.
struct Statistics {
  std::vector<double> mean, inverse_deviation;
};

Statistics statistics_of(const at::Tensor& x, Layout layout, double eps);

// The affine map that normalizes each channel of each sample and then applies weight and bias.
struct Factors {
  std::vector<float> factor, offset;

  Factors(const Statistics& found, const at::Tensor& weight, const at::Tensor& bias);

  Affine of_sample(int64_t sample, Layout layout, float slope) const {
    return {&factor[sample * layout.channels], &offset[sample * layout.channels], slope};
  }
};

// `affine(sample)` is the map of a sample; y may be x.
void apply_to(const at::Tensor& x, const at::Tensor& y, Layout layout, const std::function<Affine(int64_t)>& affine);

}  // namespace norm_act
