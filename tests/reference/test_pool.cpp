// Pools on paper and, where the rule is PyTorch's (ties, NaN), against its answers.
#include <doctest/doctest.h>

#include <cmath>

#include "reference/reference_backend.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

TEST_CASE("max pool: the first of equals wins, NaN wins over all, the last NaN over others") {
  // F.max_pool3d(x.view(1,1,1,4,4), (1,3,3), (1,2,2), (0,1,1), return_indices=True):
  //   all four are NaN; indices 5, 5, 5, 11 (element 15 of the 4 x 4 is 9, 10 and 11 are NaN)
  const Shape shape{1, 1, 1, 4, 4};
  HostTensor x(shape, {1, 3, 3, 2, -1, NAN, 0, 5, 4, 4, NAN, NAN, -2, -7, -2, 9});
  const Window window{{1, 3, 3}, {1, 2, 2}, {0, 1, 1}};
  HostTensor y(window.output(shape, 1)), taps(window.output(shape, 1), DType::u8, 255);
  ReferenceBackend backend;
  run_op(backend, MaxPoolForward{x, y, taps, window});
  CHECK(y.distance({NAN, NAN, NAN, NAN}) == 0);
  // Windows begin at (-1,-1), (-1,1), (1,-1), (1,1). Element 5 is (1,1), element 11 is (2,3).
  CHECK(taps.values() == std::vector<double>{8, 6, 2, 5});
}

TEST_CASE("max pool: ties go forward and back through the first of equals") {
  // F.max_pool3d(x.view(1,1,1,3,3), (1,2,2), (1,1,1)): y = 7 7 7 7, indices 1, 1, 7, 5;
  // y.backward(1, 10, 100, 1000): dx = 0 11 0 0 0 1000 0 100 0
  const Shape shape{1, 1, 1, 3, 3};
  HostTensor x(shape, {2, 7, 7, 1, 5, 7, 0, 7, 3});
  const Window window{{1, 2, 2}, {1, 1, 1}, {0, 0, 0}};
  HostTensor y(window.output(shape, 1)), taps(window.output(shape, 1), DType::u8, 255);
  ReferenceBackend backend;
  run_op(backend, MaxPoolForward{x, y, taps, window});
  CHECK(y.values() == std::vector<double>{7, 7, 7, 7});
  CHECK(taps.values() == std::vector<double>{1, 0, 3, 1});
  HostTensor dy(y.shape(), {1, 10, 100, 1000}), dx(shape, DType::f64, NAN);
  run_op(backend, MaxPoolBackward{dy, taps, dx, window});
  CHECK(dx.values() == std::vector<double>{0, 11, 0, 0, 0, 1000, 0, 100, 0});
}

TEST_CASE("max pool: channels are apart, padding is minus infinity, taps count through t, h and w") {
  // Channel 0 rises, channel 1 falls; all values negative, so that padding with zeros would win.
  const Shape shape{1, 2, 2, 2, 2};
  HostTensor x(shape);
  for (int64_t i = 0; i < 8; ++i)
    x.set(2 * i, -10.0 + static_cast<double>(i)), x.set(2 * i + 1, -20.0 - static_cast<double>(i));
  const Window window{{2, 2, 2}, {2, 2, 2}, {1, 1, 1}};  // eight windows, one inside element each
  HostTensor y(window.output(shape, 2)), taps(y.shape(), DType::u8, 255);
  ReferenceBackend backend;
  run_op(backend, MaxPoolForward{x, y, taps, window});
  CHECK(y.values() == x.values());
  for (int64_t i = 0; i < 8; ++i)
    CHECK(taps[2 * i] == 7 - static_cast<double>(i));  // the corner opposite to the padding

  const Window all{{2, 2, 2}, {1, 1, 1}, {0, 0, 0}};
  HostTensor top(all.output(shape, 2)), top_taps(top.shape(), DType::u8, 255);
  run_op(backend, MaxPoolForward{x, top, top_taps, all});
  CHECK(top.values() == std::vector<double>{-3, -20});
  CHECK(top_taps.values() == std::vector<double>{7, 0});
}

TEST_CASE("max pool: a window of minus infinities still names a real element") {
  const Shape shape{1, 1, 1, 1, 2};
  HostTensor x(shape, {-INFINITY, -INFINITY}), y({1, 1, 1, 1, 1}), taps({1, 1, 1, 1, 1}, DType::u8, 255);
  const Window window{{1, 1, 3}, {1, 1, 3}, {0, 0, 1}};
  ReferenceBackend backend;
  run_op(backend, MaxPoolForward{x, y, taps, window});
  CHECK(y[0] == -INFINITY);
  CHECK(taps[0] == 1);  // tap 0 lies in the padding
}

TEST_CASE("global average pool: the mean over t, h, w of every clip and channel, and its transpose") {
  const Shape shape{2, 2, 1, 2, 2};
  HostTensor x(shape, {1, 10, 2, 20, 3, 30, 6, 60, 0, -4, 0, 0, 0, 0, 8, 0}),
      y(Shape::matrix(2, 2), DType::f64, NAN);
  ReferenceBackend backend;
  run_op(backend, GlobalAvgPoolForward{x, y});
  CHECK(y.values() == std::vector<double>{3, 30, 2, -1});
  HostTensor dy(Shape::matrix(2, 2), {4, 8, -4, 2}), dx(shape, DType::f64, NAN);
  run_op(backend, GlobalAvgPoolBackward{dy, dx});
  CHECK(dx.values() == std::vector<double>{1, 2, 1, 2, 1, 2, 1, 2, -1, .5, -1, .5, -1, .5, -1, .5});
}
