// Mixup and cutmix, as settings.
#pragma once

namespace laban {

struct MixSettings {
  /// The alphas of the Beta(alpha, alpha) distributions from which fractions are drawn; 0: off. With both,
  /// each batch uses one of them at random.
  double mixup = 0, cutmix = 0;
  bool any() const { return mixup > 0 || cutmix > 0; }
  bool operator==(const MixSettings&) const = default;
};

}  // namespace laban
