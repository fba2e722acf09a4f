#include "training.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "statistics.h"

namespace norm_act {
namespace {

using List = torch::autograd::variable_list;
using Context = torch::autograd::AutogradContext;

// Whether the normalized values can be computed from the output: the rectifier has an inverse, and no channel's weight is so
// small beside its bias that rounding has taken too much of them.
bool has_inverse(const at::Tensor& weight, const at::Tensor& bias, double slope, at::ScalarType type) {
  float least = type == at::kFloat ? 1e-3f : 0.0625f;
  auto *w = weight.data_ptr<float>(), *b = bias.data_ptr<float>();
  bool all = slope > 0;
  for (int64_t c = 0; c < weight.numel(); c++) all = all && std::abs(w[c]) >= least * (1 + std::abs(b[c]));
  return all;
}

at::Tensor to_tensor(const Statistics& found) {
  auto columns = static_cast<int64_t>(found.mean.size());
  auto all = at::empty({2, columns}, at::kDouble);
  std::copy(found.mean.begin(), found.mean.end(), all.data_ptr<double>());
  std::copy(found.inverse_deviation.begin(), found.inverse_deviation.end(), all.data_ptr<double>() + columns);
  return all;
}

Statistics from_tensor(const at::Tensor& all) {
  auto* numbers = all.data_ptr<double>();
  auto columns = all.size(1);
  return {{numbers, numbers + columns}, {numbers + columns, numbers + 2 * columns}};
}

// What the backward pass knows of the forward pass.
struct Past {
  at::Tensor saved, weight, bias;
  bool saved_output;
  float slope;
  Layout layout;
  Statistics found;
  Factors factors;
  std::vector<float> means;

  explicit Past(Context* context, const List& all)
      : saved(all[0]),
        saved_output(context->saved_data["saves_output"].toBool()),
        slope(static_cast<float>(context->saved_data["slope"].toDouble())),
        layout(layout_of(saved)),
        found(from_tensor(all[3])),
        factors(found, weight = per_channel(all[1], layout), bias = per_channel(all[2], layout)),
        means(found.mean.begin(), found.mean.end()) {}

  Saved of_sample(int64_t sample) const {
    const float* center = saved_output ? bias.data_ptr<float>() : &means[sample * layout.channels];
    return {saved_output, 1 / slope, factors.of_sample(sample, layout, slope), center};
  }

  // Centered values times this are normalized values.
  double normalizes(int64_t column) const {
    return saved_output ? 1.0 / weight.data_ptr<float>()[column % layout.channels] : found.inverse_deviation[column];
  }
};

struct Gradients {
  at::Tensor input, weight, bias;
};

template <class T>
Gradients gradients_of(const Past& past, const at::Tensor& gradient) {
  auto layout = past.layout;
  auto columns = layout.columns(), channels = layout.channels;
  auto all = sums(layout, [&](int64_t sample, int64_t voxel, int64_t count, double* sum, double* product) {
    add_gradient_sums(values<T>(gradient, layout, sample, voxel), values<T>(past.saved, layout, sample, voxel),
                      past.of_sample(sample), count, channels, sum, product);
  });
  std::vector<float> own(columns), constant(columns), centered(columns);
  auto weight = at::zeros({channels}, at::kDouble), bias = at::zeros({channels}, at::kDouble);
  for (int64_t i = 0; i < columns; i++) {
    double normalizes = past.normalizes(i), sum = all[i], product = all[columns + i] * normalizes;
    double scale = past.weight.data_ptr<float>()[i % channels] * past.found.inverse_deviation[i];
    weight.data_ptr<double>()[i % channels] += product;
    bias.data_ptr<double>()[i % channels] += sum;
    own[i] = static_cast<float>(scale);
    constant[i] = static_cast<float>(-scale * sum / layout.voxels);
    centered[i] = static_cast<float>(-scale * product * normalizes / layout.voxels);
  }
  auto input = at::empty_like(gradient);
  for_each_piece(layout, [&](int64_t sample, int64_t voxel, int64_t count) {
    auto at = sample * channels;
    input_gradient(values<T>(gradient, layout, sample, voxel), values<T>(past.saved, layout, sample, voxel),
                   past.of_sample(sample), {&own[at], &constant[at], &centered[at]}, count, channels,
                   values<T>(input, layout, sample, voxel));
  });
  return {input, weight, bias};
}

// What is saved for the backward pass is the output and the statistics, or the input where the output has no inverse.
struct InstanceNormAct : torch::autograd::Function<InstanceNormAct> {
  static at::Tensor forward(Context* context, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const std::optional<at::Tensor>& canceled, NormAct how) {
    auto layout = layout_of(x);
    auto w = per_channel(weight, layout), b = per_channel(bias, layout);
    auto found = statistics_of(x, layout, how.eps);
    Factors factors(found, w, b);
    bool saves_output = has_inverse(w, b, how.slope, x.scalar_type());
    auto y = how.in_place && saves_output ? x : at::empty_like(x);
    auto slope = static_cast<float>(how.slope);
    apply_to(x, y, layout, [&](int64_t sample) { return factors.of_sample(sample, layout, slope); });
    if (y.is_same(x)) context->mark_dirty({x});
    auto zero = canceled && canceled->requires_grad() ? at::zeros_like(*canceled) : at::Tensor();
    context->save_for_backward({saves_output ? y : x, weight, bias, to_tensor(found), zero});
    context->saved_data["slope"] = how.slope;
    context->saved_data["saves_output"] = saves_output;
    return y;
  }

  static List backward(Context* context, List gradients) {
    auto all = context->get_saved_variables();
    Past past(context, all);
    auto gradient = channels_last(gradients[0]);
    Gradients found;
    with_type_of(past.saved, [&](auto* type) {
      found = gradients_of<std::remove_pointer_t<decltype(type)>>(past, gradient);
    });
    return {found.input, found.weight.to(all[1].scalar_type()), found.bias.to(all[2].scalar_type()), all[4], {}};
  }
};

}  // namespace

at::Tensor with_gradients(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const std::optional<at::Tensor>& canceled, NormAct how) {
  return InstanceNormAct::apply(x, weight, bias, canceled, how);
}

}  // namespace norm_act
