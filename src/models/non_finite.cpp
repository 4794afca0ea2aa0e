// Looks for the first NaN or infinity of a pass, layer by layer, in a run that has already failed.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "layers/sequential.h"
#include "models/network_plan.h"

namespace laban {

std::string Network::find_non_finite(const Tensor& clips, uint64_t seed, uint64_t step) {
  const auto complaint = [](std::string_view what, const std::string& name,
                            const std::vector<double>& values) {
    const auto bad = std::count_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
    return bad ? text(what, name, " (", bad, " of ", values.size(), " values)") : std::string();
  };
  const auto fetch = [&](const Tensor& tensor) {
    // Through f64, whatever the type, by the backend's own cast.
    const std::unique_ptr<Memory> memory = backend_.allocate(static_cast<size_t>(tensor.count()) * 8);
    const Tensor wide(memory->data(), DType::f64, tensor.shape, backend_.device());
    if (tensor.dtype != DType::f64) backend_.run(Cast{tensor, wide}, {});
    std::vector<double> values(static_cast<size_t>(tensor.count()));
    backend_.download(values.data(), tensor.dtype == DType::f64 ? tensor : wide);
    return values;
  };

  if (std::string found = complaint("the clips", "", fetch(clips)); !found.empty()) return found;
  for (const Parameter* p : store_->list().parameters)
    if (std::string found = complaint("the weights ", p->name, store_->read(store_->weights(), *p));
        !found.empty())
      return found;

  const Pass pass{.clips = clips, .seed = seed, .step = step};
  Arena arena(backend_);
  const std::unique_ptr<Memory> number = backend_.allocate(sizeof(int64_t));
  const Tensor at(number->data(), DType::i64, Shape::vector(1), backend_.device());
  const auto value = static_cast<int64_t>(step);
  backend_.upload(at, &value);
  std::string found;
  for (const bool dry : {true, false}) {
    arena.begin_pass();
    try {
      StepContext ctx = context(arena, pass, at);
      Value h = Value::external(clips);
      for (size_t i = first_; i < body_->layers().size(); ++i) {
        Layer& layer = *body_->layers()[i];
        h = layer.forward(ctx, h);
        if (!dry) found = complaint("the output of ", layer.name(), fetch(h.tensor()));
        if (!found.empty()) break;
      }
    } catch (...) {
      abandon(arena);
      throw;
    }
    body_->clear_saved();
    if (dry) arena.commit();
  }
  return found;
}

}  // namespace laban
