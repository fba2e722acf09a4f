// Tensors of GPUs, sent through main memory by a backend for the CPU. gloo's own functions for CUDA are in a part of libtorch
// that is loaded late, and may be missing.
#pragma once
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <exception>
#include <string>
#include <utility>

#include "work.h"

namespace nnunet {

class ThroughHost final : public c10d::Backend {
 public:
  explicit ThroughHost(c10::intrusive_ptr<c10d::Backend> host)
      : Backend(host->getRank(), host->getSize()), host_(std::move(host)) {}

  const std::string getBackendName() const override { return "gloo through main memory"; }

  c10::intrusive_ptr<c10d::Work> allreduce(TensorList& tensors, const c10d::AllreduceOptions& options) override {
    auto copies = on_host(tensors);
    auto work = host_->allreduce(copies, options);
    return back(work, std::move(copies), tensors);
  }

  c10::intrusive_ptr<c10d::Work> broadcast(TensorList& tensors, const c10d::BroadcastOptions& options) override {
    auto copies = on_host(tensors);
    auto work = host_->broadcast(copies, options);
    return back(work, std::move(copies), tensors);
  }

 private:
  // Waits until the tensors are computed.
  static TensorList on_host(const TensorList& tensors) {
    c10::NoGradGuard no_grad;
    TensorList copies;
    for (auto& tensor : tensors) copies.push_back(tensor.detach().cpu());
    return copies;
  }

  // The results are copied back as soon as they are there, while the backward pass goes on.
  static c10::intrusive_ptr<c10d::Work> back(const c10::intrusive_ptr<c10d::Work>& work, TensorList copies,
                                             TensorList tensors) {
    auto future = future_of(tensors);
    work->getFuture()->addCallback([future, copies = std::move(copies), tensors](Future& done) {
      if (done.hasError()) {
        future->setError(done.exception_ptr());
        return;
      }
      try {
        c10::NoGradGuard no_grad;
        for (size_t i = 0; i < tensors.size(); i++) tensors[i].detach().copy_(copies[i]);
        future->markCompleted(tensors);
      } catch (...) {
        future->setError(std::current_exception());
      }
    });
    return c10::make_intrusive<FutureWork>(future);
  }

  c10::intrusive_ptr<c10d::Backend> host_;
};

}  // namespace nnunet
