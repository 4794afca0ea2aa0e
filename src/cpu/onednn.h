// oneDNN, wrapped as thinly as will do: descriptors of our tensors, convolution primitives, and execution
// without per-step set-up. The only file (with onednn.cpp) that knows which version of oneDNN is installed;
// its headers are included in src/cpu only.
#pragma once

#include <initializer_list>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/conv_geometry.h"
#include "core/dtype.h"

namespace laban::cpu {

/// The CPU engine and its (synchronous) stream.
struct OneDnn {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

/// Whether this processor multiplies bf16 in hardware. Where it does not, oneDNN emulates it, slowly.
bool has_native_bf16();

/// A primitive and the memories it reads and writes, made once. execute() only puts pointers in.
class Execution {
 public:
  Execution() = default;
  /// `arguments`: oneDNN's argument number and layout of each tensor, in the order execute() takes pointers.
  Execution(const OneDnn& dnn, dnnl::primitive primitive,
            std::initializer_list<std::pair<int, dnnl::memory::desc>> arguments);

  /// One pointer per argument; an argument that was given an empty layout takes none notice of its pointer.
  void execute(const OneDnn& dnn, std::initializer_list<const void*> pointers);

 private:
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

enum class ConvDirection : int64_t { forward, data, weights };

/// A convolution primitive's layouts. `weights` is the layout that oneDNN likes best (for direction weights:
/// of the gradient); activations are NDHWC.
struct ConvPrimitive {
  dnnl::primitive primitive;
  dnnl::memory::desc x, weights, bias, y, scratchpad;
  std::string implementation;
};

/// Layouts of our tensors. `planar`: leave t out.
dnnl::memory::desc activation_layout(const Shape& shape, DType dtype, bool planar);
dnnl::memory::desc weights_layout(const ConvGeometry& geometry, DType dtype, bool planar);
dnnl::memory::desc vector_layout(int64_t length, DType dtype);

/// Throws Error where oneDNN has no such convolution.
ConvPrimitive make_convolution(const OneDnn& dnn, ConvDirection direction, const ConvGeometry& geometry,
                               DType dtype, bool with_bias);

/// A change of layout and type; `accumulate`: to += from.
Execution make_reorder(const OneDnn& dnn, const dnnl::memory::desc& from, const dnnl::memory::desc& to,
                       bool accumulate);

}  // namespace laban::cpu
