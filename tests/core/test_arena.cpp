// The arena: a dry run's plan, its replay in later passes, and that misuse is an error.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "core/step_context.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

Shape bytes(int64_t count) { return Shape::vector(count); }

/// Where a value lies, as a distance from another.
std::ptrdiff_t offset(const Value& value, const Value& from) {
  return static_cast<std::byte*>(value.tensor().data) - static_cast<std::byte*>(from.tensor().data);
}

/// Plans `pass` and commits; the arena is then ready to run it.
template <class Pass>
void plan(Arena& arena, Pass&& pass) {
  arena.begin_pass();
  pass();
  arena.commit();
}

}  // namespace

TEST_CASE("a place is reused once its last owner is gone; the peak is what lived at the same time") {
  ReferenceBackend backend;
  Arena arena(backend);
  arena.begin_pass();
  Value a = arena.take(bytes(100), DType::u8);  // takes 128: whole lines of 64
  Value b = arena.take(bytes(64), DType::u8);
  CHECK(offset(b, a) == 128);
  CHECK(arena.peak_bytes() == 192);

  Value copy = a;
  const Value origin = Value::external(a.tensor());  // remembers the address, owns nothing
  a.reset();
  Value c = arena.take(bytes(64), DType::u8);
  CHECK(offset(c, origin) == 192);  // `copy` still holds a's place
  copy.reset();
  Value d = arena.take(bytes(65), DType::u8);
  CHECK(offset(d, origin) == 0);
  CHECK(arena.peak_bytes() == 256);
}

TEST_CASE("first fit: the lowest gap that is large enough") {
  ReferenceBackend backend;
  Arena arena(backend);
  arena.begin_pass();
  std::array<Value, 5> v;
  for (size_t i = 0; i < 5; ++i) v[i] = arena.take(bytes(i == 3 ? 192 : 64), DType::u8);
  v[1].reset();  // a gap of 64 at 64
  v[3].reset();  // a gap of 192 at 192
  const Value large = arena.take(bytes(128), DType::u8), small = arena.take(bytes(1), DType::u8),
              rest = arena.take(bytes(64), DType::u8), beyond = arena.take(bytes(64), DType::u8);
  CHECK(offset(large, v[0]) == 192);
  CHECK(offset(small, v[0]) == 64);
  CHECK(offset(rest, v[0]) == 320);
  CHECK(offset(beyond, v[0]) == 448);
}

TEST_CASE("element size and shape count") {
  ReferenceBackend backend;
  Arena arena(backend);
  arena.begin_pass();
  const Value a = arena.take({2, 3, 4, 5, 6}, DType::f64), b = arena.take(bytes(1), DType::u8);
  CHECK(offset(b, a) == 2 * 3 * 4 * 5 * 6 * 8);  // 5760 = 90 lines
  CHECK(a.shape() == Shape{2, 3, 4, 5, 6});
  CHECK(a.tensor().dtype == DType::f64);
}

TEST_CASE("values: unique, reshaped, moved, external") {
  ReferenceBackend backend;
  Arena arena(backend);
  arena.begin_pass();
  Value a = arena.take(bytes(12), DType::f32);
  CHECK(a.unique());
  {
    const Value same = a.reshaped(Shape::matrix(3, 4));
    CHECK(same.tensor().data == a.tensor().data);
    CHECK(same.shape() == Shape::matrix(3, 4));
    CHECK(!a.unique());
    CHECK(!same.unique());
  }
  CHECK(a.unique());
  Value moved = std::move(a);
  CHECK(moved.unique());
  CHECK(a.empty());  // NOLINT: that is what is asked
  moved = moved;     // assigning to itself keeps the place
  CHECK(moved.unique());
  CHECK_THROWS_AS(moved.reshaped(bytes(13)), std::logic_error);

  float outside[3] = {};
  const Value external = Value::external(Tensor(outside, bytes(3)));
  CHECK(external);
  CHECK(!external.unique());  // someone else's: never to be overwritten
  CHECK(!Value());
  moved.reset();
  arena.begin_pass();  // nothing counts as alive
}

TEST_CASE("every running pass gets the planned places") {
  ReferenceBackend backend;
  Arena arena(backend);
  std::array<const void*, 4> seen{};
  const auto pass = [&] {
    Value a = arena.take(bytes(1000), DType::f32), b = arena.take(bytes(10), DType::f64);
    seen[0] = a.tensor().data, seen[1] = b.tensor().data;
    a.reset();
    const Value c = arena.take(bytes(500), DType::f32), d = arena.take(bytes(7), DType::u8);
    seen[2] = c.tensor().data, seen[3] = d.tensor().data;
    if (arena.planning()) return;
    // Real memory, no two living values in the same place.
    std::fill_n(b.tensor().as<double>(), 10, 1.5);
    std::fill_n(c.tensor().as<float>(), 500, 2.5f);
    std::fill_n(d.tensor().as<uint8_t>(), 7, uint8_t{3});
    CHECK(b.tensor().as<double>()[9] == 1.5);
    CHECK(c.tensor().as<float>()[499] == 2.5f);
  };
  plan(arena, pass);
  const auto planned = seen;
  arena.begin_pass();
  pass();
  const auto first = seen;
  for (size_t i = 0; i < 4; ++i) {
    CHECK(reinterpret_cast<uintptr_t>(first[i]) % 64 == 0);
    CHECK(static_cast<const std::byte*>(first[i]) - static_cast<const std::byte*>(first[0]) ==
          static_cast<const std::byte*>(planned[i]) - static_cast<const std::byte*>(planned[0]));
  }
  CHECK(first[2] == first[0]);
  arena.begin_pass();
  pass();
  CHECK(seen == first);
  // 1000 floats and 10 doubles; what came later fits where the floats were.
  CHECK(arena.peak_bytes() == 4032 + 128);
}

TEST_CASE("a pass that differs from the plan is refused") {
  ReferenceBackend backend;
  Arena arena(backend);
  plan(arena,
       [&] { const Value a = arena.take(bytes(64), DType::u8), b = arena.take(bytes(128), DType::u8); });
  arena.begin_pass();
  Value a = arena.take(bytes(64), DType::u8);
  CHECK_THROWS_AS(arena.take(bytes(64), DType::u8), std::logic_error);  // 128 was planned
  Value b = arena.take(bytes(32), DType::f32);                          // the same bytes in another type
  CHECK_THROWS_AS(arena.take(bytes(1), DType::u8), std::logic_error);   // one more than planned
  // What was refused owns nothing: the two that were granted are alive, and nothing else.
  a.reset();
  CHECK_THROWS_AS(arena.begin_pass(), std::logic_error);
  b.reset();
  arena.begin_pass();
}

TEST_CASE("misuse is refused: living values, two commits") {
  ReferenceBackend backend;
  Arena arena(backend);
  arena.begin_pass();
  Value a = arena.take(bytes(64), DType::u8);
  CHECK_THROWS_AS(arena.commit(), std::logic_error);
  CHECK_THROWS_AS(arena.begin_pass(), std::logic_error);
  a.reset();
  arena.commit();
  CHECK_THROWS_AS(arena.commit(), std::logic_error);
  arena.begin_pass();
  a = arena.take(bytes(64), DType::u8);
  CHECK_THROWS_AS(arena.begin_pass(), std::logic_error);
}

TEST_CASE("poison: released places turn into NaN, living ones stay") {
  ReferenceBackend backend;
  Arena arena(backend);
  plan(arena,
       [&] { const Value a = arena.take(bytes(16), DType::f32), b = arena.take(bytes(16), DType::f32); });
  arena.poison_released(true);
  arena.begin_pass();
  Value a = arena.take(bytes(16), DType::f32), b = arena.take(bytes(16), DType::f32), copy = a;
  float *in_a = a.tensor().as<float>(), *in_b = b.tensor().as<float>();
  std::fill_n(in_a, 16, 1.0f);
  std::fill_n(in_b, 16, 2.0f);
  a.reset();
  CHECK(in_a[0] == 1.0f);  // `copy` still owns it
  copy.reset();
  for (int i = 0; i < 16; ++i) {
    CHECK(std::isnan(in_a[i]));
    CHECK(in_b[i] == 2.0f);
  }
}

TEST_CASE("an abandoned pass: its values may outlive it, and matter to nobody") {
  for (const bool committed : {false, true}) {
    ReferenceBackend backend;
    Arena arena(backend);
    if (committed)
      plan(arena,
           [&] { const Value a = arena.take(bytes(64), DType::u8), b = arena.take(bytes(64), DType::u8); });
    arena.begin_pass();
    std::optional<Value> stale = arena.take(bytes(64), DType::u8);
    arena.abandon_pass();
    CHECK(!stale->unique());  // its place may be someone else's by now
    { const Value copy = *stale; }

    arena.begin_pass();
    Value a = arena.take(bytes(64), DType::u8);
    const Value again = *stale;
    stale.reset();
    CHECK(a.unique());
    CHECK_THROWS_AS(arena.begin_pass(), std::logic_error);  // a is alive: the stale value released nothing
    const Value b = arena.take(bytes(64), DType::u8);
    CHECK(offset(b, a) == 64);
    a.reset();
    CHECK_THROWS_AS(arena.begin_pass(), std::logic_error);  // b
  }
}

namespace {

/// Counts what StepContext asks of a backend.
class Spy : public ReferenceBackend {
 public:
  using ReferenceBackend::run;
  void run(const ConvBackwardData& op, Scratch scratch) override {
    ++runs;
    scratch_of_run = scratch;
    op_of_run = op;
  }
  int runs = 0, preparations = 0;
  Scratch scratch_of_run;
  ConvBackwardData op_of_run;

 protected:
  using ReferenceBackend::prepare_for;
  void prepare_for(const ConvBackwardData&) override { ++preparations; }
};

}  // namespace

TEST_CASE("StepContext: a dry run prepares and plans scratch, a running pass runs with it") {
  Spy backend;
  Arena arena(backend);
  StepContext ctx{backend, arena};
  const auto pass = [&] {
    const Value dx = ctx.take({1, 16, 1, 2, 2});
    CHECK(dx.tensor().dtype == DType::f32);
    ConvBackwardData op;
    op.dx = dx.tensor();
    ctx.run(op);
    // The scratch is free again once the op has run.
    const Value next = ctx.take(bytes(1), DType::u8);
    CHECK(offset(next, dx) == 256);
  };
  plan(arena, pass);
  CHECK(backend.preparations == 1);
  CHECK(backend.runs == 0);
  CHECK(arena.peak_bytes() == 256 + 128);  // dx, and 16 doubles of scratch
  arena.begin_pass();
  pass();
  CHECK(backend.preparations == 1);
  CHECK(backend.runs == 1);
  CHECK(backend.scratch_of_run.bytes == 128);
  CHECK(static_cast<std::byte*>(backend.scratch_of_run.data) -
            static_cast<std::byte*>(backend.op_of_run.dx.data) ==
        256);
}
