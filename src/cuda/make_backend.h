// The door to CUDA. A build without it links absent.cpp, whose maker explains itself; there are no #ifdefs
// elsewhere.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/backend.h"

namespace laban {

struct CudaSettings {
  int gpu = 0;        // device index, as in nvidia-smi
  bool tf32 = false;  // f32 products on tensor cores, with 10 fraction bits: faster, no longer true f32
  bool deterministic = true;  // only algorithms that give the same bits in every run
  /// Time the convolution algorithms of each shape instead of asking cuDNN's heuristics.
  bool autotune = false;
  /// bf16: gradients of weights are never rounded to bf16 (cuda/conv/convolution.h).
  bool exact_weights = false;
  bool graph = true;  // record a step once and replay it
  /// For checks: memory that the host may touch as well, every op waited for, no padding.
  bool managed = false;
  std::filesystem::path plans = {};  // file that keeps what autotune has found; empty: none
};

/// Whether a GPU can be used. `reason` is its name, or why not: "no NVIDIA driver found".
struct CudaStatus {
  bool works = false;
  std::string reason;
};
/// Never throws. A build without CUDA says so.
CudaStatus cuda_status(int gpu) noexcept;
/// Throws Error where there is no CUDA in this build, or no GPU that it can use.
std::unique_ptr<Backend> make_cuda_backend(const CudaSettings& settings);
/// "NVIDIA H200, compute capability 9.0, driver 13.0, CUDA 13.0, cuDNN 9.19.0": for reports. Throws as
/// make_cuda_backend does.
std::string cuda_description(int gpu);
/// cudnn_plans.json in $XDG_CACHE_HOME/laban or ~/.cache/laban: where plans are kept unless somebody says
/// otherwise. Empty where there is no home.
std::filesystem::path default_plan_file();

}  // namespace laban
