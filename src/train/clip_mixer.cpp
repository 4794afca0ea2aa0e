#include "train/clip_mixer.h"

#include <cmath>
#include <numeric>

#include "core/backend.h"
#include "core/rng.h"

namespace laban {
namespace {

/// The logarithm of a Gamma(shape, 1) variate: for small shapes the variate itself underflows.
double draw_log_gamma(Rng& rng, double shape) {
  if (shape < 1) {  // Gamma(shape) = Gamma(shape + 1) * U^(1/shape)
    const double larger = draw_log_gamma(rng, shape + 1);
    return larger + std::log(1 - rng.uniform()) / shape;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = rng.normal(), u = 1 - rng.uniform(), t = 1 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t;
    if (std::log(u) < x * x / 2 + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

template <class T>
Tensor upload(Backend& backend, std::byte*& at, DType dtype, Shape shape, const T* values) {
  const Tensor tensor(at, dtype, shape, backend.device());
  backend.upload(tensor, values);
  at += (tensor.bytes() + 63) / 64 * 64;
  return tensor;
}

}  // namespace

double draw_beta(Rng& rng, double a, double b) {
  const double x = draw_log_gamma(rng, a), y = draw_log_gamma(rng, b);
  return 1 / (1 + std::exp(y - x));
}

BatchMix draw_mix(const MixSettings& settings, int64_t clips, int64_t height, int64_t width, uint64_t seed,
                  int64_t epoch, int64_t batch) {
  Rng rng(seed, Purpose::mix, static_cast<uint64_t>(epoch), static_cast<uint64_t>(batch));
  const auto n = static_cast<size_t>(clips);
  BatchMix mix;
  mix.partners.resize(n);
  std::iota(mix.partners.begin(), mix.partners.end(), 0);
  rng.shuffle(mix.partners);
  mix.boxes.resize(n);
  const bool boxes = settings.mixup == 0 || (settings.cutmix > 0 && rng.coin(0.5));
  const double alpha = boxes ? settings.cutmix : settings.mixup;
  for (size_t i = 0; i < n; ++i) {
    const double fraction = draw_beta(rng, alpha, alpha);
    if (boxes) {
      const double u = rng.uniform(), v = rng.uniform();
      mix.boxes[i] = box_for(fraction, height, width, u, v);
      mix.blends.push_back(1);
      mix.fractions.push_back(fraction_outside(mix.boxes[i], height, width));
    } else {
      mix.blends.push_back(fraction);
      mix.fractions.push_back(fraction);
    }
  }
  return mix;
}

Tensor ClipMixer::mix(const Tensor& clips, std::span<const int32_t> labels, uint64_t seed, int64_t epoch,
                      int64_t batch) {
  const Shape& shape = clips.shape;
  drawn_ = draw_mix(settings_, shape.n, shape.h, shape.w, seed, epoch, batch);
  other_labels_.clear();
  for (const int32_t partner : drawn_.partners) other_labels_.push_back(labels[static_cast<size_t>(partner)]);

  if (!mixed_ || mixed_->bytes() < clips.bytes()) {
    mixed_.reset();
    mixed_ = backend_.allocate(clips.bytes());
    inputs_ = backend_.allocate(static_cast<size_t>(shape.n) * 64 + 3 * 64);
  }
  Tensor mixed = clips;
  mixed.data = mixed_->data();
  auto* at = static_cast<std::byte*>(inputs_->data());
  const Shape each = Shape::vector(shape.n);
  const Tensor partner = upload(backend_, at, DType::i32, each, drawn_.partners.data());
  const Tensor box = upload(backend_, at, DType::i32, Shape::matrix(shape.n, 4), drawn_.boxes.data());
  const std::vector<float> narrow(drawn_.blends.begin(), drawn_.blends.end());
  const Tensor fraction = clips.dtype == DType::f64
                              ? upload(backend_, at, DType::f64, each, drawn_.blends.data())
                              : upload(backend_, at, DType::f32, each, narrow.data());
  backend_.run(MixClips{clips, mixed, partner, fraction, box}, {});
  return mixed;
}

}  // namespace laban
