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
    Allowed{"types", "SimpleNamespace", Name::Kind::opaque},
    Allowed{"collections", "defaultdict", Name::Kind::default_dict},
    Allowed{"collections", "deque", Name::Kind::opaque},
    Allowed{"builtins", "list", Name::Kind::label},
    Allowed{"__builtin__", "list", Name::Kind::label},
    Allowed{"builtins", "dict", Name::Kind::label},
    Allowed{"__builtin__", "dict", Name::Kind::label},
    Allowed{"builtins", "int", Name::Kind::label},
    Allowed{"__builtin__", "int", Name::Kind::label},
    Allowed{"builtins", "float", Name::Kind::label},
    Allowed{"__builtin__", "float", Name::Kind::label},
    Allowed{"numpy", "dtype", Name::Kind::opaque},
    Allowed{"numpy", "ndarray", Name::Kind::label},
    Allowed{"numpy.core.multiarray", "scalar", Name::Kind::opaque},
    Allowed{"numpy._core.multiarray", "scalar", Name::Kind::opaque},
    Allowed{"numpy.core.multiarray", "_reconstruct", Name::Kind::opaque},
    Allowed{"numpy._core.multiarray", "_reconstruct", Name::Kind::opaque},
    Allowed{"numpy._core.numeric", "_frombuffer", Name::Kind::opaque},
    Allowed{"numpy.core.numeric", "_frombuffer", Name::Kind::opaque},
    Allowed{"_codecs", "encode", Name::Kind::opaque},  // bytes, as protocol 2 writes them
    Allowed{"datetime", "datetime", Name::Kind::opaque},
    Allowed{"datetime", "date", Name::Kind::opaque},
    Allowed{"datetime", "timedelta", Name::Kind::opaque},
    Allowed{"pathlib", "PosixPath", Name::Kind::opaque},
    Allowed{"pathlib", "PurePosixPath", Name::Kind::opaque},
    Allowed{"pathlib", "WindowsPath", Name::Kind::opaque},
    Allowed{"pathlib", "PureWindowsPath", Name::Kind::opaque},
    Allowed{"pathlib._local", "PosixPath", Name::Kind::opaque},
    Allowed{"torch.torch_version", "TorchVersion", Name::Kind::opaque},
    Allowed{"yacs.config", "CfgNode", Name::Kind::opaque},
    Allowed{"fvcore.common.config", "CfgNode", Name::Kind::opaque},
    Allowed{"easydict", "EasyDict", Name::Kind::opaque},
    Allowed{"addict.addict", "Dict", Name::Kind::opaque},
    Allowed{"mmcv.utils.config", "ConfigDict", Name::Kind::opaque},
    Allowed{"mmengine.config.config", "ConfigDict", Name::Kind::opaque},
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
