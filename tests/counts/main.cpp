// Runs a few ops of the CPU backend, one call of counted() each: compare.sh has callgrind count the instructions of each call.
// Prints the name of each.
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "cpu/cpu_backend.h"

namespace {

using namespace laban;

/// Found by its name: callgrind counts from its start to its end.
extern "C" [[gnu::noinline]] void laban_counted_op(const std::function<void()>& op) { op(); }

class Counts {
 public:
  template <class Op>
  void count(const std::string& name, const Op& op) {
    const size_t bytes = backend_.scratch_bytes(op);
    const auto scratch = backend_.allocate(bytes + 64);
    backend_.prepare(op);
    backend_.run(op, Scratch{scratch->data(), bytes});  // once before: tables and packed weights are made
    laban_counted_op([&] { backend_.run(op, Scratch{scratch->data(), bytes}); });
    std::puts(name.c_str());
  }

  /// A tensor of normal draws.
  Tensor drawn(const Shape& shape, DType dtype = DType::f32) {
    memory_.push_back(backend_.allocate(static_cast<size_t>(shape.count()) * size_of(dtype)));
    const Tensor tensor(memory_.back()->data(), dtype, shape);
    for (int64_t i = 0; i < shape.count(); ++i) {
      if (dtype == DType::f32) tensor.as<float>()[i] = static_cast<float>(rng_.normal());
      if (dtype == DType::bf16) tensor.as<BFloat16>()[i] = BFloat16(static_cast<float>(rng_.normal()));
      if (dtype == DType::u8) tensor.as<uint8_t>()[i] = 0;
      if (dtype == DType::f64) tensor.as<double>()[i] = 1;
      if (dtype == DType::i32) tensor.as<int32_t>()[i] = 0;
    }
    return tensor;
  }

 private:
  CpuBackend backend_{CpuSettings{.threads = 1, .isa = cpu::Isa::avx2}};
  Rng rng_{1, Purpose::test};
  std::vector<std::unique_ptr<Memory>> memory_;
};

}  // namespace

int main() {
  Counts counts;
  const Shape shape{2, 64, 4, 14, 14}, channels = Shape::vector(64);
  const Tensor x = counts.drawn(shape), y = counts.drawn(shape), dy = counts.drawn(shape),
               dx = counts.drawn(shape);
  const Tensor gamma = counts.drawn(channels), beta = counts.drawn(channels), mean = counts.drawn(channels),
               inv_std = counts.drawn(channels), dgamma = counts.drawn(channels),
               dbeta = counts.drawn(channels);
  counts.count("batch_norm.train", BatchNormTrain{.x = x,
                                                  .residual = {},
                                                  .y = y,
                                                  .gamma = gamma,
                                                  .beta = beta,
                                                  .mean = mean,
                                                  .inv_std = inv_std,
                                                  .running_mean = {},
                                                  .running_var = {},
                                                  .relu = true});
  counts.count("relu.forward", ReluForward{x, y});
  counts.count("relu.backward", ReluBackward{y, dy, dx});

  const Window pool{{3, 3, 3}, {2, 2, 2}, {1, 1, 1}};
  const Shape pooled{2, 64, 2, 7, 7};
  counts.count("max_pool.forward", MaxPoolForward{counts.drawn(shape), counts.drawn(pooled),
                                                  counts.drawn(pooled, DType::u8), pool});

  const Tensor w = counts.drawn({64, 64, 3, 3, 3}), dw = counts.drawn({64, 64, 3, 3, 3});
  const Window same{{3, 3, 3}, {1, 1, 1}, {1, 1, 1}};
  counts.count("conv.backward_weights",
               ConvBackwardWeights{.x = x, .dy = dy, .dw = dw, .dbias = {}, .window = same});

  const Tensor small = counts.drawn(shape, DType::bf16), wide = counts.drawn(shape);
  counts.count("cast.bf16_to_f32", Cast{small, wide});
  return 0;
}
