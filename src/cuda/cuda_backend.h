// CudaBackend: the ops on an NVIDIA GPU. Convolutions are cuDNN's, matrix products cuBLAS's, everything else
// runs in laban's own kernels. docs/cuda.md tells how a step runs.
#pragma once

#include <memory>

#include "cuda/conv/convolution.h"
#include "cuda/kernels/own_ops.h"
#include "cuda/libraries.h"
#include "cuda/linear.h"
#include "cuda/make_backend.h"
#include "cuda/op_clock.h"
#include "cuda/runtime.h"

namespace laban::cuda {

/// A GPU and a stream on it.
class OnDevice : public Backend {
 public:
  explicit OnDevice(const CudaSettings& settings) : settings_(settings), info_(open_device(settings.gpu)) {}

 protected:
  Stream stream() { return stream_.get(); }
  /// After every op.
  void launched() {
    if (settings_.managed) stream_.synchronize();
  }

  CudaSettings settings_;
  DeviceInfo info_;  // before the stream: nothing of CUDA works until a GPU has been opened
  StreamOwner stream_;
};

class CudaBackend : public Chain<RunsKernel, OnDevice, OwnOps> {
 public:
  explicit CudaBackend(const CudaSettings& settings);

  std::string_view name() const override { return "cuda"; }
  Device device() const override { return settings_.managed ? Device::cpu : Device::cuda; }
  bool supports(DType compute) const override { return compute == DType::f32 || compute == DType::bf16; }
  /// 16 bytes: what tensor cores and 16-byte accesses want.
  int64_t channel_multiple(DType compute) const override {
    return settings_.managed ? 1 : compute == DType::bf16 ? 8 : 4;
  }

  /// What cuDNN's indices and many of the kernels' hold.
  int64_t most_elements() const override { return INT32_MAX; }

  std::unique_ptr<Memory> allocate(size_t bytes) override {
    return settings_.managed ? allocate_managed(bytes) : allocate_device(bytes);
  }
  std::unique_ptr<Memory> allocate_staging(size_t bytes) override;
  std::optional<size_t> free_bytes() override { return free_device_bytes(); }
  void upload(const Tensor& to, const void* from) override;
  void download(void* to, const Tensor& from) override;
  void begin_upload(const Tensor& to, const void* from) override;
  void await_uploads() override;
  void synchronize() override { stream_.synchronize(); }
  std::unique_ptr<Recording> record(const std::function<void()>& body) override;
  bool rounds_before_adding(const ConvBackwardWeights& op) override {
    return convolutions_.rounds_before_adding(op);
  }
  bool rounds_before_adding(const ConvBackwardData& op) override {
    return convolutions_.rounds_before_adding(op);
  }
  std::unique_ptr<OpClock> clock() override { return make_op_clock(stream_.get()); }

  using Backend::run;
  void run(const ConvForward& op, Scratch scratch) override;
  void run(const ConvBackwardData& op, Scratch scratch) override;
  void run(const ConvBackwardWeights& op, Scratch scratch) override;
  /// A convolution, then batch norm in place.
  void run(const ConvBatchNorm& op, Scratch scratch) override;
  void run(const LinearForward& op, Scratch scratch) override;
  void run(const LinearBackwardData& op, Scratch scratch) override;
  void run(const LinearBackwardWeights& op, Scratch scratch) override;

  std::string note() const override;

  const DeviceInfo& info() const { return info_; }

 protected:
  using Backend::prepare_for;
  using Backend::scratch_for;
  size_t scratch_for(const ConvForward& op) override;
  size_t scratch_for(const ConvBackwardData& op) override;
  size_t scratch_for(const ConvBackwardWeights& op) override;
  size_t scratch_for(const ConvBatchNorm& op) override { return scratch_for(op.convolution()); }
  size_t scratch_for(const LinearForward& op) override { return cuda::scratch_bytes(op); }
  size_t scratch_for(const LinearBackwardData& op) override { return cuda::scratch_bytes(op); }
  size_t scratch_for(const LinearBackwardWeights& op) override { return cuda::scratch_bytes(op); }
  void prepare_for(const ConvForward& op) override;
  void prepare_for(const ConvBackwardData& op) override;
  void prepare_for(const ConvBackwardWeights& op) override;
  void prepare_for(const ConvBatchNorm& op) override { prepare_for(op.convolution()); }

 private:
  SmallUploads small_uploads_;
  StreamOwner copies_;  // uploads beside the ops
  Event uploaded_;      // the last of them
  Libraries libraries_;
  std::string unrecorded_;  // why steps are not recorded, though they were to be
  Convolutions convolutions_;
};

}  // namespace laban::cuda
