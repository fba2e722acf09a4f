#include "channels_last.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <algorithm>
#include <atomic>

namespace norm_act {
namespace {

// Blocks of a piece of work. The number does not depend on the number of threads.
constexpr int64_t BLOCKS = 8;
constexpr int64_t PIECE = BLOCK * BLOCKS;

// The threads that libtorch's and oneDNN's operators run on: those of the OpenMP library that libtorch has loaded. A library
// that was linked here could be another one, with threads of its own.
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

void run(int64_t count, const std::function<void(int64_t)>& work) {
  static const auto start = reinterpret_cast<StartThreads>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  Pieces pieces{&work, count};
  if (start && count > 1 && at::get_num_threads() > 1 && !at::in_parallel_region()) {
    // As many threads as everywhere else: another number would end threads and start new ones.
    start(&Pieces::take, &pieces, 0, 0);
  } else {
    Pieces::take(&pieces);
  }
}

int64_t pieces_of_sample(Layout layout) { return (layout.voxels + PIECE - 1) / PIECE; }

}  // namespace

Layout layout_of(const at::Tensor& x) {
  TORCH_CHECK(x.is_cpu() && x.dim() > 2, "norm_act is for CPU tensors with channels and space");
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16,
              "norm_act is for float32 and bfloat16");
  TORCH_CHECK(x.movedim(1, -1).is_contiguous(), "norm_act needs the channels innermost in memory");
  auto samples = x.size(0), channels = x.size(1);
  return {samples, channels, samples * channels ? x.numel() / (samples * channels) : 0};
}

at::Tensor channels_last(const at::Tensor& x) { return x.movedim(1, -1).contiguous().movedim(-1, 1); }

void for_each_piece(Layout layout, const std::function<void(int64_t, int64_t, int64_t)>& work) {
  auto pieces = pieces_of_sample(layout);
  run(layout.samples * pieces, [&](int64_t piece) {
    auto first = piece % pieces * PIECE;
    work(piece / pieces, first, std::min(PIECE, layout.voxels - first));
  });
}

std::vector<double> sums(Layout layout, const AddSums& work) {
  auto pieces = pieces_of_sample(layout), channels = layout.channels;
  std::vector<double> parts(layout.samples * pieces * 2 * channels, 0.0);
  for_each_piece(layout, [&](int64_t sample, int64_t first, int64_t voxels) {
    double* a = parts.data() + (sample * pieces + first / PIECE) * 2 * channels;
    for (int64_t done = 0; done < voxels; done += BLOCK) {
      work(sample, first + done, std::min(BLOCK, voxels - done), a, a + channels);
    }
  });
  std::vector<double> all(2 * layout.columns(), 0.0);
  for (int64_t sample = 0; sample < layout.samples; sample++) {
    for (int64_t piece = 0; piece < pieces; piece++) {
      const double* part = parts.data() + (sample * pieces + piece) * 2 * channels;
      for (int64_t c = 0; c < channels; c++) {
        all[sample * channels + c] += part[c];
        all[layout.columns() + sample * channels + c] += part[channels + c];
      }
    }
  }
  return all;
}

}  // namespace norm_act
