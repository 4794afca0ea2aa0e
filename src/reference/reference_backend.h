// ReferenceBackend: every op of core/ops as plain loops on host memory.
//
// It is the textbook (read the op here before reading a fast version of it) and the oracle (every other
// backend is tested against it, in f64). Values are stored as f64, f32 or bf16, converted to double on load,
// accumulated in double whatever the storage, and rounded once on store. One thread, no heap allocation in
// run(): per-channel accumulators live in the op's scratch. The formulas themselves are in src/math; here are
// only the loops around them.
//
// A backend for host memory may derive from this one and override the ops it does faster. It then needs
// `using ReferenceBackend::run;`, and where it overrides run(Op) it must override scratch_for(Op) too, unless
// neither it nor the reference needs scratch for that op.
#pragma once

#include "reference/ops.h"

namespace laban {

namespace reference {

/// Host memory.
class OnHost : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  Device device() const override { return Device::cpu; }
  bool supports(DType compute) const override {
    return compute == DType::f64 || compute == DType::f32 || compute == DType::bf16;
  }

  /// Uninitialized host memory, 64-byte aligned.
  std::unique_ptr<Memory> allocate(size_t bytes) override;
  std::unique_ptr<Memory> allocate_staging(size_t bytes) override { return OnHost::allocate(bytes); }
  void upload(const Tensor& to, const void* from) override;
  void download(void* to, const Tensor& from) override;
};

template <class Below, class Op>
class RunsLoops : public Below {
 public:
  using Below::run;
  void run(const Op& op, Scratch scratch) override { reference::run(op, scratch); }

 protected:
  using Below::scratch_for;
  size_t scratch_for(const Op& op) override { return reference::scratch_bytes(op); }
};

}  // namespace reference

class ReferenceBackend : public Chain<reference::RunsLoops, reference::OnHost, AllOps> {};

}  // namespace laban
