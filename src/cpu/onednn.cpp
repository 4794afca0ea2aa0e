#include "cpu/onednn.h"

namespace laban::cpu {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;

dnnl::memory::data_type type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return dnnl::memory::data_type::f32;
    case DType::bf16:
      return dnnl::memory::data_type::bf16;
    default:
      require(false, "oneDNN is given f32 and bf16 only");
      return dnnl::memory::data_type::undef;
  }
}

/// (t, h, w), or (h, w) where planar.
Dims spatial(const std::array<int64_t, 3>& values, bool planar) {
  return planar ? Dims{values[1], values[2]} : Dims{values[0], values[1], values[2]};
}

Dims weights_dims(const ConvGeometry& g, bool planar) {
  Dims dims{g.y.c, g.x.c};
  for (const int64_t extent : spatial(g.window.kernel, planar)) dims.push_back(extent);
  return dims;
}

/// What make_convolution hands to oneDNN.
struct ConvArguments {
  Desc x, weights, bias, y;
  Dims stride, padding;
  dnnl::primitive_attr attributes;
};

// oneDNN 2 describes an operation first and makes a primitive descriptor of that; oneDNN 3 has no operation
// descriptors, and its primitive descriptors take the arguments themselves.
constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc forward_descriptor(const OneDnn& dnn, const ConvArguments& a) {
  constexpr auto kKind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {dnn.engine, kKind,    kAlgorithm, a.x,       a.weights,   a.bias,
          a.y,        a.stride, a.padding,  a.padding, a.attributes};
#else
  return {{kKind, kAlgorithm, a.x, a.weights, a.bias, a.y, a.stride, a.padding, a.padding},
          a.attributes,
          dnn.engine};
#endif
}

dnnl::convolution_backward_data::primitive_desc data_descriptor(
    const OneDnn& dnn, const ConvArguments& a, const dnnl::convolution_forward::primitive_desc& forward) {
#if DNNL_VERSION_MAJOR >= 3
  return {dnn.engine, kAlgorithm, a.x, a.weights, a.y, a.stride, a.padding, a.padding, forward, a.attributes};
#else
  return {
      {kAlgorithm, a.x, a.weights, a.y, a.stride, a.padding, a.padding}, a.attributes, dnn.engine, forward};
#endif
}

dnnl::convolution_backward_weights::primitive_desc weights_descriptor(
    const OneDnn& dnn, const ConvArguments& a, const dnnl::convolution_forward::primitive_desc& forward) {
#if DNNL_VERSION_MAJOR >= 3
  return {dnn.engine, kAlgorithm, a.x, a.weights, a.y, a.stride, a.padding, a.padding, forward, a.attributes};
#else
  return {
      {kAlgorithm, a.x, a.weights, a.y, a.stride, a.padding, a.padding}, a.attributes, dnn.engine, forward};
#endif
}

std::string_view name_of(ConvDirection direction) {
  switch (direction) {
    case ConvDirection::forward:
      return "forward";
    case ConvDirection::data:
      return "backward (data)";
    case ConvDirection::weights:
      return "backward (weights)";
  }
  return "?";
}

}  // namespace

bool has_native_bf16() {
  // A processor's set contains the bits of every smaller set.
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (isa & wanted) == wanted;
}

Execution::Execution(const OneDnn& dnn, dnnl::primitive primitive,
                     std::initializer_list<std::pair<int, Desc>> arguments)
    : primitive_(std::move(primitive)) {
  for (const auto& [number, layout] : arguments) {
    if (layout.get_size() == 0) {  // no bias, no scratchpad: left out
      memories_.emplace_back();
      continue;
    }
    memories_.push_back(dnnl::memory(layout, dnn.engine, nullptr));  // its pointer comes with execute()
    arguments_.push_back({number, memories_.back().get()});
  }
}

void Execution::execute(const OneDnn& dnn, std::initializer_list<const void*> pointers) {
  require(pointers.size() == memories_.size(), "Execution: one pointer per argument");
  dnnl_status_t status = dnnl_success;
  auto memory = memories_.begin();
  for (const void* pointer : pointers) {
    if (status == dnnl_success && *memory)
      status = dnnl_memory_set_data_handle(memory->get(), const_cast<void*>(pointer));
    ++memory;
  }
  if (status == dnnl_success)
    status = dnnl_primitive_execute(primitive_.get(), dnn.stream.get(), static_cast<int>(arguments_.size()),
                                    arguments_.data());
  if (status != dnnl_success)
    throw Error(text("oneDNN could not run a primitive (status ", static_cast<int>(status), ")"),
                "Most likely memory ran out; a smaller batch needs less.");
}

Desc activation_layout(const Shape& shape, DType dtype, bool planar) {
  if (planar) return {{shape.n, shape.c, shape.h, shape.w}, type_of(dtype), Tag::nhwc};
  return {{shape.n, shape.c, shape.t, shape.h, shape.w}, type_of(dtype), Tag::ndhwc};
}

Desc weights_layout(const ConvGeometry& geometry, DType dtype, bool planar) {
  return {weights_dims(geometry, planar), type_of(dtype), planar ? Tag::acdb : Tag::acdeb};
}

Desc vector_layout(int64_t length, DType dtype) { return {{length}, type_of(dtype), Tag::a}; }

ConvPrimitive make_convolution(const OneDnn& dnn, ConvDirection direction, const ConvGeometry& geometry,
                               DType dtype, bool with_bias) {
  const bool planar = is_planar(geometry);
  ConvArguments a{activation_layout(geometry.x, dtype, planar),
                  {weights_dims(geometry, planar), type_of(dtype), Tag::any},
                  with_bias ? vector_layout(geometry.y.c, DType::f32) : Desc(),
                  activation_layout(geometry.y, dtype, planar),
                  spatial(geometry.window.stride, planar),
                  spatial(geometry.window.padding, planar),
                  {}};
  a.attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  try {
    const auto forward = forward_descriptor(dnn, a);  // backward descriptors want it as a hint
    switch (direction) {
      case ConvDirection::forward:
        return {dnnl::convolution_forward(forward),
                a.x,
                forward.weights_desc(),
                a.bias,
                a.y,
                forward.scratchpad_desc(),
                forward.impl_info_str()};
      case ConvDirection::data: {
        const auto data = data_descriptor(dnn, a, forward);
        return {dnnl::convolution_backward_data(data),
                a.x,
                data.weights_desc(),
                {},
                a.y,
                data.scratchpad_desc(),
                data.impl_info_str()};
      }
      case ConvDirection::weights: {
        a.weights = {weights_dims(geometry, planar), type_of(DType::f32), Tag::any};
        const auto weights = weights_descriptor(dnn, a, forward);
        return {dnnl::convolution_backward_weights(weights),
                a.x,
                weights.diff_weights_desc(),
                {},
                a.y,
                weights.scratchpad_desc(),
                weights.impl_info_str()};
      }
    }
  } catch (const dnnl::error& error) {
    throw Error(text("oneDNN has no convolution ", name_of(direction), " for ", dtype, ", input ", geometry.x,
                     ", output ", geometry.y, ", window ", geometry.window, " (status ",
                     static_cast<int>(error.status), ")"),
                "Please report it with this line; --backend reference computes it meanwhile, slowly.");
  }
  throw std::logic_error("make_convolution: unknown direction");
}

Execution make_reorder(const OneDnn& dnn, const Desc& from, const Desc& to, bool accumulate) {
  dnnl::primitive_attr attributes;
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  try {
    const dnnl::reorder::primitive_desc descriptor(dnn.engine, from, dnn.engine, to, attributes);
    return {dnn, dnnl::reorder(descriptor), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
  } catch (const dnnl::error& error) {
    throw Error(text("oneDNN cannot change the layout of convolution weights (status ",
                     static_cast<int>(error.status), ")"),
                "Please report it with the model and the clip's shape.");
  }
}

}  // namespace laban::cpu
