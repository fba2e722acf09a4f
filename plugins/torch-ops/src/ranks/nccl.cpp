#include "nccl.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <cstring>
#include <optional>
#include <vector>

#include "work.h"

namespace nnunet {
namespace {

constexpr auto KEY = "nccl/id";

// Types and numbers of nccl.h.
using Communicator = void*;
struct Id {
  char bytes[128];
};
constexpr int SUM = 0;

int number_of(at::ScalarType kind) {
  switch (kind) {
    case at::kChar: return 0;
    case at::kByte: case at::kBool: return 1;
    case at::kInt: return 2;
    case at::kLong: return 4;
    case at::kHalf: return 6;
    case at::kFloat: return 7;
    case at::kDouble: return 8;
    case at::kBFloat16: return 9;
    default: TORCH_CHECK(false, "NCCL sends no tensors of ", kind);
  }
}

struct Library {
  int (*GetVersion)(int*);
  int (*GetUniqueId)(Id*);
  int (*CommInitRank)(Communicator*, int, Id, int);
  int (*CommAbort)(Communicator);
  int (*AllReduce)(const void*, void*, size_t, int, int, Communicator, void*);
  int (*Broadcast)(const void*, void*, size_t, int, int, Communicator, void*);
  const char* (*GetErrorString)(int);

  void check(int result, const char* what) const {
    TORCH_CHECK(result == 0, "NCCL, ", what, ": ", GetErrorString(result));
  }
};

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  TORCH_CHECK(function, "libnccl.so.2 has no function ", name);
}

Library open(const char* fallback) {
  auto* opened = dlopen("libnccl.so.2", RTLD_NOW);
  if (!opened) opened = dlopen(fallback, RTLD_NOW);
  TORCH_CHECK(opened, "libnccl.so.2 is not found");
  Library library;
  find(opened, "ncclGetVersion", library.GetVersion);
  find(opened, "ncclGetUniqueId", library.GetUniqueId);
  find(opened, "ncclCommInitRank", library.CommInitRank);
  find(opened, "ncclCommAbort", library.CommAbort);
  find(opened, "ncclAllReduce", library.AllReduce);
  find(opened, "ncclBroadcast", library.Broadcast);
  find(opened, "ncclGetErrorString", library.GetErrorString);
  return library;
}

const Library& loaded(const char* fallback) {
  static const Library library = open(fallback);
  return library;
}

// Operations run on a stream of their own, beside the backward pass.
class Nccl final : public c10d::Backend {
 public:
  Nccl(const Library& library, Communicator communicator, int rank, int size, c10::Device device)
      : Backend(rank, size),
        library_(library),
        communicator_(communicator),
        guard_(device.type()),
        stream_(guard_.getStreamFromGlobalPool(device, /*isHighPriority=*/true)) {}

  ~Nccl() override { library_.CommAbort(communicator_); }

  const std::string getBackendName() const override { return "nccl"; }

  c10::intrusive_ptr<c10d::Work> allreduce(TensorList& tensors, const c10d::AllreduceOptions& options) override {
    TORCH_CHECK(options.reduceOp == c10d::ReduceOp::SUM, "only sums are computed by NCCL here");
    return run(tensors, "ncclAllReduce", [&](const at::Tensor& tensor, void* stream) {
      return library_.AllReduce(tensor.data_ptr(), tensor.data_ptr(), tensor.numel(), number_of(tensor.scalar_type()),
                                SUM, communicator_, stream);
    });
  }

  c10::intrusive_ptr<c10d::Work> broadcast(TensorList& tensors, const c10d::BroadcastOptions& options) override {
    return run(tensors, "ncclBroadcast", [&](const at::Tensor& tensor, void* stream) {
      return library_.Broadcast(tensor.data_ptr(), tensor.data_ptr(), tensor.numel(), number_of(tensor.scalar_type()),
                                static_cast<int>(options.rootRank), communicator_, stream);
    });
  }

 private:
  template <class Call>
  c10::intrusive_ptr<c10d::Work> run(const TensorList& tensors, const char* what, Call call) {
    auto device = stream_.device();
    c10::DeviceGuard on_device(device);
    c10::Event computed(device.type());
    computed.record(guard_.getStream(device));
    computed.block(stream_);
    auto future = future_of(tensors);
    c10::StreamGuard on_stream(stream_);
    for (auto& tensor : tensors) {
      TORCH_CHECK(tensor.device() == device && tensor.is_contiguous(), "a contiguous tensor on ", device, " is needed");
      library_.check(call(tensor, stream_.native_handle()), what);
      // Its memory is not used for something else before the stream is done with it.
      guard_.recordDataPtrOnStream(tensor.storage().data_ptr(), stream_);
    }
    // The future notes where the stream is now.
    future->markCompleted(tensors);
    return c10::make_intrusive<FutureWork>(future);
  }

  const Library& library_;
  Communicator communicator_;
  c10::impl::VirtualGuardImpl guard_;
  c10::Stream stream_;
};

// The first process makes an identifier for all. An empty one tells the others that it cannot.
Id shared_id(const Library& library, c10d::Store& store, int rank) {
  Id id;
  if (rank == 0) {
    auto result = library.GetUniqueId(&id);
    auto begin = reinterpret_cast<const uint8_t*>(id.bytes);
    store.set(KEY, result ? std::vector<uint8_t>() : std::vector<uint8_t>(begin, begin + sizeof(id.bytes)));
    library.check(result, "ncclGetUniqueId");
    return id;
  }
  auto bytes = store.get(KEY);
  TORCH_CHECK(bytes.size() == sizeof(id.bytes), "NCCL does not start in the first process");
  std::memcpy(id.bytes, bytes.data(), sizeof(id.bytes));
  return id;
}

}  // namespace

std::string nccl_version(const char* fallback) {
  auto& library = loaded(fallback);
  int version = 0;
  library.check(library.GetVersion(&version), "ncclGetVersion");
  // 22809 for 2.28.9; before 2.9 it was 2806 for 2.8.6.
  auto major = version < 10000 ? version / 1000 : version / 10000;
  auto minor = version < 10000 ? version % 1000 / 100 : version % 10000 / 100;
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(version % 100);
}

c10::intrusive_ptr<c10d::Backend> nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size,
                                       c10::Device device) {
  auto& library = loaded("");
  auto id = shared_id(library, *store, rank);
  c10::DeviceGuard on_device(device);
  Communicator communicator = nullptr;
  library.check(library.CommInitRank(&communicator, size, id, rank), "ncclCommInitRank");
  return c10::make_intrusive<Nccl>(library, communicator, rank, size, device);
}

}  // namespace nnunet
