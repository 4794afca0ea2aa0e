// The last step of a convolution: where its sums go, and what is done to them on the way, while they are in
// registers.
#pragma once

#include "cpu/conv_kernel.h"
#include "cpu/kernels/vectors.h"

namespace laban::cpu::LABAN_ISA {

/// Writes vectors of sums to their places in `out`.
template <class T>
class ConvOutput {
 public:
  explicit ConvOutput(const ConvTransform::Run& run) : run_(run) {
    if (run.norm) norm_ = *run.norm;
  }

  /// The sums of channels [channel, channel + count) of the place whose channels begin at element `place`;
  /// `count` is at most kLanes. With a norm, the result is bit for bit what BatchNormInfer makes of it in f32.
  [[gnu::always_inline]] void write(Vector sum, int64_t place, int64_t channel, int64_t count) const {
    if (count == kLanes)
      write(
          sum, place, channel, [](const auto* from) { return load(from); },
          [](T* to, Vector y) { store(to, y); });
    else
      write(
          sum, place, channel, [=](const auto* from) { return load_some(from, count); },
          [=](T* to, Vector y) { store_some(to, y, count); });
  }

 private:
  template <class Load, class Store>
  [[gnu::always_inline]] void write(Vector y, int64_t place, int64_t channel, Load&& load,
                                    Store&& store) const {
    T* to = static_cast<T*>(run_.out) + place + channel;
    if (run_.bias) y += load(run_.bias + channel);
    if (run_.accumulate) y += load(to);
    if (run_.norm) {
      y = (y - load(norm_.mean + channel)) * load(norm_.scale + channel) + load(norm_.beta + channel);
      if (norm_.residual) y += load(static_cast<const T*>(norm_.residual) + place + channel);
      if (norm_.relu) y = y < 0.0f ? Vector{} : y;
    }
    store(to, y);
  }

  ConvTransform::Run run_;
  ConvTransform::Norm norm_{};
};

}  // namespace laban::cpu::LABAN_ISA
