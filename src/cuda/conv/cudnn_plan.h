// An engine made ready to run a convolution.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "cuda/conv/cudnn_engines.h"

namespace laban::cuda {

struct Binding {
  TensorId tensor;
  void* data;  // 16-byte aligned
};

class Plan {
 public:
  /// Nothing where the engine cannot do it after all; `why`, where given, then says what cuDNN said.
  static std::optional<Plan> make(EngineConfig config, const DeviceProperties& device,
                                  std::string* why = nullptr);

  size_t workspace_bytes() const { return workspace_bytes_; }
  const EngineChoice& choice() const { return config_.choice; }
  const EngineNotes& notes() const { return config_.notes; }

  /// Puts the work on the handle's stream. `workspace`: workspace_bytes(), 16-byte aligned.
  void run(cudnnHandle_t handle, std::span<const Binding> tensors, void* workspace,
           const ConvProblem& problem) const;

 private:
  Plan(EngineConfig config, Descriptor plan, size_t workspace_bytes)
      : config_(std::move(config)), plan_(std::move(plan)), workspace_bytes_(workspace_bytes) {}

  EngineConfig config_;  // the plan may refer to it
  Descriptor plan_;
  size_t workspace_bytes_;
};

}  // namespace laban::cuda
