// A new op, from which check_new_op.sh leaves one thing out: it must not compile then, and the compiler must say
// what is missing. Declares what core/ops, cuda/kernels/kernels.h and a backend would.
#include "cuda/kernels/kernels.h"

namespace laban {

/// y = x * sigmoid(x)
struct Swish {
#ifndef WITHOUT_NAME
  static constexpr std::string_view kName = "swish";
#endif
  Tensor x, y;

#ifndef WITHOUT_TENSORS
  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("y", y, TensorUse::written);
  }
#endif
#ifndef WITHOUT_COST
  OpCost cost() const { return moving({x, y}, x.shape); }
#endif
};

namespace cuda {
#ifndef WITHOUT_KERNEL
void run(const Swish& op, Scratch scratch, Stream stream);
#endif
#ifndef WITHOUT_SCRATCH
size_t scratch_bytes(const Swish& op);
#endif
}  // namespace cuda

}  // namespace laban

#include "cuda/kernels/own_ops.h"

namespace laban {

/// A backend for a list of ops that is Swish's alone, on which RunsKernel can be a level.
using NewOps = OpList<Swish>;
class OnDevice : public Chain<RunsOp, BackendServices, NewOps> {
 public:
  std::string_view name() const override { return "test"; }
  Device device() const override { return Device::cuda; }
  bool supports(DType) const override { return true; }
  std::unique_ptr<Memory> allocate(size_t) override { return nullptr; }
  std::unique_ptr<Memory> allocate_staging(size_t) override { return nullptr; }
  void upload(const Tensor&, const void*) override {}
  void download(void*, const Tensor&) override {}

 protected:
  cuda::Stream stream() { return nullptr; }
  void launched() {}
};

#ifndef WITHOUT_RUN
using NewBackend = Chain<cuda::RunsKernel, OnDevice, NewOps>;
#else
using NewBackend = OnDevice;
#endif

std::unique_ptr<BackendServices> make() { return std::make_unique<NewBackend>(); }

}  // namespace laban
