// Python's pickle format, restricted to what a file of weights needs. Nothing is ever executed.
//
// A pickle is a program for a stack machine whose opcodes build objects; to load one the ordinary way is to
// let it call anything. This reader builds numbers, texts, plain containers and descriptions of tensors. A
// name (the GLOBAL opcode) is looked up in a short list of such things; any other ends the reading with an
// error that says the name.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/element_type.h"

namespace laban::pickle {

/// Objects refer to each other by their position in the heap, as pickles may share them and make circles.
using Ref = uint32_t;

struct None {};
/// Something that checkpoints hold beside weights and that no weights need: a number beyond 64 bits (a seed),
/// a device, a number or an array of NumPy, a date. What it was is forgotten, and what is put into it too.
struct Opaque {};
struct Text {
  std::string_view value;  // in the pickle's own bytes; UTF-8, or Latin-1 from Python 2
};
struct List {  // a list, a tuple or a set
  std::vector<Ref> items;
};
struct Dict {  // a dictionary, ordered, or the attributes of a plain record
  std::vector<std::pair<Ref, Ref>> items;
};
/// One of the names that may occur.
struct Name {
  enum class Kind {
    ordered_dict,
    default_dict,  // collections.defaultdict: an empty dictionary, whatever makes its values
    copy,          // makes a container from another: Counter, set, Size
    record,        // a class whose objects are plain attributes: argparse.Namespace
    storage,
    rebuild_tensor,
    rebuild_parameter,
    label,   // a value in itself: torch.float32
    opaque,  // makes an Opaque, whatever it is given: torch.device, numpy.dtype
  };
  Kind kind = Kind::label;
  ElementType type = ElementType::f32;  // of a storage
};
/// A piece of memory that tensors look into; its bytes are elsewhere in the file.
struct Storage {
  ElementType type = ElementType::f32;
  std::string_view key;
  int64_t elements = 0;  // of the whole storage `key`
  int64_t offset = 0;    // elements before the part that is meant (in old files a storage may view another)
};
/// Not checked against the storage's size: whoever has the bytes must.
struct TensorView {
  Storage storage;
  int64_t offset = 0;  // elements, from the storage's part
  std::vector<int64_t> shape, strides;
};

using Object = std::variant<None, Opaque, bool, int64_t, double, Text, List, Dict, Name, Storage, TensorView>;

class Heap {
 public:
  const Object& operator[](Ref ref) const { return objects_[ref]; }
  Object& operator[](Ref ref) { return objects_[ref]; }
  Ref add(Object object) {
    objects_.push_back(std::move(object));
    return static_cast<Ref>(objects_.size() - 1);
  }
  size_t size() const { return objects_.size(); }

  /// The object as T, or null where it is something else.
  template <class T>
  const T* get(Ref ref) const {
    return std::get_if<T>(&objects_[ref]);
  }
  /// The value of a dictionary's text key; false where it has none.
  bool find(const Dict& dict, std::string_view key, Ref& value) const;

 private:
  std::deque<Object> objects_;  // references stay good while it grows
};

/// No pickle is read beyond this many bytes: what follows them need not be there.
constexpr uint64_t kEnough = (uint64_t{16} << 20) + 1;

/// Runs one pickle at the beginning of `bytes` and returns its result, which lies in `heap`; `bytes` is moved
/// to what follows it. `path` is for messages. Throws FileError for a pickle that is damaged or too large, or
/// that names anything but what is listed above.
Ref load(std::span<const std::byte>& bytes, Heap& heap, const std::filesystem::path& path);

}  // namespace laban::pickle
