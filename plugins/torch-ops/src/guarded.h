// What every function that Rust calls does with exceptions.
#pragma once
#include <c10/core/GradMode.h>
#include <cstring>
#include <exception>

// Runs `work` without recording gradients; returns null, or a message for nnunet_free_message.
template <class Work>
inline char* guarded(Work work) {
  try {
    c10::NoGradGuard no_grad;
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an unknown error");
  }
}
