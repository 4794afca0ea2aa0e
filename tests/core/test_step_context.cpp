// What a layer asks its surroundings for.
#include "core/step_context.h"

#include <doctest/doctest.h>

#include "core/backend_decorator.h"
#include "reference/reference_backend.h"

using namespace laban;
using doctest::Contains;

namespace {

/// A backend that can index 1000 elements.
class Narrow : public BackendDecorator {
 public:
  using BackendDecorator::BackendDecorator;
  int64_t most_elements() const override { return 1000; }
};

}  // namespace

TEST_CASE("activations that a backend cannot index are refused with the batch that fits") {
  ReferenceBackend reference;
  Narrow backend(reference);
  Arena arena(backend);
  StepContext ctx{.backend = backend, .arena = arena};
  arena.begin_pass();
  CHECK_NOTHROW(ctx.take({10, 4, 1, 5, 5}));  // 1000 of them
  CHECK_THROWS_WITH_AS(ctx.take({11, 4, 1, 5, 5}),
                       Contains("are 1100 numbers, and device reference takes at most 1000"), Error);
  CHECK_THROWS_WITH_AS(ctx.take({11, 4, 1, 5, 5}), Contains("Use --batch 10 or less"), Error);
  CHECK_THROWS_WITH_AS(ctx.take({2, 3, 3, 12, 12}), Contains("Use fewer --frames or a smaller --size."),
                       Error);
  arena.abandon_pass();
}
