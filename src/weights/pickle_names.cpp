#include "weights/pickle_names.h"

#include <array>

namespace laban::pickle {
namespace {

struct Allowed {
  std::string_view module, name;
  Name::Kind kind;
};
constexpr std::array kAllowed{
    Allowed{"collections", "OrderedDict", Name::Kind::ordered_dict},
    Allowed{"collections", "Counter", Name::Kind::copy},
    Allowed{"builtins", "set", Name::Kind::copy},
    Allowed{"__builtin__", "set", Name::Kind::copy},
    Allowed{"torch", "Size", Name::Kind::copy},
    Allowed{"torch", "device", Name::Kind::opaque},
    Allowed{"argparse", "Namespace", Name::Kind::record},
    Allowed{"torch._utils", "_rebuild_tensor", Name::Kind::rebuild_tensor},
    Allowed{"torch._utils", "_rebuild_tensor_v2", Name::Kind::rebuild_tensor},
    Allowed{"torch._utils", "_rebuild_parameter", Name::Kind::rebuild_parameter},
};

struct StorageName {
  std::string_view name;
  ElementType type;
};
constexpr std::array kStorages{
    StorageName{"DoubleStorage", ElementType::f64}, StorageName{"FloatStorage", ElementType::f32},
    StorageName{"HalfStorage", ElementType::f16},   StorageName{"BFloat16Storage", ElementType::bf16},
    StorageName{"LongStorage", ElementType::i64},   StorageName{"IntStorage", ElementType::i32},
    StorageName{"ShortStorage", ElementType::i16},  StorageName{"CharStorage", ElementType::i8},
    StorageName{"ByteStorage", ElementType::u8},    StorageName{"BoolStorage", ElementType::boolean},
};

constexpr std::array<std::string_view, 10> kDtypes{"float64", "float32", "float16", "bfloat16", "int64",
                                                   "int32",   "int16",   "int8",    "uint8",    "bool"};

}  // namespace

std::optional<Name> allowed_name(std::string_view module, std::string_view name) {
  for (const Allowed& allowed : kAllowed)
    if (allowed.module == module && allowed.name == name) return Name{allowed.kind, ElementType::f32};
  if (module == "torch" || module == "torch.cuda")
    for (const StorageName& storage : kStorages)
      if (storage.name == name) return Name{Name::Kind::storage, storage.type};
  if (module == "torch")
    for (const std::string_view dtype : kDtypes)
      if (dtype == name) return Name{Name::Kind::label, ElementType::f32};
  return std::nullopt;
}

}  // namespace laban::pickle
