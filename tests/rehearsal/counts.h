// What is counted, and the report at the end.
#pragma once
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace rehearsal {

constexpr int MOST_DEVICES = 16;

inline const char* variable(const char* name) { return std::getenv(name); }

inline int devices() {
  const char* count = variable("REHEARSAL_GPUS");
  return count ? std::atoi(count) : 1;
}

struct Counts {
  std::atomic<long> kernels{0}, uploads{0}, pinned_uploads{0}, early_uploads{0}, waits{0}, downloaded_bytes{0};
  std::atomic<size_t> used[MOST_DEVICES] = {}, peak[MOST_DEVICES] = {};

  ~Counts() {
    const char* path = variable("REHEARSAL_REPORT");
    FILE* file = path ? std::fopen(path, "a") : nullptr;
    if (!file) return;
    std::fprintf(file,
                 "{\"kernels\": %ld, \"uploads\": %ld, \"pinned_uploads\": %ld, \"early_uploads\": %ld, \"waits\": %ld, "
                 "\"downloaded_bytes\": %ld, \"peak_bytes\": [",
                 kernels.load(), uploads.load(), pinned_uploads.load(), early_uploads.load(), waits.load(),
                 downloaded_bytes.load());
    for (int i = 0; i < devices(); i++) std::fprintf(file, "%s%zu", i ? ", " : "", peak[i].load());
    std::fprintf(file, "]}\n");
    std::fclose(file);
  }
};

inline Counts& counts() {
  static Counts counts;
  return counts;
}

// Operators that run inside of another one are not counted.
inline thread_local int depth = 0;

struct Inside {
  Inside() { depth++; }
  ~Inside() { depth--; }
};

inline void trace(const std::string& name) {
  static FILE* file = variable("REHEARSAL_TRACE") ? std::fopen(variable("REHEARSAL_TRACE"), "a") : nullptr;
  if (file) std::fprintf(file, "%s\n", name.c_str());
}

inline void kernel(const std::string& name) {
  if (depth) return;
  counts().kernels++;
  trace(name);
}

inline void wait(const std::string& name) {
  if (depth) return;
  counts().waits++;
  trace("WAIT " + name);
}

}  // namespace rehearsal
