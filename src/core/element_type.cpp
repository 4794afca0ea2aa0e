#include "core/element_type.h"

#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/error.h"
#include "core/float16.h"

namespace laban {
namespace {

struct Traits {
  ElementType type;
  std::string_view name;
  size_t bytes;
};
constexpr std::array<Traits, 15> kTraits{{
    {ElementType::f64, "F64", 8},
    {ElementType::f32, "F32", 4},
    {ElementType::f16, "F16", 2},
    {ElementType::bf16, "BF16", 2},
    {ElementType::f8_e4m3, "F8_E4M3", 1},
    {ElementType::f8_e5m2, "F8_E5M2", 1},
    {ElementType::i64, "I64", 8},
    {ElementType::i32, "I32", 4},
    {ElementType::i16, "I16", 2},
    {ElementType::i8, "I8", 1},
    {ElementType::u64, "U64", 8},
    {ElementType::u32, "U32", 4},
    {ElementType::u16, "U16", 2},
    {ElementType::u8, "U8", 1},
    {ElementType::boolean, "BOOL", 1},
}};

const Traits& traits_of(ElementType type) { return kTraits[static_cast<size_t>(type)]; }

template <class From, class To>
void convert(const std::byte* from, std::span<To> to) {
  for (size_t i = 0; i < to.size(); ++i) {
    From value;
    std::memcpy(&value, from + i * sizeof(From), sizeof(From));
    if constexpr (std::is_same_v<From, Float16> || std::is_same_v<From, BFloat16>)
      to[i] = static_cast<To>(static_cast<float>(value));
    else
      to[i] = static_cast<To>(value);
  }
}

template <class To>
void convert_whole(ElementType type, const std::byte* from, std::span<To> to) {
  switch (type) {
    case ElementType::i64:
      return convert<int64_t>(from, to);
    case ElementType::i32:
      return convert<int32_t>(from, to);
    case ElementType::i16:
      return convert<int16_t>(from, to);
    case ElementType::i8:
      return convert<int8_t>(from, to);
    case ElementType::u64:
      return convert<uint64_t>(from, to);
    case ElementType::u32:
      return convert<uint32_t>(from, to);
    case ElementType::u16:
      return convert<uint16_t>(from, to);
    case ElementType::u8:
    case ElementType::boolean:
      return convert<uint8_t>(from, to);
    default:
      throw std::logic_error("decode: this element type is not read here");
  }
}

template <class To>
void narrow(std::span<const double> from, std::byte* to) {
  for (size_t i = 0; i < from.size(); ++i) {
    To value;
    if constexpr (std::is_same_v<To, double>)
      value = from[i];
    else
      value = To(static_cast<float>(from[i]));
    std::memcpy(to + i * sizeof(To), &value, sizeof(To));
  }
}

}  // namespace

size_t size_of(ElementType type) { return traits_of(type).bytes; }
std::string_view name_of(ElementType type) { return traits_of(type).name; }

std::optional<ElementType> element_type_named(std::string_view name) {
  for (const Traits& traits : kTraits)
    if (traits.name == name) return traits.type;
  return std::nullopt;
}

ElementType element_type_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return ElementType::f64;
    case DType::f32:
      return ElementType::f32;
    case DType::bf16:
      return ElementType::bf16;
    case DType::i64:
      return ElementType::i64;
    case DType::i32:
      return ElementType::i32;
    case DType::u8:
      return ElementType::u8;
  }
  throw std::logic_error("element_type_of: no such dtype");
}

bool is_floating(ElementType type) { return type <= ElementType::f8_e5m2; }
bool is_readable(ElementType type) { return type != ElementType::f8_e4m3 && type != ElementType::f8_e5m2; }

void decode(ElementType type, const std::byte* from, std::span<double> to) {
  switch (type) {
    case ElementType::f64:
      return convert<double>(from, to);
    case ElementType::f32:
      return convert<float>(from, to);
    case ElementType::f16:
      return convert<Float16>(from, to);
    case ElementType::bf16:
      return convert<BFloat16>(from, to);
    default:
      return convert_whole(type, from, to);
  }
}

void decode(ElementType type, const std::byte* from, std::span<int64_t> to) { convert_whole(type, from, to); }

std::optional<size_t> first_overflow(ElementType type, std::span<const double> values) {
  std::byte stored[sizeof(double)];
  for (size_t i = 0; i < values.size(); ++i) {
    double back = 0;
    encode(type, values.subspan(i, 1), stored);
    decode(type, stored, std::span(&back, 1));
    if (std::isfinite(values[i]) && !std::isfinite(back)) return i;
  }
  return std::nullopt;
}

void encode(ElementType type, std::span<const double> from, std::byte* to) {
  switch (type) {
    case ElementType::f64:
      return narrow<double>(from, to);
    case ElementType::f32:
      return narrow<float>(from, to);
    case ElementType::f16:
      return narrow<Float16>(from, to);
    case ElementType::bf16:
      return narrow<BFloat16>(from, to);
    default:
      throw std::logic_error("encode: only floating-point types of 16 bits and more are written");
  }
}

}  // namespace laban
