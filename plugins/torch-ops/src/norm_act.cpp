// Normalization and leaky rectifier in place, for CPU tensors with the channels innermost in memory: one pass for the sums,
// one for the values. Every sum has a fixed order, so that results do not depend on the number of threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <dlfcn.h>
#include <functional>
#include <vector>

#include "guarded.h"

// The same arithmetic with wider registers, where the processor has them: there are no fused multiply-adds
// (-ffp-contract=off), and lanes are channels, so that all versions give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
#define INLINE inline __attribute__((always_inline))

namespace {

// Voxels whose sums are added in single precision.
constexpr int64_t BLOCK = 256;
// Blocks of a piece of work; pieces are added in their order.
constexpr int64_t BLOCKS = 16;
constexpr int64_t PIECE = BLOCK * BLOCKS;

// The threads that libtorch's and oneDNN's operators run on: those of the OpenMP library that libtorch has loaded.
using StartThreads = void (*)(void (*)(void*), void*, unsigned, unsigned);

struct Pieces {
  const std::function<void(int64_t)>* work;
  int64_t count;
  std::atomic<int64_t> next{0};

  static void take(void* all) {
    auto& self = *static_cast<Pieces*>(all);
    for (int64_t piece; (piece = self.next++) < self.count;) (*self.work)(piece);
  }
};

void for_each_piece(int64_t count, const std::function<void(int64_t)>& work) {
  static const auto start = reinterpret_cast<StartThreads>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  Pieces pieces{&work, count};
  auto threads = std::min<int64_t>(at::get_num_threads(), count);
  if (start && threads > 1 && !at::in_parallel_region()) {
    start(&Pieces::take, &pieces, static_cast<unsigned>(threads), 0);
  } else {
    Pieces::take(&pieces);
  }
}

// Sums of differences from the first voxel, and of their squares, over some voxels.
template <class T>
INLINE void sums_of(const T* x, const float* shift, int64_t voxels, int64_t channels, float* sum, float* square) {
  for (int64_t voxel = 0; voxel < voxels; voxel++) {
    const T* at = x + voxel * channels;
    for (int64_t c = 0; c < channels; c++) {
      float value = static_cast<float>(at[c]) - shift[c];
      sum[c] += value;
      square[c] += value * value;
    }
  }
}

template <class T>
INLINE void scaled(T* x, const float* scale, const float* offset, int64_t voxels, int64_t channels, float slope) {
  for (int64_t voxel = 0; voxel < voxels; voxel++) {
    T* at = x + voxel * channels;
    for (int64_t c = 0; c < channels; c++) {
      float value = static_cast<float>(at[c]) * scale[c] + offset[c];
      at[c] = static_cast<T>(value > 0 ? value : value * slope);
    }
  }
}

FOR_EACH_PROCESSOR
void sums(const float* x, const float* shift, int64_t voxels, int64_t channels, float* sum, float* square) {
  sums_of(x, shift, voxels, channels, sum, square);
}

FOR_EACH_PROCESSOR
void sums(const c10::BFloat16* x, const float* shift, int64_t voxels, int64_t channels, float* sum, float* square) {
  sums_of(x, shift, voxels, channels, sum, square);
}

FOR_EACH_PROCESSOR
void scale_in_place(float* x, const float* scale, const float* offset, int64_t voxels, int64_t channels, float slope) {
  scaled(x, scale, offset, voxels, channels, slope);
}

FOR_EACH_PROCESSOR
void scale_in_place(c10::BFloat16* x, const float* scale, const float* offset, int64_t voxels, int64_t channels,
                    float slope) {
  scaled(x, scale, offset, voxels, channels, slope);
}

struct Layout {
  int64_t samples, channels, voxels;
  int64_t pieces() const { return (voxels + PIECE - 1) / PIECE; }
};

// (samples, channels, space...) with the channels innermost and no gaps.
Layout layout_of(const at::Tensor& x) {
  TORCH_CHECK(x.is_cpu() && x.dim() > 2, "norm_act is for CPU tensors with channels and space");
  TORCH_CHECK(x.movedim(1, -1).is_contiguous(), "norm_act needs the channels innermost in memory");
  auto samples = x.size(0), channels = x.size(1);
  return {samples, channels, samples * channels ? x.numel() / (samples * channels) : 0};
}

// Scale and offset of each channel of each sample, which normalize it.
template <class T>
void factors(const T* x, Layout layout, const float* weight, const float* bias, double eps, float* scale,
             float* offset) {
  auto channels = layout.channels, pieces = layout.pieces();
  std::vector<float> shift(layout.samples * channels);
  for (int64_t sample = 0; sample < layout.samples; sample++) {
    for (int64_t c = 0; c < channels; c++) {
      shift[sample * channels + c] = static_cast<float>(x[sample * layout.voxels * channels + c]);
    }
  }
  std::vector<double> all(layout.samples * pieces * 2 * channels, 0.0);
  for_each_piece(layout.samples * pieces, [&](int64_t piece) {
    auto sample = piece / pieces, first = piece % pieces * PIECE;
    auto end = std::min(layout.voxels, first + PIECE);
    double* total = all.data() + piece * 2 * channels;
    std::vector<float> block(2 * channels);
    for (auto at = first; at < end; at += BLOCK) {
      std::fill(block.begin(), block.end(), 0.0f);
      auto* from = x + (sample * layout.voxels + at) * channels;
      auto count = std::min(BLOCK, end - at);
      sums(from, &shift[sample * channels], count, channels, block.data(), block.data() + channels);
      for (int64_t c = 0; c < 2 * channels; c++) total[c] += block[c];
    }
  });
  for (int64_t sample = 0; sample < layout.samples; sample++) {
    for (int64_t c = 0; c < channels; c++) {
      double sum = 0, square = 0;
      for (int64_t piece = 0; piece < pieces; piece++) {
        const double* part = all.data() + (sample * pieces + piece) * 2 * channels;
        sum += part[c];
        square += part[channels + c];
      }
      double count = static_cast<double>(layout.voxels);
      double mean = sum / count;
      double variance = std::max(square / count - mean * mean, 0.0);
      double factor = weight[c] / std::sqrt(variance + eps);
      auto at = sample * channels + c;
      scale[at] = static_cast<float>(factor);
      offset[at] = static_cast<float>(bias[c] - (mean + shift[at]) * factor);
    }
  }
}

template <class T>
void apply(T* x, Layout layout, const float* scale, const float* offset, bool per_sample, float slope) {
  auto channels = layout.channels, pieces = layout.pieces();
  for_each_piece(layout.samples * pieces, [&](int64_t piece) {
    auto sample = piece / pieces, first = piece % pieces * PIECE;
    auto voxels = std::min(layout.voxels - first, PIECE);
    auto row = per_sample ? sample * channels : 0;
    auto* values = x + (sample * layout.voxels + first) * channels;
    scale_in_place(values, scale + row, offset + row, voxels, channels, slope);
  });
}

template <class Work>
void with_values(at::Tensor& x, Work work) {
  if (x.scalar_type() == at::kFloat) return work(x.data_ptr<float>());
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "norm_act is for float32 and bfloat16");
  work(x.data_ptr<c10::BFloat16>());
}

at::Tensor in_single_precision(const at::Tensor* values, const Layout& layout) {
  TORCH_CHECK(values->numel() == layout.channels, "norm_act needs a value for each channel");
  return values->detach().to(at::kFloat).contiguous();
}

}  // namespace

extern "C" {

struct NormAct {
  double eps, slope;
};

// Normalizes each channel of each sample of x, multiplies by weight, adds bias; negative values are multiplied by the slope.
char* nnunet_instance_norm_act(at::Tensor* x, const at::Tensor* weight, const at::Tensor* bias, NormAct how) {
  return guarded([&] {
    auto layout = layout_of(*x);
    if (layout.voxels == 0) return;
    auto w = in_single_precision(weight, layout), b = in_single_precision(bias, layout);
    std::vector<float> scale(layout.samples * layout.channels), offset(scale.size());
    with_values(*x, [&](auto* values) {
      factors(values, layout, w.data_ptr<float>(), b.data_ptr<float>(), how.eps, scale.data(), offset.data());
      apply(values, layout, scale.data(), offset.data(), true, static_cast<float>(how.slope));
    });
  });
}

// Multiplies each channel of x by its scale and adds its offset; negative values are multiplied by the slope.
char* nnunet_scale_act(at::Tensor* x, const at::Tensor* scale, const at::Tensor* offset, NormAct how) {
  return guarded([&] {
    auto layout = layout_of(*x);
    if (layout.voxels == 0) return;
    auto s = in_single_precision(scale, layout), o = in_single_precision(offset, layout);
    with_values(*x, [&](auto* values) {
      apply(values, layout, s.data_ptr<float>(), o.data_ptr<float>(), false, static_cast<float>(how.slope));
    });
  });
}

}
