#include "cuda/conv/convolution.h"

#include "cuda/conv/unfolded.h"
#include "cuda/matrix_product.h"
#include "cuda/scratch.h"

namespace laban::cuda {
namespace {

/// Places x channels: what a pointwise convolution is to cuBLAS.
Tensor as_matrix(const Tensor& tensor) {
  return tensor.reshaped(Shape::matrix(tensor.shape.pixels(), tensor.shape.c));
}
bool is_product(const ConvProblem& problem) { return is_pointwise(problem.geometry); }

AccumulateColumnSums column_sums(const ConvBackwardWeights& op) { return {.x = op.dy, .sums = op.dbias}; }

/// An op whose convolution is to be unfolded, and the op on the unfolded tensors, which lie in scratch.
template <class Op>
struct UnfoldedOp {
  Op inner;
  size_t x_bytes, w_bytes;
};
/// `y` and `w` are y and w, or their gradients: `inner` has what is to be in scratch without memory.
template <class Op>
std::optional<UnfoldedOp<Op>> unfold(const Op& op, const Tensor& y, Tensor Op::*w) {
  if (op.x.dtype != DType::bf16) return std::nullopt;  // others are padded to 4
  const auto geometry = unfolded({op.x.shape, y.shape, op.window}, op.own_channels, 8);
  if (!geometry) return std::nullopt;
  Op inner = op;
  const auto& kernel = geometry->window.kernel;
  inner.x = Tensor(nullptr, op.x.dtype, geometry->x, op.x.device);
  inner.*w = Tensor(nullptr, (op.*w).dtype, {y.shape.c, geometry->x.c, kernel[0], kernel[1], kernel[2]},
                    op.x.device);
  inner.window = geometry->window;
  inner.own_channels = 0;
  return UnfoldedOp<Op>{inner, inner.x.bytes(), (inner.*w).bytes()};
}
template <class Op>
UnfoldRows unfold_input(const Op& op, const Op& inner) {
  return {.x = op.x,
          .to = inner.x,
          .channels = op.own_channels,
          .taps = op.window.kernel[2],
          .stride = op.window.stride[2],
          .padding = op.window.padding[2]};
}

}  // namespace

ConvProblem Convolutions::problem(ConvPass pass, const Tensor& x, const Tensor& y,
                                  const Window& window) const {
  return {.pass = pass,
          .geometry = folded({x.shape, y.shape, window}),
          .math = math_mode(x.dtype, settings_.tf32),
          .epilogue = ConvEpilogue::none,
          .deterministic = settings_.deterministic};
}

// ---- forward -------------------------------------------------------------------------------------------

size_t Convolutions::scratch_bytes(const ConvForward& op) {
  if (const auto u = unfold(op, op.y, &ConvForward::w))
    return ScratchCutter::bytes_for({u->x_bytes, u->w_bytes, scratch_bytes(u->inner)});
  const ConvProblem p = problem(ConvPass::forward, op.x, op.y, op.window);
  return ScratchCutter::bytes_for({is_product(p) ? kProductWorkspace : plans_.get(p).plan.workspace_bytes()});
}

void Convolutions::run(const ConvForward& op, Scratch scratch, Libraries& libraries, Stream stream) {
  ScratchCutter cutter(scratch);
  if (auto u = unfold(op, op.y, &ConvForward::w)) {
    u->inner.x.data = cutter.take(u->x_bytes);
    u->inner.w.data = cutter.take(u->w_bytes);
    cuda::run(unfold_input(op, u->inner), stream);
    cuda::run(UnfoldRows{.x = op.w,
                         .to = u->inner.w,
                         .channels = op.own_channels,
                         .taps = op.window.kernel[2],
                         .stride = 1,
                         .padding = 0},
              stream);
    const size_t bytes = scratch_bytes(u->inner);
    return run(u->inner, Scratch{cutter.take(bytes), bytes}, libraries, stream);
  }
  const ConvProblem p = problem(ConvPass::forward, op.x, op.y, op.window);
  if (is_product(p)) {
    const MatrixProduct product{.a = as_matrix(op.x),
                                .b = as_matrix(op.w),
                                .c = as_matrix(op.y),
                                .transpose_b = true,
                                .tf32 = settings_.tf32};
    cuda::run(product, cutter.take(kProductWorkspace), libraries, stream);
  } else {
    const Plan& plan = plans_.get(p).plan;
    const Binding tensors[] = {{kX, op.x.data}, {kW, op.w.data}, {kY, op.y.data}};
    plan.run(libraries.cudnn(stream), tensors, cutter.take(plan.workspace_bytes()), p);
  }
  if (op.bias) cuda::run(AddBias{.y = op.y, .bias = op.bias}, stream);
}

// ---- gradient of the data ------------------------------------------------------------------------------

Convolutions::DataWay Convolutions::data_way(const ConvBackwardData& op) {
  ConvProblem alone = problem(ConvPass::data, op.dx, op.dy, op.window), added = alone;
  added.epilogue = ConvEpilogue::accumulate;
  if (op.accumulate)
    if (const ConvPlan* plan = plans_.find(added)) return {added, plan, 0};
  return {alone, &plans_.get(alone), op.accumulate ? op.dx.bytes() : 0};
}

size_t Convolutions::scratch_bytes(const ConvBackwardData& op) {
  if (is_product(problem(ConvPass::data, op.dx, op.dy, op.window)))
    return ScratchCutter::bytes_for({kProductWorkspace});
  const DataWay way = data_way(op);
  return ScratchCutter::bytes_for({way.plan->plan.workspace_bytes(), way.alone_bytes});
}

void Convolutions::run(const ConvBackwardData& op, Scratch scratch, Libraries& libraries, Stream stream) {
  ScratchCutter cutter(scratch);
  if (is_product(problem(ConvPass::data, op.dx, op.dy, op.window))) {
    const MatrixProduct product{.a = as_matrix(op.dy),
                                .b = as_matrix(op.w),
                                .c = as_matrix(op.dx),
                                .accumulate = op.accumulate,
                                .tf32 = settings_.tf32};
    return cuda::run(product, cutter.take(kProductWorkspace), libraries, stream);
  }
  const DataWay way = data_way(op);
  const Plan& plan = way.plan->plan;
  void* workspace = cutter.take(plan.workspace_bytes());
  Tensor dx = op.dx;
  if (way.alone_bytes > 0) dx.data = cutter.take(way.alone_bytes);
  const Binding tensors[] = {{kX, dx.data}, {kW, op.w.data}, {kY, op.dy.data}};
  plan.run(libraries.cudnn(stream), tensors, workspace, way.problem);
  if (way.alone_bytes > 0) cuda::run(Accumulate{.from = dx, .into = op.dx}, stream);
}

bool Convolutions::rounds_before_adding(const ConvBackwardData& op) {
  if (is_product(problem(ConvPass::data, op.dx, op.dy, op.window))) return false;
  return op.dx.dtype == DType::bf16 && data_way(op).alone_bytes > 0;
}

// ---- gradient of the weights ---------------------------------------------------------------------------

Convolutions::WeightsWay Convolutions::weights_way(const ConvBackwardWeights& op) {
  ConvProblem rounded = problem(ConvPass::weights, op.x, op.dy, op.window), exact = rounded;
  exact.epilogue = ConvEpilogue::accumulate;
  if (rounded.math != MathMode::bf16) return {exact, &plans_.get(exact), 0};
  if (settings_.exact_weights) {
    if (const ConvPlan* plan = plans_.find(exact)) return {exact, plan, 0};
    rounded_all_the_same_.insert(rounded);
  }
  const ConvPlan& plan = plans_.get(rounded);
  return {rounded, &plan, static_cast<size_t>(op.dw.count()) * size_of(DType::bf16)};
}

std::string Convolutions::note() const {
  if (rounded_all_the_same_.empty()) return "";
  const size_t count = rounded_all_the_same_.size();
  return text("--exact-weights: cuDNN cannot add in f32 for ", count,
              count == 1 ? " convolution, whose weight gradient is rounded to bf16: "
                         : " convolutions, whose weight gradients are rounded to bf16; one of them: ",
              *rounded_all_the_same_.begin());
}

size_t Convolutions::scratch_bytes(const ConvBackwardWeights& op) {
  if (const auto u = unfold(op, op.dy, &ConvBackwardWeights::dw))
    return ScratchCutter::bytes_for({u->x_bytes, u->w_bytes, scratch_bytes(u->inner)});
  const size_t sums = op.dbias ? cuda::scratch_bytes(column_sums(op)) : 0;
  if (is_product(problem(ConvPass::weights, op.x, op.dy, op.window)))
    return ScratchCutter::bytes_for({kProductWorkspace, sums});
  const WeightsWay way = weights_way(op);
  return ScratchCutter::bytes_for({way.plan->plan.workspace_bytes(), way.rounded_bytes, sums});
}

void Convolutions::run(const ConvBackwardWeights& op, Scratch scratch, Libraries& libraries, Stream stream) {
  ScratchCutter cutter(scratch);
  if (auto u = unfold(op, op.dy, &ConvBackwardWeights::dw)) {
    u->inner.x.data = cutter.take(u->x_bytes);
    u->inner.dw.data = cutter.take(u->w_bytes);
    cuda::run(unfold_input(op, u->inner), stream);
    cuda::run(SetZero{u->inner.dw}, stream);  // the inner op adds to it
    const size_t bytes = scratch_bytes(u->inner);
    run(u->inner, Scratch{cutter.take(bytes), bytes}, libraries, stream);
    return cuda::run(FoldRows{.from = u->inner.dw, .into = op.dw, .channels = op.own_channels}, stream);
  }
  if (is_product(problem(ConvPass::weights, op.x, op.dy, op.window))) {
    const MatrixProduct product{.a = as_matrix(op.dy),
                                .b = as_matrix(op.x),
                                .c = as_matrix(op.dw),
                                .transpose_a = true,
                                .accumulate = true,
                                .tf32 = settings_.tf32};
    cuda::run(product, cutter.take(kProductWorkspace), libraries, stream);
  } else {
    const WeightsWay way = weights_way(op);
    const Plan& plan = way.plan->plan;
    void* workspace = cutter.take(plan.workspace_bytes());
    if (way.rounded_bytes > 0) {
      const Tensor batch(cutter.take(way.rounded_bytes), DType::bf16, op.dw.shape, op.dw.device);
      const Binding tensors[] = {{kX, op.x.data}, {kW, batch.data}, {kY, op.dy.data}};
      plan.run(libraries.cudnn(stream), tensors, workspace, way.problem);
      cuda::run(AccumulateWidened{.from = batch, .into = op.dw}, stream);
    } else if (way.problem.math == MathMode::bf16) {
      const Binding tensors[] = {{kX, op.x.data}, {kW, op.dw.data}, {kBefore, op.dw.data}, {kY, op.dy.data}};
      plan.run(libraries.cudnn(stream), tensors, workspace, way.problem);
    } else {
      const Binding tensors[] = {{kX, op.x.data}, {kW, op.dw.data}, {kY, op.dy.data}};
      plan.run(libraries.cudnn(stream), tensors, workspace, way.problem);
    }
  }
  if (op.dbias) {
    const size_t bytes = cuda::scratch_bytes(column_sums(op));
    cuda::run(column_sums(op), Scratch{cutter.take(bytes), bytes}, stream);
  }
}

bool Convolutions::rounds_before_adding(const ConvBackwardWeights& op) {
  if (const auto u = unfold(op, op.dy, &ConvBackwardWeights::dw)) return rounds_before_adding(u->inner);
  if (is_product(problem(ConvPass::weights, op.x, op.dy, op.window))) return false;
  return weights_way(op).rounded_bytes > 0;
}

}  // namespace laban::cuda
