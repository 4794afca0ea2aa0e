// Mixup and cutmix: every clip of a batch is mixed with another one from the batch (math/mix.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/memory.h"
#include "core/rng.h"
#include "math/mix.h"
#include "models/network.h"
#include "train/mix_settings.h"

namespace laban {

/// How the clips of one batch are mixed.
struct BatchMix {
  std::vector<int32_t> partners;
  std::vector<double> blends;  // the fraction of the clip's own pixels, if there is no box
  std::vector<MixBox> boxes;
  std::vector<double> fractions;  // of the clip's own class
};

/// A pure function of the seed, the epoch and the batch's number in it. Partners are a permutation, so every
/// clip appears as often as before.
BatchMix draw_mix(const MixSettings& settings, int64_t clips, int64_t height, int64_t width, uint64_t seed,
                  int64_t epoch, int64_t batch);

/// Beta(a, b) for a, b > 0, from two Gamma variates (Marsaglia & Tsang, ACM Trans. Math. Softw. 2000).
double draw_beta(Rng& rng, double a, double b);

/// Mixes batches in the backend's memory.
class ClipMixer {
 public:
  ClipMixer(Backend& backend, const MixSettings& settings) : backend_(backend), settings_(settings) {}

  bool mixes() const { return settings_.any(); }
  /// `clips` as returned by ClipBuffer. The result and labels() are valid until the next call, which may be
  /// made once the ops that read the result have been enqueued.
  Tensor mix(const Tensor& clips, std::span<const int32_t> labels, uint64_t seed, int64_t epoch,
             int64_t batch);
  /// The second labels and fractions of the batch just mixed; empty if mixing is off.
  LabelMix labels() const { return {other_labels_, drawn_.fractions}; }

 private:
  Backend& backend_;
  MixSettings settings_;
  BatchMix drawn_;
  std::vector<int32_t> other_labels_;
  std::unique_ptr<Memory> mixed_, inputs_;
};

}  // namespace laban
