#include "cpu/kernels/conv_algorithms.h"

#include "cpu/kernels/conv_winograd.h"

namespace laban::cpu::LABAN_ISA {
namespace {

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
  for (const auto& [rows, columns] : kTilings) {
    // Its error is two to three times that of direct sums. A gradient bears that; through the layers of a forward
    // pass it would add up, in the running statistics first of all.
    if (direction == ConvDirection::forward && rows == 4 && columns == 4) continue;
    add(list, make_winograd(direction, geometry, dtype, rows, columns));
  }
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
