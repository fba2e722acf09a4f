// Processes that train together, through libtorch's c10d: a store over TCP, gloo, and the reducer that averages gradients
// while the backward pass still runs.
#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "guarded.h"
#include "ranks/nccl.h"
#include "ranks/through_host.h"

namespace {

using Milliseconds = std::chrono::milliseconds;
using Processes = c10d::ProcessGroup;

struct Tensors {
  at::Tensor* const* first;
  size_t count;
};

struct Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroup> processes;
  // Connects GPUs, where it could be made.
  c10::intrusive_ptr<c10d::Backend> nccl;
};

std::vector<at::Tensor> list(Tensors tensors) {
  std::vector<at::Tensor> all;
  all.reserve(tensors.count);
  for (size_t i = 0; i < tensors.count; i++) all.push_back(*tensors.first[i]);
  return all;
}

}  // namespace

extern "C" {

struct Meeting {
  const char* host;         // where the store is
  uint16_t port;
  bool serves;              // this process has the store
  int rank, size;
  const char* prefix;       // of all keys
  const char* address;      // of this process, for the others
  int64_t timeout;          // of every operation, in milliseconds
};

char* nnunet_ranks_join(const Meeting* meeting, Group** group) {
  return guarded([&] {
    Milliseconds timeout(meeting->timeout);
    c10d::TCPStoreOptions options;
    options.port = meeting->port;
    options.isServer = meeting->serves;
    options.waitWorkers = false;
    options.timeout = timeout;
    auto tcp = c10::make_intrusive<c10d::TCPStore>(meeting->host, options);
    auto made = std::make_unique<Group>();
    made->store = c10::make_intrusive<c10d::PrefixStore>(meeting->prefix, tcp);
    auto how = c10d::ProcessGroupGloo::Options::create(timeout);
    how->devices = {c10d::ProcessGroupGloo::createDeviceForHostname(meeting->address)};
    auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(made->store, meeting->rank, meeting->size, how);
    made->processes = c10::make_intrusive<Processes>(made->store, meeting->rank, meeting->size);
    made->processes->setBackend(c10::DeviceType::CPU, Processes::BackendType::GLOO, gloo);
    auto through_host = c10::make_intrusive<nnunet::ThroughHost>(gloo);
    made->processes->setBackend(c10::DeviceType::CUDA, Processes::BackendType::CUSTOM, through_host);
    made->processes->setDefaultBackend(Processes::BackendType::GLOO);
    *group = made.release();
  });
}

// The version of NCCL, for nnunet_free_message. Its library is that of this process, or else the file `fallback`.
char* nnunet_ranks_nccl_version(const char* fallback, char** version) {
  return guarded([&] { *version = strdup(nnunet::nccl_version(fallback).c_str()); });
}

// Connects GPU `index` with those of the other ranks, after nnunet_ranks_nccl_version.
char* nnunet_ranks_connect_nccl(Group* group, int index) {
  return guarded([&] {
    c10::Device device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
    auto& processes = *group->processes;
    group->nccl = nnunet::nccl(group->store, processes.getRank(), processes.getSize(), device);
  });
}

// Uses the connection from now on.
char* nnunet_ranks_use_nccl(Group* group) {
  return guarded([&] {
    TORCH_CHECK(group->nccl, "NCCL is not connected");
    group->processes->setBackend(c10::DeviceType::CUDA, Processes::BackendType::NCCL, group->nccl);
  });
}

void nnunet_ranks_free(Group* group) { delete group; }

// Adds up a tensor over all ranks, in place.
char* nnunet_ranks_sum(Group* group, const at::Tensor* tensor) {
  return guarded([&] {
    std::vector<at::Tensor> one = {*tensor};
    group->processes->allreduce(one)->wait();
  });
}

// Gives all ranks the values of one, in place.
char* nnunet_ranks_broadcast(Group* group, Tensors tensors, int from) {
  return guarded([&] {
    c10d::BroadcastOptions options;
    options.rootRank = from;
    for (auto& tensor : list(tensors)) {
      std::vector<at::Tensor> one = {tensor.detach().contiguous()};
      group->processes->broadcast(one, options)->wait();
      if (!one[0].is_same(tensor)) tensor.detach().copy_(one[0]);
    }
  });
}

char* nnunet_ranks_set(Group* group, const char* key, const char* value) {
  return guarded([&] { group->store->set(std::string(key), std::string(value)); });
}

// Waits for a key, no longer than some milliseconds.
char* nnunet_ranks_wait(Group* group, const char* key, int64_t timeout) {
  return guarded([&] { group->store->wait({key}, Milliseconds(timeout)); });
}

// The value of a key that there is, for nnunet_free_message.
char* nnunet_ranks_get(Group* group, const char* key, char** value) {
  return guarded([&] { *value = strdup(group->store->get_to_str(key).c_str()); });
}

// Averages the gradients of parameters over all ranks from now on. They are given in the order in which the network uses
// them; the last ones have their gradients first.
char* nnunet_ranks_reducer(Group* group, Tensors tensors, c10d::Reducer** reducer) {
  return guarded([&] {
    auto parameters = list(tensors);
    std::vector<bool> sparse(parameters.size(), false);
    std::vector<size_t> sizes = {static_cast<size_t>(c10d::kDefaultFirstBucketBytes),
                                 static_cast<size_t>(c10d::kDefaultBucketBytesCap)};
    auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(parameters, sizes, sparse));
    std::reverse(buckets.begin(), buckets.end());
    *reducer = new c10d::Reducer(parameters, buckets, group->processes, sparse, c10d::kDefaultBucketBytesCap,
                                 /*find_unused_parameters=*/true, /*gradient_as_bucket_view=*/false, {},
                                 c10d::kDefaultFirstBucketBytes, /*skip_all_reduce_unused_params=*/false,
                                 /*use_python_reducer=*/false, {});
  });
}

// The next backward pass begins at `loss`.
char* nnunet_ranks_prepare(c10d::Reducer* reducer, const at::Tensor* loss) {
  return guarded([&] { reducer->prepare_for_backward({*loss}); });
}

void nnunet_ranks_free_reducer(c10d::Reducer* reducer) {
  try {
    delete reducer;
  } catch (...) {
  }
}

}
