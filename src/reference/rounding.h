// How far rounding may move the result of an op: the bound that a backend is held to when it is compared with
// the reference.
//
// A sum of n rounded products differs from the exact one by about sqrt(n) * u times its magnitude, the sum
// of the products' absolute values, where u is the unit roundoff of the type that it is accumulated in
// (Higham and Mary, "A New Approach to Probabilistic Rounding Error Analysis", 2019; n * u if every rounding
// went the same way). The magnitude, not the sum: where signs cancel, as in gradients of weights behind a
// batch norm, the sum is small and its rounding is not.
#pragma once

#include <cmath>

#include "core/backend.h"
#include "reference/reference_backend.h"

namespace laban::opcheck {

/// Of how many terms an element of the result is the sum; 1: of none.
template <class Op>
int64_t terms(const Op&) {
  return 1;
}
inline int64_t terms(const ConvForward& op) { return op.window.volume() * op.x.shape.c; }
inline int64_t terms(const ConvBatchNorm& op) { return terms(op.convolution()); }
inline int64_t terms(const ConvBackwardData& op) { return op.window.volume() * op.dy.shape.c; }
inline int64_t terms(const ConvBackwardWeights& op) { return op.dy.shape.pixels(); }
inline int64_t terms(const LinearForward& op) { return op.x.shape.c; }
inline int64_t terms(const LinearBackwardData& op) { return op.dy.shape.c; }
inline int64_t terms(const LinearBackwardWeights& op) { return op.dy.shape.pixels(); }
inline int64_t terms(const BatchNormTrain& op) { return op.x.shape.pixels(); }
inline int64_t terms(const BatchNormBackward& op) { return op.x.shape.pixels(); }
inline int64_t terms(const GlobalAvgPoolForward& op) { return op.x.shape.pixels() / op.x.shape.n; }
inline int64_t terms(const MaxPoolBackward& op) { return op.window.volume(); }
inline int64_t terms(const SoftmaxCrossEntropy& op) { return op.logits.shape.c; }
inline int64_t terms(const Softmax& op) { return op.logits.shape.c; }

/// Ops whose results are sums of products of their inputs, or of one input and constants that are not
/// negative: the same op on absolute values yields the magnitudes.
template <class Op>
constexpr bool sums_products = false;
template <>
inline constexpr bool sums_products<ConvForward> = true;
template <>
inline constexpr bool sums_products<ConvBackwardData> = true;
template <>
inline constexpr bool sums_products<ConvBackwardWeights> = true;
template <>
inline constexpr bool sums_products<LinearForward> = true;
template <>
inline constexpr bool sums_products<LinearBackwardData> = true;
template <>
inline constexpr bool sums_products<LinearBackwardWeights> = true;
template <>
inline constexpr bool sums_products<GlobalAvgPoolForward> = true;
template <>
inline constexpr bool sums_products<MaxPoolBackward> = true;

/// The others that multiply inputs by each other: their factors may be rounded, too. Of the products' squares no
/// more is known than that the root of their sum is at most the magnitude.
template <class Op>
constexpr bool multiplies = sums_products<Op>;
template <>
inline constexpr bool multiplies<ConvBatchNorm> = true;

/// Of the other ops. The tensors are f64 on the host; the results, computed already, become magnitudes. By
/// default they are their own.
template <class Op>
void to_magnitudes(const Op&) {}
void to_magnitudes(const BatchNormTrain& op);
void to_magnitudes(const BatchNormInfer& op);
void to_magnitudes(const BatchNormBackward& op);
void to_magnitudes(const ConvBatchNorm& op);
void to_magnitudes(const SoftmaxCrossEntropy& op);
void to_magnitudes(const Softmax& op);

/// What the arithmetic under test rounds to.
struct Arithmetic {
  double sums = 0x1p-24;  // what it accumulates in
  double products = 0;    // what it rounds factors to before it multiplies; 0: not at all
  double results = 0;     // what it stores
  double addends = 0;     // what it rounds a result to before it adds it to what was there; 0: not at all
};

/// Beside the sum itself there are a few roundings: of a transform (Winograd's), of exp, of a division.
constexpr double kFewRoundings = 16;

/// The largest difference allowed, of one element or, all of them as norms, of a tensor. `spread`: the root
/// of the sum of the products' squares. Rounded factors move each product by its own 2u at random, which adds
/// up as `spread` does, and where they are cut off instead of rounded, all of them by up to 2u one way.
/// `added`: the result without what was there before.
inline double allowed(const Arithmetic& arithmetic, int64_t terms, double result, double magnitude,
                      double spread, double added) {
  const double sums = (kFewRoundings + std::sqrt(static_cast<double>(terms))) * arithmetic.sums * magnitude;
  return sums + 4 * arithmetic.products * (result + spread) + 2 * arithmetic.results * result +
         2 * arithmetic.addends * added;
}

}  // namespace laban::opcheck
