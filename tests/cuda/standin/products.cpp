#include "standin/products.h"

#include <algorithm>

namespace laban::standin {

void add_product(const Matrix& a, const Matrix& b, double* sums) {
  constexpr int64_t kColumns = 32;  // whose sums stay in registers
  const int64_t depth = a.columns;
  std::vector<double> panel(static_cast<size_t>(depth * kColumns));  // so many of b's, zeros behind the last
  for (int64_t begin = 0; begin < b.columns; begin += kColumns) {
    const int64_t columns = std::min(kColumns, b.columns - begin);
    for (int64_t l = 0; l < depth; ++l)
      for (int64_t j = 0; j < kColumns; ++j)
        panel[static_cast<size_t>(l * kColumns + j)] =
            j < columns ? static_cast<double>(b.at(l, begin + j)) : 0;
    for (int64_t i = 0; i < a.rows; ++i) {
      double row[kColumns] = {};
      for (int64_t l = 0; l < depth; ++l) {
        const double factor = static_cast<double>(a.at(i, l));
        const double* const factors = panel.data() + l * kColumns;
        for (int64_t j = 0; j < kColumns; ++j) row[j] += factor * factors[j];
      }
      for (int64_t j = 0; j < columns; ++j) sums[i * b.columns + begin + j] += row[j];
    }
  }
}

namespace {

/// The outputs of one frame, each with all that its window sees.
class Frame {
 public:
  Frame(const Shape& xs, const Shape& ys, const Window& window)
      : xs_(xs), ys_(ys), window_(window), places_(ys.h * ys.w), seen_(window.volume() * xs.c) {}

  int64_t places() const { return places_; }
  int64_t seen() const { return seen_; }  // values of x by one output

  /// Calls body(index in x, index among places() * seen()) for each pixel of x, xs.c values, that outputs of
  /// frame (n, t) see: places in rows, taps along them.
  template <class Body>
  void for_each_pixel(int64_t n, int64_t t, Body&& body) const {
    for (int64_t h = 0; h < ys_.h; ++h)
      for (int64_t w = 0; w < ys_.w; ++w) {
        int64_t at = (h * ys_.w + w) * seen_;
        for (int64_t kt = 0; kt < window_.kernel[0]; ++kt)
          for (int64_t kh = 0; kh < window_.kernel[1]; ++kh)
            for (int64_t kw = 0; kw < window_.kernel[2]; ++kw, at += xs_.c) {
              const int64_t xt = t * window_.stride[0] - window_.padding[0] + kt,
                            xh = h * window_.stride[1] - window_.padding[1] + kh,
                            xw = w * window_.stride[2] - window_.padding[2] + kw;
              if (xt >= 0 && xt < xs_.t && xh >= 0 && xh < xs_.h && xw >= 0 && xw < xs_.w)
                body(xs_.index(n, xt, xh, xw, 0), at);
            }
      }
  }
  /// Those pixels, as a matrix of places() by seen(); zeros where a window reaches beyond x.
  Matrix gather(const std::vector<float>& x, int64_t n, int64_t t) {
    values_.assign(static_cast<size_t>(places_ * seen_), 0);
    for_each_pixel(
        n, t, [&](int64_t in_x, int64_t at) { std::copy_n(x.begin() + in_x, xs_.c, values_.begin() + at); });
    return {values_.data(), places_, seen_, seen_, 1};
  }

 private:
  Shape xs_, ys_;
  Window window_;
  int64_t places_, seen_;
  std::vector<float> values_;
};

std::vector<float> rounded(const std::vector<double>& sums) {
  std::vector<float> values(sums.size());
  std::transform(sums.begin(), sums.end(), values.begin(),
                 [](double sum) { return static_cast<float>(sum); });
  return values;
}

template <class Body>
void for_each_frame(const Shape& ys, Body&& body) {
  for (int64_t n = 0; n < ys.n; ++n)
    for (int64_t t = 0; t < ys.t; ++t) body(n, t);
}

}  // namespace

std::vector<float> convolve(const std::vector<float>& x, const Shape& xs, const std::vector<float>& w,
                            const Shape& ys, const Window& window) {
  Frame frame(xs, ys, window);
  const Matrix filters{w.data(), ys.c, frame.seen(), frame.seen(), 1};
  std::vector<double> y(static_cast<size_t>(ys.count()));
  for_each_frame(ys, [&](int64_t n, int64_t t) {
    add_product(frame.gather(x, n, t), filters.transposed(), y.data() + ys.index(n, t, 0, 0, 0));
  });
  return rounded(y);
}

std::vector<float> convolve_data(const std::vector<float>& dy, const Shape& ys, const std::vector<float>& w,
                                 const Shape& xs, const Window& window) {
  const Frame frame(xs, ys, window);
  const Matrix filters{w.data(), ys.c, frame.seen(), frame.seen(), 1};
  std::vector<double> dx(static_cast<size_t>(xs.count()));
  std::vector<double> seen(
      static_cast<size_t>(frame.places() * frame.seen()));  // what each output adds to it
  for_each_frame(ys, [&](int64_t n, int64_t t) {
    std::fill(seen.begin(), seen.end(), 0);
    const Matrix gradients{dy.data() + ys.index(n, t, 0, 0, 0), frame.places(), ys.c, ys.c, 1};
    add_product(gradients, filters, seen.data());
    frame.for_each_pixel(n, t, [&](int64_t in_x, int64_t at) {
      for (int64_t c = 0; c < xs.c; ++c)
        dx[static_cast<size_t>(in_x + c)] += seen[static_cast<size_t>(at + c)];
    });
  });
  return rounded(dx);
}

std::vector<float> convolve_weights(const std::vector<float>& x, const Shape& xs,
                                    const std::vector<float>& dy, const Shape& ys, const Window& window) {
  Frame frame(xs, ys, window);
  std::vector<double> dw(static_cast<size_t>(ys.c * frame.seen()));
  for_each_frame(ys, [&](int64_t n, int64_t t) {
    const Matrix gradients{dy.data() + ys.index(n, t, 0, 0, 0), frame.places(), ys.c, ys.c, 1};
    add_product(gradients.transposed(), frame.gather(x, n, t), dw.data());
  });
  return rounded(dw);
}

}  // namespace laban::standin
