#include "kernels.h"

#include <cstring>

// One version for each width of vector registers; the processor's is chosen when the program starts.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
#define INLINE inline __attribute__((always_inline))

namespace norm_act {
namespace {

// Channels of a vector.
constexpr int64_t WIDTH = 8;
using Floats = float __attribute__((vector_size(32)));
using Bits = uint32_t __attribute__((vector_size(32)));
using Halves = uint16_t __attribute__((vector_size(16)));

// Vectors are passed by reference: the way they are passed by value depends on the processor.
INLINE void read(const float* from, Floats& value) { std::memcpy(&value, from, sizeof value); }

INLINE void read(const Bfloat16* from, Floats& value) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  Bits bits = __builtin_convertvector(halves, Bits) << 16;
  std::memcpy(&value, &bits, sizeof value);
}

INLINE void write(const Floats& value, float* to) { std::memcpy(to, &value, sizeof value); }

// Rounds to the nearest, halves to even; all that is no number becomes libtorch's.
INLINE void write(const Floats& value, Bfloat16* to) {
  Bits bits;
  std::memcpy(&bits, &value, sizeof bits);
  Bits rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  Bits number = (Bits)(value == value);
  rounded = (rounded & number) | (0x7fc0 & ~number);
  Halves halves = __builtin_convertvector(rounded, Halves);
  std::memcpy(to, &halves, sizeof halves);
}

// The last channels, which are fewer than a vector's, are computed in a vector too.
template <class T>
INLINE void read_some(const T* from, int64_t count, Floats& value) {
  T all[WIDTH] = {};
  for (int64_t i = 0; i < count; i++) all[i] = from[i];
  read(all, value);
}

template <class T>
INLINE void write_some(const Floats& value, int64_t count, T* to) {
  T all[WIDTH];
  write(value, all);
  for (int64_t i = 0; i < count; i++) to[i] = all[i];
}

template <bool IS_WHOLE, class T>
INLINE void load(const T* from, int64_t count, Floats& value) {
  if constexpr (IS_WHOLE) {
    read(from, value);
  } else {
    read_some(from, count, value);
  }
}

template <bool IS_WHOLE, class T>
INLINE void store(const Floats& value, int64_t count, T* to) {
  if constexpr (IS_WHOLE) {
    write(value, to);
  } else {
    write_some(value, count, to);
  }
}

INLINE void choose(const Floats& sign, const Floats& positive, const Floats& other, Floats& result) {
  Floats zero = {};
  result = sign > zero ? positive : other;
}

INLINE void add(const Floats& sums, int64_t count, double* total) {
  for (int64_t i = 0; i < count; i++) total[i] += sums[i];
}

// COUNT vectors of channels in registers, over all voxels.
template <int COUNT, bool IS_WHOLE, class T>
INLINE void sums_of(const T* x, const float* shift, int64_t voxels, int64_t stride, int64_t count, double* sum,
                    double* square) {
  Floats from[COUNT], sums[COUNT] = {}, squares[COUNT] = {};
#pragma GCC unroll 4
  for (int i = 0; i < COUNT; i++) load<IS_WHOLE>(shift + i * WIDTH, count, from[i]);
  for (int64_t voxel = 0; voxel < voxels; voxel++, x += stride) {
#pragma GCC unroll 4
    for (int i = 0; i < COUNT; i++) {
      Floats value;
      load<IS_WHOLE>(x + i * WIDTH, count, value);
      value -= from[i];
      sums[i] += value;
      squares[i] += value * value;
    }
  }
  for (int i = 0; i < COUNT; i++) {
    add(sums[i], count, sum + i * WIDTH);
    add(squares[i], count, square + i * WIDTH);
  }
}

template <class T>
INLINE void all_sums(const T* x, const float* shift, int64_t voxels, int64_t channels, double* sum, double* square) {
  int64_t c = 0;
  for (; c + 4 * WIDTH <= channels; c += 4 * WIDTH) {
    sums_of<4, true>(x + c, shift + c, voxels, channels, WIDTH, sum + c, square + c);
  }
  for (; c + WIDTH <= channels; c += WIDTH) {
    sums_of<1, true>(x + c, shift + c, voxels, channels, WIDTH, sum + c, square + c);
  }
  if (c < channels) sums_of<1, false>(x + c, shift + c, voxels, channels, channels - c, sum + c, square + c);
}

template <bool IS_WHOLE, class T>
INLINE void apply_to(const T* x, T* y, const Affine& how, int64_t c, int64_t count) {
  Floats value, factor, offset;
  load<IS_WHOLE>(x + c, count, value);
  load<IS_WHOLE>(how.factor + c, count, factor);
  load<IS_WHOLE>(how.offset + c, count, offset);
  value = value * factor + offset;
  choose(value, value, value * how.slope, value);
  store<IS_WHOLE>(value, count, y + c);
}

template <class T>
INLINE void apply_all(const T* x, T* y, const Affine& how, int64_t voxels, int64_t channels) {
  for (int64_t voxel = 0; voxel < voxels; voxel++, x += channels, y += channels) {
    int64_t c = 0;
    for (; c + WIDTH <= channels; c += WIDTH) apply_to<true>(x, y, how, c, WIDTH);
    if (c < channels) apply_to<false>(x, y, how, c, channels - c);
  }
}

// The gradient before the activation and the centered value.
template <bool IS_OUTPUT, bool IS_WHOLE, class T>
INLINE void before_activation(const T* gradient, const T* saved, const Saved& how, int64_t c, int64_t count,
                              Floats& d, Floats& centered) {
  Floats value, center;
  load<IS_WHOLE>(gradient + c, count, d);
  load<IS_WHOLE>(saved + c, count, value);
  load<IS_WHOLE>(how.center + c, count, center);
  Floats sign = value;
  if constexpr (IS_OUTPUT) {
    choose(value, value, value * how.inverse_slope, value);
  } else {
    Floats factor, offset;
    load<IS_WHOLE>(how.affine.factor + c, count, factor);
    load<IS_WHOLE>(how.affine.offset + c, count, offset);
    sign = value * factor + offset;
  }
  choose(sign, d, d * how.affine.slope, d);
  centered = value - center;
}

template <bool IS_OUTPUT, int COUNT, bool IS_WHOLE, class T>
INLINE void gradient_sums_of(const T* gradient, const T* saved, const Saved& how, int64_t voxels, int64_t stride,
                             int64_t c, int64_t count, double* sum, double* product) {
  Floats sums[COUNT] = {}, products[COUNT] = {};
  for (int64_t voxel = 0; voxel < voxels; voxel++, gradient += stride, saved += stride) {
#pragma GCC unroll 2
    for (int i = 0; i < COUNT; i++) {
      Floats d, centered;
      before_activation<IS_OUTPUT, IS_WHOLE>(gradient, saved, how, c + i * WIDTH, count, d, centered);
      sums[i] += d;
      products[i] += d * centered;
    }
  }
  for (int i = 0; i < COUNT; i++) {
    add(sums[i], count, sum + c + i * WIDTH);
    add(products[i], count, product + c + i * WIDTH);
  }
}

template <bool IS_OUTPUT, class T>
INLINE void all_gradient_sums(const T* gradient, const T* saved, const Saved& how, int64_t voxels, int64_t channels,
                              double* sum, double* product) {
  int64_t c = 0;
  for (; c + 2 * WIDTH <= channels; c += 2 * WIDTH) {
    gradient_sums_of<IS_OUTPUT, 2, true>(gradient, saved, how, voxels, channels, c, WIDTH, sum, product);
  }
  for (; c + WIDTH <= channels; c += WIDTH) {
    gradient_sums_of<IS_OUTPUT, 1, true>(gradient, saved, how, voxels, channels, c, WIDTH, sum, product);
  }
  if (c < channels) {
    gradient_sums_of<IS_OUTPUT, 1, false>(gradient, saved, how, voxels, channels, c, channels - c, sum, product);
  }
}

template <bool IS_OUTPUT, bool IS_WHOLE, class T>
INLINE void input_gradient_of(const T* gradient, const T* saved, const Saved& how, const Gradient& factors, int64_t c,
                              int64_t count, T* result) {
  Floats d, centered, of_gradient, constant, of_centered;
  before_activation<IS_OUTPUT, IS_WHOLE>(gradient, saved, how, c, count, d, centered);
  load<IS_WHOLE>(factors.gradient + c, count, of_gradient);
  load<IS_WHOLE>(factors.constant + c, count, constant);
  load<IS_WHOLE>(factors.centered + c, count, of_centered);
  store<IS_WHOLE>(d * of_gradient + constant + centered * of_centered, count, result + c);
}

template <bool IS_OUTPUT, class T>
INLINE void all_input_gradients(const T* gradient, const T* saved, const Saved& how, const Gradient& factors,
                                int64_t voxels, int64_t channels, T* result) {
  for (int64_t voxel = 0; voxel < voxels; voxel++, gradient += channels, saved += channels, result += channels) {
    int64_t c = 0;
    for (; c + WIDTH <= channels; c += WIDTH) {
      input_gradient_of<IS_OUTPUT, true>(gradient, saved, how, factors, c, WIDTH, result);
    }
    if (c < channels) input_gradient_of<IS_OUTPUT, false>(gradient, saved, how, factors, c, channels - c, result);
  }
}

}  // namespace

// The same functions for both types.
#define KERNELS_FOR(T)                                                                                               \
  FOR_EACH_PROCESSOR void add_sums(const T* x, const float* shift, int64_t voxels, int64_t channels, double* sum,    \
                                   double* square) {                                                                 \
    all_sums(x, shift, voxels, channels, sum, square);                                                               \
  }                                                                                                                  \
  FOR_EACH_PROCESSOR void apply(const T* x, T* y, Affine how, int64_t voxels, int64_t channels) {                    \
    apply_all(x, y, how, voxels, channels);                                                                          \
  }                                                                                                                  \
  FOR_EACH_PROCESSOR void add_gradient_sums(const T* gradient, const T* saved, Saved how, int64_t voxels,            \
                                            int64_t channels, double* sum, double* product) {                        \
    if (how.is_output) {                                                                                             \
      all_gradient_sums<true>(gradient, saved, how, voxels, channels, sum, product);                                 \
    } else {                                                                                                         \
      all_gradient_sums<false>(gradient, saved, how, voxels, channels, sum, product);                                \
    }                                                                                                                \
  }                                                                                                                  \
  FOR_EACH_PROCESSOR void input_gradient(const T* gradient, const T* saved, Saved how, Gradient factors,             \
                                         int64_t voxels, int64_t channels, T* result) {                              \
    if (how.is_output) {                                                                                             \
      all_input_gradients<true>(gradient, saved, how, factors, voxels, channels, result);                            \
    } else {                                                                                                         \
      all_input_gradients<false>(gradient, saved, how, factors, voxels, channels, result);                           \
    }                                                                                                                \
  }

KERNELS_FOR(float)
KERNELS_FOR(Bfloat16)

}  // namespace norm_act
