// Pools, the shortcut and padding casts, emulated, where rows are wider than a block: strips of odd width, of
// which the last overhangs (921 channels) or is exact (2048 in f32).
#include "emulation/kernel_checks.h"

using namespace laban;
using namespace laban::test;

TEST_CASE("emulated pools and shortcut: rows wider than a block") {
  for (const int64_t channels : {921, 2048}) {
    const Shape x{2, channels, 2, 3, 4};
    const Window window{{2, 3, 3}, {1, 2, 2}, {1, 1, 1}};
    const Shape y = window.output(x, channels);
    check_emulated(text("max pool, ", channels), [&](OpRig& rig) {
      const Tensor in = rig.in("x", x, rig.compute(), integers(-2, 2));
      const Tensor taps = rig.out("taps", y, DType::u8);
      rig.run(MaxPoolForward{in, rig.out("y", y, rig.compute()), taps, window});
      const Tensor dy = rig.in("dy", y, rig.compute(), normal());
      rig.run(MaxPoolBackward{dy, taps, rig.out("dx", x, rig.compute()), window});
    });
    check_emulated(text("average, ", channels), [&](OpRig& rig) {
      const Shape mean = Shape::matrix(x.n, channels);
      const Tensor in = rig.in("x", x, rig.compute(), normal());
      rig.run(GlobalAvgPoolForward{in, rig.out("y", mean, rig.compute())});
      const Tensor dy = rig.in("dy", mean, rig.compute(), normal());
      rig.run(GlobalAvgPoolBackward{dy, rig.out("dx", x, rig.compute())});
    });
    check_emulated(text("cast, ", channels), [&](OpRig& rig) {
      const Tensor from = rig.in("from", x, rig.master(), normal());
      rig.run(Cast{from, rig.out("to", {2, channels + 3, 2, 3, 4}, rig.compute())});
    });
    for (const int64_t others : {channels + 40, channels - 40, int64_t{64}})
      check_emulated(text("subsample, ", channels, " to ", others), [&](OpRig& rig) {
        const Shape small{2, others, 2, 2, 2};
        const Tensor in = rig.in("x", x, rig.compute(), normal());
        rig.run(SubsampleForward{in, rig.out("y", small, rig.compute()), {1, 2, 2}});
        const Tensor dy = rig.in("dy", small, rig.compute(), normal());
        rig.run(SubsampleBackward{dy, rig.out("dx", x, rig.compute()), {1, 2, 2}});
      });
  }
}

TEST_CASE("emulated average pool: more places than a block is high, several times over") {
  const Shape x{2, 64, 9, 11, 13};
  check_emulated("average", [&](OpRig& rig) {
    const Tensor in = rig.in("x", x, rig.compute(), normal(1, 3));
    rig.run(GlobalAvgPoolForward{in, rig.out("y", Shape::matrix(2, 64), rig.compute())});
    const Tensor dy = rig.in("dy", Shape::matrix(2, 64), rig.compute(), normal());
    rig.run(GlobalAvgPoolBackward{dy, rig.out("dx", x, rig.compute())});
  });
}
