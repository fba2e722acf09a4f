// libtorch's CUDA graphs, under the names that they have in libtorch_cuda.
#include "graph.h"
#include <c10/core/GradMode.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <memory>
#include "counts.h"

enum cudaStreamCaptureMode {};

namespace at::cuda {
struct CUDAGraph {
  CUDAGraph(bool);
  ~CUDAGraph();
  void capture_begin(std::pair<unsigned long long, unsigned long long>, cudaStreamCaptureMode);
  void capture_end();
  void replay();

  std::unique_ptr<rehearsal::Recording> work;
};

CUDAGraph::CUDAGraph(bool) {}
CUDAGraph::~CUDAGraph() {}

void CUDAGraph::capture_begin(std::pair<unsigned long long, unsigned long long>, cudaStreamCaptureMode) {
  work = std::make_unique<rehearsal::Recording>();
  rehearsal::recording() = work.get();
}

void CUDAGraph::capture_end() { rehearsal::recording() = nullptr; }

void CUDAGraph::replay() {
  rehearsal::kernel("graph");
  rehearsal::Inside inside;
  c10::NoGradGuard no_grad;
  at::AutoDispatchBelowADInplaceOrView below;
  for (auto& step : *work) step();
}
}  // namespace at::cuda
