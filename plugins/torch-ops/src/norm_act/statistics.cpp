#include "statistics.h"

#include <algorithm>
#include <cmath>

namespace norm_act {
namespace {

template <class T>
Statistics statistics_of_type(const at::Tensor& x, Layout layout, double eps) {
  // Differences from one of the values lose less to rounding where a mean is far from zero.
  std::vector<float> shift(layout.columns());
  for (int64_t i = 0; i < layout.columns(); i++) {
    shift[i] = as_float(values<T>(x, layout, i / layout.channels, 0)[i % layout.channels]);
  }
  auto all = sums(layout, [&](int64_t sample, int64_t voxel, int64_t count, double* sum, double* square) {
    auto* from = values<T>(x, layout, sample, voxel);
    add_sums(from, &shift[sample * layout.channels], count, layout.channels, sum, square);
  });
  Statistics found{std::vector<double>(shift.size()), std::vector<double>(shift.size())};
  for (size_t i = 0; i < shift.size(); i++) {
    double mean = all[i] / layout.voxels;
    double variance = std::max(all[shift.size() + i] / layout.voxels - mean * mean, 0.0);
    found.mean[i] = mean + shift[i];
    found.inverse_deviation[i] = 1 / std::sqrt(variance + eps);
  }
  return found;
}

}  // namespace

at::Tensor per_channel(const at::Tensor& all, Layout layout) {
  TORCH_CHECK(all.numel() == layout.channels, "norm_act needs a value for each channel");
  return all.detach().to(at::kFloat).contiguous();
}

Statistics statistics_of(const at::Tensor& x, Layout layout, double eps) {
  Statistics found{std::vector<double>(layout.columns()), std::vector<double>(layout.columns())};
  if (layout.voxels == 0) return found;
  with_type_of(x, [&](auto* type) {
    found = statistics_of_type<std::remove_pointer_t<decltype(type)>>(x, layout, eps);
  });
  return found;
}

Factors::Factors(const Statistics& found, const at::Tensor& weight, const at::Tensor& bias) {
  auto *w = weight.data_ptr<float>(), *b = bias.data_ptr<float>();
  auto channels = weight.numel();
  for (size_t i = 0; i < found.mean.size(); i++) {
    double scale = w[i % channels] * found.inverse_deviation[i];
    factor.push_back(static_cast<float>(scale));
    offset.push_back(static_cast<float>(b[i % channels] - found.mean[i] * scale));
  }
}

void apply_to(const at::Tensor& x, const at::Tensor& y, Layout layout, const std::function<Affine(int64_t)>& affine) {
  with_type_of(x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    for_each_piece(layout, [&](int64_t sample, int64_t voxel, int64_t count) {
      apply(values<T>(x, layout, sample, voxel), values<T>(y, layout, sample, voxel), affine(sample), count,
            layout.channels);
    });
  });
}

}  // namespace norm_act
