// What every function that Rust calls does with exceptions.
#pragma once
#include <c10/core/GradMode.h>
#include <cstring>
#include <exception>

// Returns null, or a message for nnunet_free_message.
template <class Work>
inline char* with_message(Work work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an unknown error");
  }
}

// The same without recording gradients.
template <class Work>
inline char* guarded(Work work) {
  return with_message([&] {
    c10::NoGradGuard no_grad;
    work();
  });
}
