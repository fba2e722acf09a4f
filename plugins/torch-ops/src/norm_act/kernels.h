// Loops over voxels whose channels lie side by side in memory. Every loop has the same result on all processors: lanes of vector
// registers are channels, and there are no fused multiply-adds (-ffp-contract=off).
#pragma once
#include <cstdint>

namespace norm_act {

// bfloat16 as libtorch stores it.
struct Bfloat16 {
  uint16_t bits;
};

// Voxels whose sums are added in single precision; sums of blocks are added in double precision.
constexpr int64_t BLOCK = 256;

// value * factor + offset for each channel; negative results are multiplied by the slope.
struct Affine {
  const float* factor;
  const float* offset;
  float slope;
};

// How the backward pass gets the value before the activation and the centered value from what was saved.
struct Saved {
  // The output was saved, otherwise the input.
  bool is_output;
  float inverse_slope;
  // The forward pass.
  Affine affine;
  // Of each channel: the output's offset (the bias) if the output was saved, otherwise the input's mean.
  const float* center;
};

// Factors of each channel: gradient of the input = d * gradient + constant + centered * value.
struct Gradient {
  const float* gradient;
  const float* constant;
  const float* centered;
};

// Adds differences from `shift`, and their squares, over at most BLOCK voxels.
void add_sums(const float* x, const float* shift, int64_t voxels, int64_t channels, double* sum, double* square);
void add_sums(const Bfloat16* x, const float* shift, int64_t voxels, int64_t channels, double* sum, double* square);

// y may be x.
void apply(const float* x, float* y, Affine how, int64_t voxels, int64_t channels);
void apply(const Bfloat16* x, Bfloat16* y, Affine how, int64_t voxels, int64_t channels);

// Adds the gradients before the activation, and their products with the centered values, over at most BLOCK voxels.
void add_gradient_sums(const float* gradient, const float* saved, Saved how, int64_t voxels, int64_t channels,
                       double* sum, double* product);
void add_gradient_sums(const Bfloat16* gradient, const Bfloat16* saved, Saved how, int64_t voxels, int64_t channels,
                       double* sum, double* product);

// The gradient of the input, which may lie where the gradient of the output does.
void input_gradient(const float* gradient, const float* saved, Saved how, Gradient factors, int64_t voxels,
                    int64_t channels, float* result);
void input_gradient(const Bfloat16* gradient, const Bfloat16* saved, Saved how, Gradient factors, int64_t voxels,
                    int64_t channels, Bfloat16* result);

}  // namespace norm_act
