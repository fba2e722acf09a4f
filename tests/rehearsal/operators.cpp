// Operators: tensors without values, copies and views of our own; all others run on the CPU, on the same memory.
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>
#include "graph.h"
#include "memory.h"

namespace {
using namespace rehearsal;
using Sizes = c10::SymIntArrayRef;
const auto KEYS = c10::DispatchKeySet(c10::DispatchKey::CUDA);

// The same memory as a tensor of the CPU.
at::Tensor host(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_cpu()) return tensor;
  auto storage = tensor.storage();
  auto count = static_cast<int64_t>(storage.nbytes() / tensor.itemsize());
  auto options = at::TensorOptions().dtype(tensor.dtype()).device(at::kCPU);
  auto all = at::from_blob(storage.mutable_data(), {count}, [storage](void*) {}, options);
  return all.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset());
}

at::Tensor empty(Sizes size, std::optional<at::ScalarType> kind, std::optional<at::Layout>,
                 std::optional<at::Device> device, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  c10::OptionalDeviceGuard guard(device);
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &device_memory(), KEYS, at::dtype_or_default(kind),
                                   format);
}

at::Tensor empty_strided(Sizes size, Sizes strides, std::optional<at::ScalarType> kind, std::optional<at::Layout>,
                         std::optional<at::Device> device, std::optional<bool>) {
  c10::OptionalDeviceGuard guard(device);
  return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(strides),
                                           &device_memory(), KEYS, at::dtype_or_default(kind));
}

at::Tensor& copy_(at::Tensor& to, const at::Tensor& from, bool asynchronous) {
  if (!depth && (to.is_cpu() || from.is_cpu())) refuse_recording("copy_ from or to main memory");
  if (to.is_cpu()) {
    // Into pinned memory nobody waits before an event.
    if (asynchronous && PinnedMemory::instance().holds(to.storage().data())) {
      if (!depth) trace("LATE READ");
    } else {
      wait("copy_ from the device");
    }
    if (!depth) counts().downloaded_bytes += static_cast<long>(from.nbytes());
  } else if (from.is_cpu()) {
    if (!depth) {
      counts().uploads++;
      trace("UPLOAD");
      if (stream) {
        counts().early_uploads++;
        pending().add(to.storage().data());
      }
      if (PinnedMemory::instance().holds(from.storage().data())) counts().pinned_uploads++;
    }
  } else {
    kernel("aten::copy_");
  }
  auto place = host(to), values = host(from);
  if (auto work = depth ? nullptr : recording().load()) {
    work->push_back([place, values] { place.copy_(values); });
  } else {
    place.copy_(values);
  }
  return to;
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool asynchronous) {
  auto place = to;
  copy_(place, from, asynchronous);
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  auto place = to;
  if (place.sizes() != from.sizes()) place.resize_(from.sizes());
  copy_(place, from, false);
  return to;
}

// The program asks for other kernels of the CPU by name, and for another instance norm. The same ones here: then results are
// those of the CPU to the bit.
at::Tensor channels_last(const at::Tensor& x) { return x.permute({0, 2, 3, 4, 1}).contiguous().permute({0, 4, 1, 2, 3}); }

at::Tensor instance_norm(const at::Tensor& x, const std::optional<at::Tensor>& weight,
                         const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& mean,
                         const std::optional<at::Tensor>& variance, bool use_input, double momentum, double eps,
                         bool cudnn) {
  if (x.dim() != 5) {
    return at::native::instance_norm(x, weight, bias, mean, variance, use_input, momentum, eps, cudnn);
  }
  if (x.scalar_type() == at::kFloat && x.requires_grad()) {
    return channels_last(at::group_norm(x.contiguous(), x.size(1), weight, bias, eps));
  }
  std::vector<at::Tensor> samples;
  for (auto& sample : x.split(1)) {
    samples.push_back(at::batch_norm(sample, weight, bias, {}, {}, true, momentum, eps, false));
  }
  return at::cat(samples);
}

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       Sizes stride, Sizes padding, Sizes dilation, bool transposed, Sizes output_padding,
                       c10::SymInt groups) {
  kernel("aten::convolution");
  TORCH_CHECK(x.device() == weight.device(), "Expected all tensors to be on the same device, but aten::convolution got ",
              x.device(), " and ", weight.device());
  pending().check(x.storage().data(), "aten::convolution");
  Inside inside;
  auto there = bias ? std::optional<at::Tensor>(host(*bias)) : std::nullopt;
  bool by_name = !transposed && x.scalar_type() == at::kFloat && !x.requires_grad() && !weight.requires_grad();
  auto compute = [=, x = host(x), weight = host(weight), stride = stride.vec(), padding = padding.vec(),
                  dilation = dilation.vec(), output_padding = output_padding.vec()] {
    return by_name ? at::mkldnn_convolution_symint(x, weight, there, padding, stride, dilation, groups)
                   : at::convolution_symint(x, weight, there, stride, padding, dilation, transposed, output_padding,
                                            groups);
  };
  auto y = compute().to(x.device());
  if (auto work = recording().load()) work->push_back([=] { host(y).copy_(compute()); });
  return y;
}

at::Scalar local_scalar(const at::Tensor& tensor) {
  refuse_recording("aten::item");
  wait("aten::item");
  return host(tensor).item();
}

const at::Tensor& resize_(const at::Tensor& tensor, Sizes size, std::optional<at::MemoryFormat> format) {
  auto impl = tensor.unsafeGetTensorImpl();
  impl->set_sizes_contiguous(C10_AS_INTARRAYREF_SLOW(size));
  if (format && *format != at::MemoryFormat::Preserve) impl->empty_tensor_restride(*format);
  auto bytes = at::detail::computeStorageNbytes(impl->sizes(), impl->strides(), tensor.itemsize(),
                                                tensor.storage_offset());
  auto storage = tensor.storage();
  if (bytes > storage.nbytes()) {
    c10::OptionalDeviceGuard guard(tensor.device());
    auto memory = device_memory().allocate(bytes);
    if (storage.nbytes()) std::memcpy(memory.get(), storage.data(), storage.nbytes());
    storage.set_data_ptr_noswap(std::move(memory));
    storage.set_nbytes(bytes);
  }
  return tensor;
}

at::Tensor as_strided(const at::Tensor& self, Sizes size, Sizes strides, std::optional<c10::SymInt> offset) {
  auto first = offset ? std::optional<int64_t>(offset->guard_int(__FILE__, __LINE__)) : std::nullopt;
  return at::native::as_strided_tensorimpl(self, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(strides),
                                           first);
}

at::Tensor view(const at::Tensor& self, Sizes size) { return at::native::view(self, C10_AS_INTARRAYREF_SLOW(size)); }

at::Tensor reshape_alias(const at::Tensor& self, Sizes size, Sizes strides) {
  return at::native::_reshape_alias(self, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(strides));
}

at::Tensor& set_storage(at::Tensor& tensor, at::Storage storage, c10::SymInt offset, Sizes size, Sizes strides) {
  auto impl = tensor.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(std::move(storage));
  impl->set_sizes_and_strides(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(strides),
                              offset.guard_int(__FILE__, __LINE__));
  return tensor;
}

// Indices may be on the CPU, on a real GPU too.
bool may_mix(const std::string& name) {
  return name == "aten::index" || name == "aten::index_put_" || name == "aten::_index_put_impl_" ||
         name == "aten::set_";
}

void refuse_mixed_devices(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& name = op.schema().name();
  std::optional<at::Device> seen;
  auto look = [&](const at::Tensor& tensor) {
    if (!tensor.defined() || (tensor.is_cpu() && tensor.dim() == 0)) return;
    if (!seen) seen = tensor.device();
    if (tensor.has_storage()) pending().check(tensor.storage().data(), name);
    TORCH_CHECK(*seen == tensor.device() || may_mix(name), "Expected all tensors to be on the same device, but ", name,
                " got ", *seen, " and ", tensor.device());
  };
  for (auto& value : torch::jit::last(stack, op.schema().arguments().size())) {
    if (value.isTensor()) look(value.toTensor());
    if (value.isTensorList()) {
      for (at::Tensor tensor : value.toTensorList()) look(tensor);
    }
  }
}

std::vector<at::Tensor> tensors_of(const c10::IValue& value) {
  if (value.isTensor()) return {value.toTensor()};
  return value.isTensorList() ? value.toTensorVector() : std::vector<at::Tensor>();
}

// Runs an operator for the shapes of its results, undoes what it has changed, and records it. The results get their values when
// it is done.
void record(const c10::OperatorHandle& op, torch::jit::Stack* stack, Recording& work) {
  const auto& schema = op.schema();
  auto last = torch::jit::last(*stack, schema.arguments().size());
  torch::jit::Stack inputs(last.begin(), last.end());
  Unchanged unchanged;
  for (size_t i = 0; i < inputs.size(); i++) {
    auto alias = schema.arguments()[i].alias_info();
    if (!alias || !alias->isWrite()) continue;
    for (auto& tensor : tensors_of(inputs[i])) unchanged.keep(host(tensor));
  }
  at::native::cpu_fallback(op, stack);
  unchanged.restore();
  auto results = torch::jit::last(*stack, schema.returns().size());
  torch::jit::Stack outputs(results.begin(), results.end());
  work.push_back([op, inputs, outputs] {
    auto again = inputs;
    at::native::cpu_fallback(op, &again);
    for (size_t i = 0; i < outputs.size(); i++) {
      // A result that is an argument has been changed in place.
      if (op.schema().returns()[i].alias_info()) continue;
      auto ours = tensors_of(outputs[i]), theirs = tensors_of(again[i]);
      for (size_t k = 0; k < ours.size(); k++) {
        if (ours[k].defined()) host(ours[k]).copy_(host(theirs[k]));
      }
    }
  });
}

void on_the_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  kernel(op.schema().name());
  refuse_mixed_devices(op, stack);
  Inside inside;
  if (auto work = recording().load()) {
    record(op, stack, *work);
  } else {
    at::native::cpu_fallback(op, stack);
  }
}
}  // namespace

TORCH_LIBRARY_IMPL(_, CUDA, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>()); }

TORCH_LIBRARY_IMPL(aten, CUDA, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("copy_", copy_);
  m.impl("_copy_from", copy_from);
  m.impl("_copy_from_and_resize", copy_from_and_resize);
  m.impl("_local_scalar_dense", local_scalar);
  m.impl("resize_", resize_);
  m.impl("as_strided", as_strided);
  m.impl("view", view);
  m.impl("unfold", at::native::unfold);
  m.impl("_reshape_alias", reshape_alias);
  m.impl("set_.source_Storage_storage_offset", set_storage);
  // One kernel each on a GPU; without an entry here they would run tensor by tensor.
  for (auto name : {"_foreach_norm.Scalar", "_foreach_mul_.Tensor", "_foreach_mul_.Scalar", "_foreach_add_.Scalar",
                    "_foreach_add_.Tensor", "_foreach_add_.List", "_foreach_sub_.List", "_foreach_div.List", "_foreach_sqrt",
                    "_foreach_copy_"}) {
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>());
  }
  // These choose a backend by the device of their input; the CPU's is meant.
  m.impl("convolution", convolution);
  // Without an entry it would be made of other operators than on the CPU.
  m.impl("native_group_norm", torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>());
  for (auto name : {"convolution_backward", "convolution_overrideable"}) {
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>());
  }
  m.impl("record_stream", [](at::Tensor&, at::Stream) {});
}

TORCH_LIBRARY_IMPL(aten, AutogradCUDA, m) { m.impl("instance_norm", instance_norm); }
