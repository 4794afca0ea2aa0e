// What computes a convolution: one algorithm, prepared for one geometry.
//
// The algorithms are in cpu/kernels (conv_*.cpp), compiled once per instruction set; Convolutions chooses among
// them by cost().
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "core/conv_geometry.h"
#include "core/memory.h"
#include "core/tensor.h"

namespace laban::cpu {

class ThreadPool;

enum class ConvDirection { forward, data, weights };

/// A convolution that maps activations to activations: x to y, or dy to dx.
class ConvTransform {
 public:
  virtual ~ConvTransform() = default;

  /// Seconds on one core, roughly: good for comparing algorithms, not for predictions.
  virtual double cost() const = 0;
  virtual const char* algorithm() const = 0;

  /// Bytes of the weights as this algorithm wants them, and the way there from O,kT,kH,kW,I (f32 or bf16).
  virtual size_t packed_bytes() const = 0;
  virtual void pack(const void* weights, DType dtype, void* packed, ThreadPool& pool) const = 0;
  /// What decides how packed weights lie: kernels of one backend that agree in it share a copy.
  using PackingKey = std::array<int64_t, 13>;
  virtual PackingKey packing_key() const = 0;

  virtual size_t scratch_bytes(int workers) const = 0;
  /// Batch norm with given statistics, of a vector each: relu?((sum - mean) * scale + beta + residual?).
  struct Norm {
    const float *mean, *scale, *beta;
    const void* residual;  // like out; may be null
    bool relu;
  };
  struct Run {
    const void* in;      // x, or dy
    const void* packed;  // weights
    const float* bias;   // may be null
    void* out;           // y, or dx: of the same type as `in`
    bool accumulate;     // out += the result, instead of out = it
    const Norm* norm;    // what is done to the result before it is written; may be null, excludes accumulate
  };
  virtual void run(const Run& run, Scratch scratch, ThreadPool& pool) const = 0;
};

/// The gradient of a convolution's weights.
class ConvGradient {
 public:
  virtual ~ConvGradient() = default;
  virtual double cost() const = 0;
  virtual const char* algorithm() const = 0;
  virtual size_t scratch_bytes(int workers) const = 0;
  /// dw (f32, O,kT,kH,kW,I) += the gradient, from x and dy (both f32 or both bf16).
  virtual void run(const void* x, const void* dy, float* dw, Scratch scratch, ThreadPool& pool) const = 0;
};

using ConvTransforms = std::vector<std::unique_ptr<ConvTransform>>;
using ConvGradients = std::vector<std::unique_ptr<ConvGradient>>;

}  // namespace laban::cpu
