#include "core/step_context.h"

namespace laban {

void require_indexable(const Shape& activations, const Backend& backend) {
  const int64_t most = backend.most_elements(), count = activations.count();
  if (count <= most) return;
  const int64_t fits = most / (count / activations.n);
  throw Error(text("activations of ", activations, " are ", count, " numbers, and device ", backend.name(),
                   " takes at most ", most, " in one tensor"),
              fits > 0
                  ? text("Use --batch ", fits, " or less (--accumulation keeps the step's clips the same).")
                  : std::string("Use fewer --frames or a smaller --size."));
}

}  // namespace laban
