#include "cuda/make_backend.h"

#include <cstdlib>

#include "core/machine_error.h"
#include "cuda/check.h"
#include "cuda/conv/plan_timer.h"
#include "cuda/cuda_backend.h"

namespace laban {
namespace cuda {
namespace {

/// "13.0" of 13000.
std::string cuda_version(int number) { return text(number / 1000, '.', number % 1000 / 10); }

/// "9.19.0" of 91900.
std::string cudnn_version() {
  const size_t number = cudnnGetVersion();
  return text(number / 10000, '.', number % 10000 / 100, '.', number % 100);
}

ConvPlans make_plans(const CudaSettings& settings, const DeviceInfo& info, Libraries& libraries,
                     Stream stream) {
  ConvPlans::Settings plans;
  if (!settings.plans.empty())
    plans.file = PlanFile(settings.plans, text(info.name, ", cuDNN ", cudnn_version()));
  if (settings.autotune) plans.timer = make_plan_timer(libraries, stream);
  return ConvPlans(DeviceProperties::of_handle(libraries.cudnn(stream), info.name), std::move(plans));
}

/// Runs the smallest kernel there is: a program that was built for other GPUs has none that this one can
/// run.
void require_code_for(const DeviceInfo& info, CudaBackend& backend) {
  const auto memory = backend.allocate(512);
  const Tensor variance(memory->data(), DType::f32, Shape::vector(1), Device::cuda);
  const Tensor inv_std(static_cast<std::byte*>(memory->data()) + 256, DType::f32, Shape::vector(1),
                       Device::cuda);
  try {
    backend.run(SetZero{variance}, {});
    backend.run(InverseStd{.variance = variance, .inv_std = inv_std, .eps = 1}, {});
    backend.synchronize();
  } catch (const Error& error) {
    throw Error(text("--device cuda: no kernel of this laban starts on the ", info.name,
                     " (compute capability ", info.major, '.', info.minor, "): ", error.sentence()),
                text("Most likely it was built for other GPUs. Build it on this machine, or with "
                     "-DLABAN_CUDA_ARCHITECTURES=",
                     info.major, info.minor, "."));
  }
}

}  // namespace

CudaBackend::CudaBackend(const CudaSettings& settings)
    : Chain<RunsKernel, OnDevice, OwnOps>(settings),
      convolutions_(make_plans(settings, info_, libraries_, stream_.get()),
                    {.tf32 = settings.tf32,
                     .deterministic = settings.deterministic,
                     .exact_weights = settings.exact_weights}) {
  require_code_for(info_, *this);
}

std::unique_ptr<Memory> CudaBackend::allocate_staging(size_t bytes) {
  use_device(info_.index);  // a loader's threads come here, too
  return allocate_pinned(bytes);
}

void CudaBackend::upload(const Tensor& to, const void* from) {
  // The labels of a step must not make the host wait for the step before. With managed memory the host may
  // touch `to` next.
  if (to.bytes() <= SmallUploads::kLargest && !settings_.managed)
    small_uploads_.copy(to.data, from, to.bytes(), stream_.get());
  else
    copy_to_device(to.data, from, to.bytes(), stream_.get());
}
void CudaBackend::download(void* to, const Tensor& from) {
  copy_to_host(to, from.data, from.bytes(), stream_.get());
}

void CudaBackend::begin_upload(const Tensor& to, const void* from) {
  begin_copy_to_device(to.data, from, to.bytes(), copies_.get());
  uploaded_.record(copies_.get());
}
void CudaBackend::await_uploads() { uploaded_.make_wait(stream_.get()); }

std::unique_ptr<Recording> CudaBackend::record(const std::function<void()>& body) {
  if (!settings_.graph || settings_.managed || !unrecorded_.empty()) return nullptr;
  try {
    return record_graph(stream_.get(), body);
  } catch (const MachineError&) {
    throw;
  } catch (const Error& error) {
    unrecorded_ = error.sentence();  // if it was not the recording's fault, it comes again without
    return nullptr;
  }
}

std::string CudaBackend::note() const {
  if (!unrecorded_.empty())
    return "steps run op by op, somewhat slower, as they cannot be recorded: " + unrecorded_;
  const std::string complaint = convolutions_.plans().file().complaint();
  return complaint.empty() ? convolutions_.note() : complaint;
}

void CudaBackend::run(const ConvForward& op, Scratch scratch) {
  convolutions_.run(op, scratch, libraries_, stream_.get());
  launched();
}
void CudaBackend::run(const ConvBackwardData& op, Scratch scratch) {
  convolutions_.run(op, scratch, libraries_, stream_.get());
  launched();
}
void CudaBackend::run(const ConvBackwardWeights& op, Scratch scratch) {
  convolutions_.run(op, scratch, libraries_, stream_.get());
  launched();
}
void CudaBackend::run(const ConvBatchNorm& op, Scratch scratch) {
  run(op.convolution(), scratch);
  run(op.normalization(), {});
}
void CudaBackend::run(const LinearForward& op, Scratch scratch) {
  cuda::run(op, scratch, settings_.tf32, libraries_, stream_.get());
  launched();
}
void CudaBackend::run(const LinearBackwardData& op, Scratch scratch) {
  cuda::run(op, scratch, settings_.tf32, libraries_, stream_.get());
  launched();
}
void CudaBackend::run(const LinearBackwardWeights& op, Scratch scratch) {
  cuda::run(op, scratch, settings_.tf32, libraries_, stream_.get());
  launched();
}

size_t CudaBackend::scratch_for(const ConvForward& op) { return convolutions_.scratch_bytes(op); }
size_t CudaBackend::scratch_for(const ConvBackwardData& op) { return convolutions_.scratch_bytes(op); }
size_t CudaBackend::scratch_for(const ConvBackwardWeights& op) { return convolutions_.scratch_bytes(op); }
void CudaBackend::prepare_for(const ConvForward& op) { convolutions_.prepare(op); }
void CudaBackend::prepare_for(const ConvBackwardData& op) { convolutions_.prepare(op); }
void CudaBackend::prepare_for(const ConvBackwardWeights& op) { convolutions_.prepare(op); }

}  // namespace cuda

std::unique_ptr<Backend> make_cuda_backend(const CudaSettings& settings) {
  return std::make_unique<cuda::CudaBackend>(settings);
}

CudaStatus cuda_status(int gpu) noexcept {
  try {
    make_cuda_backend({.gpu = gpu});  // its kernels must start, too
    return {true, cuda::open_device(gpu).name};
  } catch (const Error& error) {
    std::string reason = error.sentence();
    constexpr std::string_view kFlag = "--device cuda: ";  // nobody has asked for it
    if (reason.starts_with(kFlag)) reason.erase(0, kFlag.size());
    return {false, reason};
  } catch (...) {
    return {false, "its driver does not answer"};
  }
}

std::string cuda_description(int gpu) {
  const cuda::DeviceInfo info = cuda::open_device(gpu);
  return text(info.name, ", compute capability ", info.major, '.', info.minor, ", driver for CUDA ",
              cuda::cuda_version(info.driver_version), ", CUDA ", cuda::cuda_version(info.runtime_version),
              ", cuDNN ", cuda::cudnn_version());
}

std::filesystem::path default_plan_file() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (cache && *cache) return std::filesystem::path(cache) / "laban" / "cudnn_plans.json";
  if (home && *home) return std::filesystem::path(home) / ".cache" / "laban" / "cudnn_plans.json";
  return {};
}

}  // namespace laban
