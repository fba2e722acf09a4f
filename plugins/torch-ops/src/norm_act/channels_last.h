// CPU tensors (samples, channels, space...) with the channels innermost in memory, and work on them that is shared out over the
// voxels. Every sum has a fixed order, so that results do not depend on the number of threads.
#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "kernels.h"

namespace norm_act {

struct Layout {
  int64_t samples, channels, voxels;

  // Of all samples.
  int64_t columns() const { return samples * channels; }
};

// Returns an error for other layouts, types and devices.
Layout layout_of(const at::Tensor& x);

// The tensor itself, or a copy with the channels innermost.
at::Tensor channels_last(const at::Tensor& x);

// Calls `work(sample, first voxel, number of voxels)` for pieces of all samples, on all threads.
void for_each_piece(Layout layout, const std::function<void(int64_t, int64_t, int64_t)>& work);

// `work(sample, first voxel, number of voxels, a, b)` adds to two numbers of each channel for at most BLOCK voxels; returns
// the sums of each sample and channel: first those of a, then those of b.
using AddSums = std::function<void(int64_t, int64_t, int64_t, double*, double*)>;
std::vector<double> sums(Layout layout, const AddSums& work);

inline float as_float(float value) { return value; }

inline float as_float(Bfloat16 value) { return static_cast<float>(c10::BFloat16(value.bits, c10::BFloat16::from_bits())); }

// Calls `work` with a null pointer of the type of the tensor's values.
template <class Work>
void with_type_of(const at::Tensor& x, Work work) {
  if (x.scalar_type() == at::kFloat) {
    work(static_cast<float*>(nullptr));
  } else {
    work(static_cast<Bfloat16*>(nullptr));
  }
}

// The tensor's values from a voxel on.
template <class T>
T* values(const at::Tensor& x, Layout layout, int64_t sample, int64_t voxel) {
  return static_cast<T*>(x.data_ptr()) + (sample * layout.voxels + voxel) * layout.channels;
}

}  // namespace norm_act
