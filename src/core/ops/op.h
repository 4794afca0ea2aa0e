// What every op in this folder declares about itself, for those that look at ops from outside:
//
//   kName     what it is called in tables, errors and reports
//   visit(f)  calls f(std::string_view name, Tensor& tensor, TensorUse use) for each of its tensors, absent
//             ones too; the names are those of the members
//   cost()    the least that it takes of a machine
//
// Each header ends with the list of its ops; all.h joins them. An op of the list that lacks one of the three does
// not compile.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/ops/op_list.h"
#include "core/tensor.h"
#include "core/window.h"

namespace laban {

enum class TensorUse { read, written, updated };

/// Whatever computes the op: bytes that must travel to and from memory, and arithmetic.
struct OpCost {
  double gbyte = 0;
  double gflop = 0;           // convolutions and linear layers only
  std::string geometry = {};  // window and shapes, to tell ops of one name apart; empty: not worth telling
};

/// An op that moves these tensors and is told apart by `geometry`. A tensor counts as often as it is listed;
/// absent ones do not.
OpCost moving(std::initializer_list<Tensor> tensors, const Shape& geometry);
OpCost moving(std::initializer_list<Tensor> tensors);

/// f for TensorUse, where only its type matters.
struct AnyVisitor {
  void operator()(std::string_view, Tensor&, TensorUse) const {}
};

/// static_asserts, in sentences, that an op declares what it must.
template <class Op>
struct CompleteOp {
  static_assert(
      requires { std::string_view(Op::kName); },
      "This op has no name. Give it: static constexpr std::string_view kName = \"...\";");
  static_assert(
      requires(Op op) { op.visit(AnyVisitor{}); },
      "This op does not tell its tensors. Give it visit(f): f(name, tensor, use) for each.");
  static_assert(
      requires(const Op op) {
        { op.cost() } -> std::same_as<OpCost>;
      },
      "This op has no cost. Give it: OpCost cost() const;");
};

}  // namespace laban
