// Element types as files hold them: more kinds than the ops compute in (dtype.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/dtype.h"

namespace laban {

enum class ElementType : uint8_t {
  f64,
  f32,
  f16,
  bf16,
  f8_e4m3,
  f8_e5m2,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean,
};

/// Bytes of one element.
size_t size_of(ElementType type);
/// As safetensors spells it: "F32", "BF16", "I64", "BOOL", ...
std::string_view name_of(ElementType type);
std::optional<ElementType> element_type_named(std::string_view name);
ElementType element_type_of(DType dtype);

bool is_floating(ElementType type);
/// True where decode() knows the type: all but the 8-bit floats.
bool is_readable(ElementType type);

/// Widens `to.size()` elements that lie one after the other at `from`, aligned or not. 64-bit integers beyond
/// 2^53 are rounded.
void decode(ElementType type, const std::byte* from, std::span<double> to);
/// The same for whole numbers; `type` must be one of the integers or boolean.
void decode(ElementType type, const std::byte* from, std::span<int64_t> to);
/// The position of the first finite value that encode() would make infinite; nothing where `type` holds all.
std::optional<size_t> first_overflow(ElementType type, std::span<const double> values);
/// Narrows to f64, f32, f16 or bf16, to nearest (to the 16-bit types by way of f32).
void encode(ElementType type, std::span<const double> from, std::byte* to);

}  // namespace laban
