// Memory of the devices: the machine's, with a limit; and pinned memory, which is ordinary memory that is remembered.
#pragma once
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <set>
#include "counts.h"

namespace rehearsal {

inline thread_local c10::DeviceIndex current = 0;
inline thread_local c10::StreamId stream = 0;

// Memory whose copy on another stream has not been waited for.
struct Pending {
  std::mutex guard;
  std::set<const void*> blocks;

  void add(const void* memory) {
    std::lock_guard<std::mutex> lock(guard);
    blocks.insert(memory);
  }
  void forget(const void* memory) {
    std::lock_guard<std::mutex> lock(guard);
    blocks.erase(memory);
  }
  void done() {
    std::lock_guard<std::mutex> lock(guard);
    blocks.clear();
  }
  void check(const void* memory, const std::string& name) {
    std::lock_guard<std::mutex> lock(guard);
    TORCH_CHECK(!blocks.count(memory), name, " uses a tensor before its copy to the device has been waited for");
  }
};

inline Pending& pending() {
  static auto pending = new Pending;
  return *pending;
}

inline size_t limit() {
  const char* bytes = variable("REHEARSAL_BYTES");
  return bytes ? std::strtoull(bytes, nullptr, 10) : SIZE_MAX;
}

struct Block {
  void* memory;
  size_t bytes;
  int device;
};

inline void release(void* context) {
  auto block = static_cast<Block*>(context);
  counts().used[block->device] -= block->bytes;
  pending().forget(block->memory);
  c10::free_cpu(block->memory);
  delete block;
}

struct DeviceMemory final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    int index = current;
    c10::Device device(c10::DeviceType::CUDA, current);
    if (bytes == 0) return {nullptr, nullptr, &release, device};
    size_t now = counts().used[index] += bytes;
    if (now > limit()) {
      counts().used[index] -= bytes;
      TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. (rehearsal) Tried to allocate ", bytes, " bytes");
    }
    auto& peak = counts().peak[index];
    for (size_t most = peak; now > most && !peak.compare_exchange_weak(most, now);) {
    }
    void* memory = c10::alloc_cpu(bytes);
    return {memory, new Block{memory, bytes, index}, &release, device};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex device) override {
    c10::CachingDeviceAllocator::DeviceStats stats;
    auto& all = stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
    all.current = counts().used[device];
    all.peak = counts().peak[device];
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex device) override { counts().peak[device] = counts().used[device].load(); }
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex device) override {
    size_t total = limit() == SIZE_MAX ? size_t(1) << 36 : limit();
    return {total - counts().used[device], total};
  }
};

inline DeviceMemory& device_memory() {
  static DeviceMemory memory;
  return memory;
}

struct PinnedMemory final : c10::Allocator {
  std::mutex guard;
  std::set<const void*> blocks;

  static PinnedMemory& instance();
  static void forget(void* memory) {
    auto& self = instance();
    std::lock_guard<std::mutex> lock(self.guard);
    self.blocks.erase(memory);
    c10::free_cpu(memory);
  }
  c10::DataPtr allocate(size_t bytes) override {
    void* memory = c10::alloc_cpu(bytes);
    std::lock_guard<std::mutex> lock(guard);
    if (memory) blocks.insert(memory);
    return {memory, memory, &forget, c10::Device(c10::DeviceType::CPU)};
  }
  bool holds(const void* memory) {
    std::lock_guard<std::mutex> lock(guard);
    return blocks.count(memory) > 0;
  }
  c10::DeleterFnPtr raw_deleter() const override { return &forget; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};

inline PinnedMemory& PinnedMemory::instance() {
  static auto memory = new PinnedMemory;
  return *memory;
}

}  // namespace rehearsal
