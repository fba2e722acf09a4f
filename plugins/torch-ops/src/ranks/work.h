// What backends of ours give back: work that is done when a future of its tensors is.
#pragma once
#include <ATen/core/ivalue.h>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace nnunet {

using Future = c10::ivalue::Future;
using TensorList = std::vector<at::Tensor>;

// A future of tensors on one device. Streams that take its value wait for the work.
inline c10::intrusive_ptr<Future> future_of(const TensorList& tensors) {
  std::vector<c10::Device> devices = {tensors.at(0).device()};
  return c10::make_intrusive<Future>(c10::ListType::create(c10::TensorType::get()), devices);
}

class FutureWork final : public c10d::Work {
 public:
  explicit FutureWork(c10::intrusive_ptr<Future> future) : future_(std::move(future)) {}
  bool isCompleted() override { return future_->completed(); }
  bool isSuccess() const override { return future_->hasValue(); }
  bool wait(std::chrono::milliseconds) override {
    future_->waitAndThrow();
    return true;
  }
  void synchronize() override { future_->waitAndThrow(); }
  std::vector<at::Tensor> result() override { return future_->value().toTensorVector(); }
  c10::intrusive_ptr<Future> getFuture() override { return future_; }

 private:
  c10::intrusive_ptr<Future> future_;
};

}  // namespace nnunet
