#include "cpu/kernels/conv_algorithms.h"

namespace laban::cpu::LABAN_ISA {
namespace {

/// Outputs of a tile along the rows and the columns: the Winograd variants that there are.
constexpr std::array<std::array<int, 2>, 4> kTilings{{{4, 4}, {2, 2}, {4, 1}, {2, 1}}};

template <class Kernel>
void add(std::vector<std::unique_ptr<Kernel>>& list, std::unique_ptr<Kernel> kernel) {
  if (kernel) list.push_back(std::move(kernel));
}

}  // namespace

ConvTransforms conv_transforms(ConvDirection direction, const ConvGeometry& geometry, DType dtype,
                               bool native_bf16) {
  ConvTransforms list;
  if (native_bf16 && dtype == DType::bf16) add(list, make_native_direct(direction, geometry));
  add(list, make_direct(direction, geometry, dtype));
  for (const auto& [rows, columns] : kTilings)
    add(list, make_winograd(direction, geometry, dtype, rows, columns));
  return list;
}

ConvGradients conv_gradients(const ConvGeometry& geometry, DType dtype) {
  ConvGradients list;
  add(list, make_direct_gradient(geometry, dtype));
  for (const auto& [rows, columns] : kTilings)
    add(list, make_winograd_gradient(geometry, dtype, rows, columns));
  return list;
}

}  // namespace laban::cpu::LABAN_ISA
