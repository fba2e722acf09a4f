// Work on a GPU as one CUDA graph. The class at::cuda::CUDAGraph of libtorch cannot be compiled without CUDA's headers, and
// libtorch_cuda is not linked: its functions are looked up by name in the library that is loaded. They are those of libtorch
// 2.11; another version that lacks one of them has no graphs.
#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "guarded.h"

namespace {

using Pool = std::pair<unsigned long long, unsigned long long>;

// Calls of other threads, which make batches in pinned memory, do not end the recording.
constexpr int THREAD_LOCAL = 1;

template <class Function>
Function* find(const char* name) {
  auto function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  if (!function) throw std::runtime_error(std::string("libtorch_cuda has no ") + name);
  return function;
}

// Member functions take the object first.
struct Functions {
  void (*construct)(void*, bool) = find<void(void*, bool)>("_ZN2at4cuda9CUDAGraphC1Eb");
  void (*destroy)(void*) = find<void(void*)>("_ZN2at4cuda9CUDAGraphD1Ev");
  void (*begin)(void*, Pool, int) = find<void(void*, Pool, int)>(
      "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode");
  void (*end)(void*) = find<void(void*)>("_ZN2at4cuda9CUDAGraph11capture_endEv");
  void (*replay)(void*) = find<void(void*)>("_ZN2at4cuda9CUDAGraph6replayEv");
};

const Functions& functions() {
  static Functions functions;
  return functions;
}

// The object is a fraction of this size.
struct alignas(64) Object {
  unsigned char bytes[8192];
};

}  // namespace

struct Graph {
  c10::Device device;
  Object object;
  // The stream on which it is recorded, while it is.
  std::unique_ptr<c10::StreamGuard> stream;
  bool is_recording = false;

  explicit Graph(int index) : device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index)) {
    functions().construct(&object, false);
  }
  Graph(const Graph&) = delete;
  ~Graph() {
    functions().destroy(&object);
  }

  void begin() {
    c10::impl::VirtualGuardImpl devices(device.type());
    // What has been started so far comes first.
    c10::Event before(device.type());
    before.record(devices.getStream(device));
    auto other = devices.getStreamFromGlobalPool(device);
    before.block(other);
    stream = std::make_unique<c10::StreamGuard>(other);
    functions().begin(&object, Pool{0, 0}, THREAD_LOCAL);
    is_recording = true;
  }

  void end() {
    auto restored = std::move(stream);
    if (std::exchange(is_recording, false)) functions().end(&object);
  }
};

extern "C" {

char* nnunet_graph_new(int index, Graph** graph) {
  return guarded([&] { *graph = new Graph(index); });
}

// What is started from here to the end is recorded and not done.
char* nnunet_graph_begin(Graph* graph) {
  return guarded([&] { graph->begin(); });
}

char* nnunet_graph_end(Graph* graph) {
  return guarded([&] { graph->end(); });
}

char* nnunet_graph_replay(Graph* graph) {
  return guarded([&] { functions().replay(&graph->object); });
}

void nnunet_graph_free(Graph* graph) {
  auto message = guarded([&] {
    graph->end();
  });
  std::free(message);
  delete graph;
}

}
