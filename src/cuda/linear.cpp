#include "cuda/linear.h"

#include "cuda/matrix_product.h"
#include "cuda/scratch.h"

namespace laban::cuda {
namespace {

/// Bytes of an f32 copy; none where `tensor` is f32 itself.
size_t widened_bytes(const Tensor& tensor) {
  return tensor.dtype == DType::f32 ? 0 : static_cast<size_t>(tensor.count()) * sizeof(float);
}

/// `tensor` itself where it is f32, else space for it in f32.
Tensor wide(const Tensor& tensor, ScratchCutter& cutter) {
  if (tensor.dtype == DType::f32) return tensor;
  return Tensor(cutter.take(widened_bytes(tensor)), DType::f32, tensor.shape, tensor.device);
}
Tensor widened(const Tensor& tensor, ScratchCutter& cutter, Stream stream) {
  const Tensor copy = wide(tensor, cutter);
  if (copy.data != tensor.data) run(Cast{.from = tensor, .to = copy}, stream);
  return copy;
}

AccumulateColumnSums column_sums(const LinearBackwardWeights& op) { return {.x = op.dy, .sums = op.dbias}; }

}  // namespace

size_t scratch_bytes(const LinearForward&) { return ScratchCutter::bytes_for({kProductWorkspace}); }

void run(const LinearForward& op, Scratch scratch, bool tf32, Libraries& libraries, Stream stream) {
  ScratchCutter cutter(scratch);
  void* workspace = cutter.take(kProductWorkspace);
  run(MatrixProduct{.a = op.x, .b = op.w, .c = op.y, .transpose_b = true, .tf32 = tf32}, workspace, libraries,
      stream);
  if (op.bias) run(AddBias{.y = op.y, .bias = op.bias}, stream);
}

size_t scratch_bytes(const LinearBackwardData& op) {
  return ScratchCutter::bytes_for({kProductWorkspace, widened_bytes(op.w), widened_bytes(op.dx)});
}

void run(const LinearBackwardData& op, Scratch scratch, bool tf32, Libraries& libraries, Stream stream) {
  ScratchCutter cutter(scratch);
  void* workspace = cutter.take(kProductWorkspace);
  const Tensor w = widened(op.w, cutter, stream), dx = wide(op.dx, cutter);
  run(MatrixProduct{.a = op.dy, .b = w, .c = dx, .tf32 = tf32}, workspace, libraries, stream);
  if (dx.data != op.dx.data) run(Cast{.from = dx, .to = op.dx}, stream);
}

size_t scratch_bytes(const LinearBackwardWeights& op) {
  const size_t sums = op.dbias ? scratch_bytes(column_sums(op)) : 0;
  return ScratchCutter::bytes_for({kProductWorkspace, widened_bytes(op.x), sums});
}

void run(const LinearBackwardWeights& op, Scratch scratch, bool tf32, Libraries& libraries, Stream stream) {
  ScratchCutter cutter(scratch);
  void* workspace = cutter.take(kProductWorkspace);
  const Tensor x = widened(op.x, cutter, stream);
  run(MatrixProduct{.a = op.dy, .b = x, .c = op.dw, .transpose_a = true, .accumulate = true, .tf32 = tf32},
      workspace, libraries, stream);
  if (op.dbias) {
    const size_t bytes = scratch_bytes(column_sums(op));
    run(column_sums(op), Scratch{cutter.take(bytes), bytes}, stream);
  }
}

}  // namespace laban::cuda
