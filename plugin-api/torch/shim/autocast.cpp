// Autocast by device. libtorch offers these as C++ functions only, and tch has no binding of them.
#include <ATen/autocast_mode.h>

extern "C" bool nnunet_autocast_enabled(int8_t device) {
  return at::autocast::is_autocast_enabled(static_cast<c10::DeviceType>(device));
}

extern "C" void nnunet_set_autocast_enabled(int8_t device, bool enabled) {
  at::autocast::set_autocast_enabled(static_cast<c10::DeviceType>(device), enabled);
}
