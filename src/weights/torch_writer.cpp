// torch.save's zip file: a pickle of an ordered dictionary, and a storage for each tensor.
#include <limits>

#include "core/error.h"
#include "weights/export.h"
#include "weights/zip.h"

namespace laban {
namespace {

/// Writes protocol 2, as torch.save does. The memo is not used: only short names occur more than once.
class PickleWriter {
 public:
  PickleWriter() { out_ = "\x80\x02"; }

  void op(char code) { out_ += code; }
  void global(std::string_view module, std::string_view name) {
    out_ += 'c';
    out_ += module;
    out_ += '\n';
    out_ += name;
    out_ += '\n';
  }
  void text(std::string_view value) {
    out_ += 'X';
    raw(static_cast<uint32_t>(value.size()));
    out_ += value;
  }
  void whole(int64_t value) {
    if (value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max()) {
      out_ += 'J';
      raw(static_cast<int32_t>(value));
    } else {
      out_ += "\x8a\x08";
      raw(value);
    }
  }
  void tuple(const std::vector<int64_t>& values) {
    op('(');
    for (const int64_t value : values) whole(value);
    op('t');
  }
  void empty_ordered_dict() {
    global("collections", "OrderedDict");
    op(')');
    op('R');
  }
  const std::string& finish() {
    op('.');
    return out_;
  }

 private:
  template <class T>
  void raw(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  std::string out_;
};

std::string_view storage_name(ElementType type) {
  switch (type) {
    case ElementType::f64:
      return "DoubleStorage";
    case ElementType::f32:
      return "FloatStorage";
    case ElementType::f16:
      return "HalfStorage";
    case ElementType::bf16:
      return "BFloat16Storage";
    case ElementType::i64:
      return "LongStorage";
    default:
      throw std::logic_error("write_torch_file: no weights have this type");
  }
}

std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0; stride *= shape[i]) strides[i] = stride;
  return strides;
}

/// torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)
void write_tensor(PickleWriter& pickle, const ExportedTensor& tensor, const std::string& key) {
  pickle.global("torch._utils", "_rebuild_tensor_v2");
  pickle.op('(');
  pickle.op('(');
  pickle.text("storage");
  pickle.global("torch", storage_name(tensor.type));
  pickle.text(key);
  pickle.text("cpu");
  pickle.whole(static_cast<int64_t>(tensor.bytes.size() / size_of(tensor.type)));
  pickle.op('t');
  pickle.op('Q');  // the tuple is a persistent id: the storage itself is elsewhere in the zip file
  pickle.whole(0);
  pickle.tuple(tensor.shape);
  pickle.tuple(contiguous_strides(tensor.shape));
  pickle.op('\x89');
  pickle.empty_ordered_dict();
  pickle.op('t');
  pickle.op('R');
}

}  // namespace

void write_torch_file(const std::filesystem::path& path, std::span<const ExportedTensor> state) {
  PickleWriter pickle;
  pickle.empty_ordered_dict();
  pickle.op('(');
  for (size_t i = 0; i < state.size(); ++i) {
    pickle.text(state[i].name);
    write_tensor(pickle, state[i], std::to_string(i));
  }
  pickle.op('u');

  ZipWriter zip(path);
  const auto add = [&](const std::string& name, std::string_view text) {
    zip.add("archive/" + name, std::as_bytes(std::span(text)));
  };
  add("data.pkl", pickle.finish());
  add("byteorder", "little");
  for (size_t i = 0; i < state.size(); ++i) zip.add("archive/data/" + std::to_string(i), state[i].bytes);
  add("version", "3\n");
  zip.finish();
}

}  // namespace laban
