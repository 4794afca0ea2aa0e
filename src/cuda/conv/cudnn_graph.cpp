#include "cuda/conv/cudnn_graph.h"

namespace laban::cuda {
namespace {

cudnnDataType_t cudnn_type(DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "cuDNN convolutions are f32 or bf16");
  return dtype == DType::f32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

/// cuDNN's order of dimensions is n, c, (t,) h, w whatever the memory's order; strides tell that.
std::vector<int64_t> dimensions(const Shape& s, bool planar) {
  if (planar) return {s.n, s.c, s.h, s.w};
  return {s.n, s.c, s.t, s.h, s.w};
}
std::vector<int64_t> strides(const Shape& s, bool planar) {
  const int64_t row = s.w * s.c, frame = s.h * row, sample = s.t * frame;
  if (planar) return {sample, 1, row, s.c};
  return {sample, 1, frame, row, s.c};
}
/// Of a window, along (t,) h, w.
std::vector<int64_t> axes(const std::array<int64_t, 3>& values, bool planar) {
  return {values.begin() + (planar ? 1 : 0), values.end()};
}

/// Makes the descriptors of one graph.
class Builder {
 public:
  Builder(const ConvProblem& problem, const DeviceProperties& device)
      : problem_(problem),
        device_(device),
        geometry_(problem.geometry),
        planar_(is_planar(problem.geometry)) {}

  Descriptor graph() {
    const bool fused_sum = accumulates() && !adds_by_itself(problem_);
    const DType storage = storage_of(problem_.math);
    const Descriptor x = tensor(kX, storage, geometry_.x), y = tensor(kY, storage, geometry_.y);
    const Shape weights{geometry_.y.c, geometry_.x.c, geometry_.window.kernel[0], geometry_.window.kernel[1],
                        geometry_.window.kernel[2]};
    const Descriptor w =
        fused_sum ? tensor(kProduct, DType::f32, weights, true) : tensor(kW, storage, weights);
    operations_.push_back(convolution(x, w, y));
    if (fused_sum) {
      const Descriptor before = tensor(kBefore, DType::f32, weights), sum = tensor(kW, DType::f32, weights);
      operations_.push_back(pointwise(CUDNN_POINTWISE_ADD, w, before, sum));
    }
    Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, std::span<const Descriptor>(operations_));
    device_.tell(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, std::nullopt);
    graph.finalize(text("the graph of ", problem_));
    return graph;
  }

 private:
  bool accumulates() const { return problem_.epilogue == ConvEpilogue::accumulate; }

  Descriptor tensor(TensorId id, DType dtype, const Shape& shape, bool is_virtual = false) const {
    Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, cudnn_type(dtype))
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, dimensions(shape, planar_))
        .set(CUDNN_ATTR_TENSOR_STRIDES, strides(shape, planar_))
        .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<int64_t>(id))
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16})
        .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
    d.finalize(text("a tensor ", shape, " of ", problem_));
    return d;
  }

  Descriptor convolution(const Descriptor& x, const Descriptor& w, const Descriptor& y) const {
    const Window& window = geometry_.window;
    const std::vector<int64_t> padding = axes(window.padding, planar_);
    Descriptor c(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    c.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, static_cast<int64_t>(padding.size()))
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding)
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding)
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, axes(window.stride, planar_))
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::vector<int64_t>(padding.size(), 1));
    c.finalize(text("the window of ", problem_));

    const float beta = accumulates() && adds_by_itself(problem_) ? 1.0f : 0.0f;
    const auto operation = [&](cudnnBackendDescriptorType_t type, cudnnBackendAttributeName_t x_name,
                               cudnnBackendAttributeName_t w_name, cudnnBackendAttributeName_t y_name,
                               cudnnBackendAttributeName_t conv_name, cudnnBackendAttributeName_t alpha_name,
                               cudnnBackendAttributeName_t beta_name) {
      Descriptor op(type);
      op.set(x_name, x).set(w_name, w).set(y_name, y).set(conv_name, c);
      op.set(alpha_name, 1.0f).set(beta_name, beta).finalize(text(problem_));
      return op;
    };
    switch (problem_.pass) {
      case ConvPass::forward:
        return operation(
            CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
      case ConvPass::data:
        return operation(
            CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
      case ConvPass::weights:
        break;
    }
    return operation(
        CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
  }

  Descriptor pointwise(cudnnPointwiseMode_t mode, const Descriptor& a, const Descriptor& b,
                       const Descriptor& result) const {
    Descriptor kind(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    kind.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
    kind.finalize("a pointwise operation");
    Descriptor op(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    op.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, result);
    op.finalize(text("what is fused to ", problem_));
    return op;
  }

  const ConvProblem& problem_;
  const DeviceProperties& device_;
  const ConvGeometry& geometry_;
  bool planar_;
  std::vector<Descriptor> operations_;
};

}  // namespace

ConvGraph::ConvGraph(const ConvProblem& problem, const DeviceProperties& device)
    : problem_(problem), graph_(Builder(problem, device).graph()) {}

}  // namespace laban::cuda
