// Memory of large CPU tensors, which stays with the process: a training step or a patch takes what the one before has given
// back, and the system need not clear its pages again.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "guarded.h"

namespace {

// Tensors from this size on; smaller ones are left to malloc.
constexpr size_t LARGE = 128 << 10;
// Sizes are multiples of it, and it is what a block may be larger than asked for.
constexpr size_t UNIT = 4096;
// What the system is asked for at a time.
constexpr size_t GRANT = 64 << 20;

size_t rounded_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// One range of addresses: blocks in use and free ones up to `top`, nothing behind it.
class Arena {
 public:
  Arena() {
    auto bytes = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    // Addresses, not memory. There may be a limit for them.
    for (bytes = rounded_up(bytes, GRANT); bytes >= (1ul << 30); bytes = rounded_up(bytes / 2, GRANT)) {
      void* place = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (place == MAP_FAILED) continue;
      begin = static_cast<char*>(place);
      top = dirty = usable = begin;
      end = begin + bytes;
      return;
    }
  }

  bool holds(void* place) const { return place >= begin && place < end; }

  // Null if there is no room.
  void* take(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex);
    bytes = rounded_up(bytes, UNIT);
    auto best = by_size.lower_bound({bytes, nullptr});
    if (best == by_size.end()) return take_behind(bytes);
    auto [size, place] = *best;
    remove(place, size);
    if (size > bytes) add(place + bytes, size - bytes);
    used[place] = bytes;
    return place;
  }

  void give_back(void* memory) {
    std::lock_guard<std::mutex> lock(mutex);
    auto* place = static_cast<char*>(memory);
    auto found = used.find(place);
    auto size = found->second;
    used.erase(found);
    auto after = by_place.lower_bound(place);
    if (after != by_place.end() && after->first == place + size) {
      auto [other, more] = *after;
      remove(other, more);
      size += more;
    }
    auto before = by_place.lower_bound(place);
    if (before != by_place.begin() && (--before, before->first + before->second == place)) {
      auto [other, more] = *before;
      remove(other, more);
      place = other;
      size += more;
    }
    if (place + size == top) {
      top = place;
    } else {
      add(place, size);
    }
  }

  // Gives the system free memory beyond `keep` bytes.
  void trim(size_t keep) {
    std::lock_guard<std::mutex> lock(mutex);
    size_t idle = static_cast<size_t>(dirty - top);
    for (auto& block : by_place) idle += block.second;
    if (idle <= keep) return;
    madvise(top, static_cast<size_t>(dirty - top), MADV_DONTNEED);
    dirty = top;
    for (auto& block : by_place) madvise(block.first, block.second, MADV_DONTNEED);
  }

 private:
  // Behind all blocks, together with a free one that ends there.
  void* take_behind(size_t bytes) {
    auto* place = top;
    if (!by_place.empty()) {
      auto [last, size] = *by_place.rbegin();
      if (last + size == top) {
        place = last;
      }
    }
    if (static_cast<size_t>(end - place) < bytes || !make_usable(place + bytes)) return nullptr;
    if (place != top) remove(place, static_cast<size_t>(top - place));
    top = place + bytes;
    dirty = std::max(dirty, top);
    used[place] = bytes;
    return place;
  }

  // Asks the system for memory up to `limit`: where it grants no more than there is, addresses alone do not count.
  bool make_usable(char* limit) {
    if (limit <= usable) return true;
    auto more = rounded_up(static_cast<size_t>(limit - usable), GRANT);
    more = std::min(more, static_cast<size_t>(end - usable));
    if (mprotect(usable, more, PROT_READ | PROT_WRITE) != 0) return false;
    usable += more;
    return true;
  }

  void add(char* place, size_t size) {
    by_place.emplace(place, size);
    by_size.emplace(size, place);
  }

  void remove(char* place, size_t size) {
    by_place.erase(place);
    by_size.erase({size, place});
  }

  std::mutex mutex;
  char *begin = nullptr, *end = nullptr;
  // Behind the last block, behind the last byte that has been used, and behind the last that may be.
  char *top = nullptr, *dirty = nullptr, *usable = nullptr;
  std::map<char*, size_t> by_place;
  std::set<std::pair<size_t, char*>> by_size;
  std::unordered_map<char*, size_t> used;
};

// Never destroyed: tensors may outlive everything else.
Arena& arena() {
  static auto* all = new Arena;
  return *all;
}

void release(void* memory) {
  if (arena().holds(memory)) {
    arena().give_back(memory);
  } else {
    c10::free_cpu(memory);
  }
}

struct KeepingAllocator : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* memory = bytes >= LARGE ? arena().take(bytes) : nullptr;
    // Null for no bytes; an error if there is no memory.
    if (!memory) memory = c10::alloc_cpu(bytes);
    return {memory, memory, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

}  // namespace

extern "C" {

// Memory of CPU tensors stays with the process from here on.
char* nnunet_keep_tensor_memory() {
  return guarded([] {
    arena();
    c10::SetCPUAllocator(new KeepingAllocator, 1);
  });
}

void nnunet_trim_tensor_memory(size_t keep) { arena().trim(keep); }

}
