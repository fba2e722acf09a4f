// Calls of libtorch that tch has none for. Tensors come as pointers to at::Tensor, which is what tch's C_tensor is; those
// that are returned belong to the caller. A function that may fail returns null, or a message for nnunet_free_message.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "guarded.h"

namespace {

using List = std::vector<at::Tensor>;

struct Tensors {
  at::Tensor* const* first;
  size_t count;

  List list() const {
    List all;
    all.reserve(count);
    for (size_t i = 0; i < count; i++) all.push_back(*first[i]);
    return all;
  }
};

std::optional<at::Tensor> maybe(const at::Tensor* tensor) {
  return tensor ? std::optional<at::Tensor>(*tensor) : std::nullopt;
}

// The stream on which batches are copied to a device, one for the whole process: libtorch's pool gives another one each time.
c10::Stream copy_stream(c10::Device device) {
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, c10::Stream> streams;
  std::lock_guard<std::mutex> lock(mutex);
  auto found = streams.find(device.index());
  if (found == streams.end()) {
    c10::impl::VirtualGuardImpl devices(device.type());
    found = streams.emplace(device.index(), devices.getStreamFromGlobalPool(device)).first;
  }
  return found->second;
}

}  // namespace

extern "C" {

void nnunet_free_message(char* message) { std::free(message); }

// Whether the process has a CUDA backend already: linked, loaded or preloaded. Asks for no device.
int nnunet_cuda_is_registered() { return at::CUDAHooksRegistry()->Has("CUDAHooks"); }

struct DeviceMemory {
  uint64_t allocated, peak, free, total;
};

// Bytes of a CUDA device: of this process's tensors now and at most, and of the device.
char* nnunet_device_memory(int index, bool reset_peak, DeviceMemory* memory) {
  return guarded([&] {
    auto allocator = c10::getDeviceAllocator(c10::DeviceType::CUDA);
    auto device = static_cast<c10::DeviceIndex>(index);
    auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    // What libtorch keeps for later tensors is free too.
    if (reset_peak) allocator->emptyCache();
    auto bytes = allocator->getDeviceStats(device).allocated_bytes[all];
    auto [free, total] = allocator->getMemoryInfo(device);
    *memory = {static_cast<uint64_t>(bytes.current), static_cast<uint64_t>(bytes.peak), free, total};
    if (reset_peak) allocator->resetPeakStats(device);
  });
}

// A copy in memory from which a GPU reads by itself.
char* nnunet_pin(const at::Tensor* tensor, at::Tensor** pinned) {
  return guarded([&] { *pinned = new at::Tensor(tensor->pin_memory()); });
}

// Copies values into main memory without waiting, and records an event behind the copy; the event is null on the CPU.
char* nnunet_read_later(const at::Tensor* values, at::Tensor** host, void** event) {
  return guarded([&] {
    auto there = values->to(at::kCPU, /*non_blocking=*/true);
    *event = nullptr;
    if (!values->is_cpu()) {
      auto made = std::make_unique<c10::Event>(values->device().type());
      c10::impl::VirtualGuardImpl device(values->device().type());
      made->record(device.getStream(values->device()));
      *event = made.release();
    }
    *host = new at::Tensor(there);
  });
}

char* nnunet_wait_for_event(void* event) {
  return guarded([&] { static_cast<c10::Event*>(event)->synchronize(); });
}

void nnunet_free_event(void* event) { delete static_cast<c10::Event*>(event); }

// Starts copies of tensors to a GPU on the stream for copies, and records an event behind them. `copies` has room for as many.
char* nnunet_start_upload(Tensors tensors, int index, at::Tensor** copies, void** event) {
  return guarded([&] {
    c10::Device device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
    auto stream = copy_stream(device);
    c10::StreamGuard on_stream(stream);
    std::vector<std::unique_ptr<at::Tensor>> made;
    for (auto& tensor : tensors.list()) {
      made.push_back(std::make_unique<at::Tensor>(tensor.to(device, tensor.scalar_type(), /*non_blocking=*/true)));
    }
    auto copied = std::make_unique<c10::Event>(device.type());
    copied->record(stream);
    *event = copied.release();
    for (size_t i = 0; i < made.size(); i++) copies[i] = made[i].release();
  });
}

// The kernels that come next on the current stream run after the copies, and their memory is not used for anything else before
// these kernels are done.
char* nnunet_finish_upload(Tensors copies, void* event) {
  return guarded([&] {
    if (copies.count == 0) return;
    auto device = copies.first[0]->device();
    auto stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
    static_cast<c10::Event*>(event)->block(stream);
    for (auto& copy : copies.list()) copy.record_stream(stream);
  });
}

// cuDNN's search for the fastest convolution, and TF32 for convolutions and products of matrices.
char* nnunet_set_cuda_numerics(bool search, bool tf32) {
  return guarded([&] {
    at::globalContext().setBenchmarkCuDNN(search);
    at::globalContext().setAllowTF32CuDNN(tf32);
    at::globalContext().setAllowTF32CuBLAS(tf32);
  });
}

char* nnunet_forget_gradients(Tensors tensors) {
  return guarded([&] {
    for (size_t i = 0; i < tensors.count; i++) tensors.first[i]->mutable_grad().reset();
  });
}

// The L2 norm of all tensors together, without axes, on their device.
char* nnunet_total_norm(Tensors tensors, at::Tensor** norm) {
  return guarded([&] {
    auto each = at::_foreach_norm(tensors.list(), 2);
    *norm = new at::Tensor(at::linalg_vector_norm(at::stack(each), 2));
  });
}

char* nnunet_multiply(Tensors tensors, const at::Tensor* factor) {
  return guarded([&] { at::_foreach_mul_(tensors.list(), *factor); });
}

char* nnunet_multiply_scalar(Tensors tensors, double factor) {
  return guarded([&] { at::_foreach_mul_(tensors.list(), factor); });
}

char* nnunet_add_scalar(Tensors tensors, double value) {
  return guarded([&] { at::_foreach_add_(tensors.list(), value); });
}

// tensors -= value, a tensor without axes.
char* nnunet_subtract(Tensors tensors, const at::Tensor* value) {
  return guarded([&] { at::_foreach_sub_(tensors.list(), List(tensors.count, *value)); });
}

// tensors += size * first / d, where d is sqrt(second) + eps if `trusted` is 1 and 1 if it is 0.
char* nnunet_add_rectified(Tensors tensors, Tensors first, Tensors second, double eps, const at::Tensor* trusted,
                           const at::Tensor* size) {
  return guarded([&] {
    auto divisors = at::_foreach_sqrt(second.list());
    at::_foreach_add_(divisors, eps);
    at::_foreach_mul_(divisors, *trusted);
    at::_foreach_add_(divisors, 1 - *trusted);
    auto changes = at::_foreach_div(first.list(), divisors);
    at::_foreach_mul_(changes, *size);
    at::_foreach_add_(tensors.list(), changes);
  });
}

struct LossScaleRule {
  double growth, backoff;
  int64_t interval;
};

// The scale of the loss after a step: smaller where `overflowed` is 1, larger after `interval` steps where it was not. All
// are tensors of one element.
char* nnunet_update_loss_scale(at::Tensor* scale, at::Tensor* growth_tracker, const at::Tensor* overflowed,
                               LossScaleRule rule) {
  return guarded([&] {
    at::_amp_update_scale_(*scale, *growth_tracker, *overflowed, rule.growth, rule.backoff, rule.interval);
  });
}

struct SgdStep {
  double learning_rate, momentum, weight_decay;
  bool nesterov, is_first;
};

// Nothing changes where `skip` is 1.
char* nnunet_sgd(Tensors parameters, Tensors gradients, Tensors buffers, SgdStep how, const at::Tensor* skip) {
  return guarded([&] {
    at::_fused_sgd_(parameters.list(), gradients.list(), buffers.list(), how.weight_decay, how.momentum,
                    how.learning_rate, 0.0, how.nesterov, false, how.is_first, {}, maybe(skip));
  });
}

struct AdamStep {
  double learning_rate, beta1, beta2, weight_decay, eps;
  bool amsgrad;
};

char* nnunet_adam(Tensors parameters, Tensors gradients, Tensors first, Tensors second, Tensors largest,
                  Tensors steps, AdamStep how, const at::Tensor* skip) {
  return guarded([&] {
    at::_fused_adam_(parameters.list(), gradients.list(), first.list(), second.list(), largest.list(), steps.list(),
                     how.learning_rate, how.beta1, how.beta2, how.weight_decay, how.eps, how.amsgrad, false, {},
                     maybe(skip));
  });
}

}
