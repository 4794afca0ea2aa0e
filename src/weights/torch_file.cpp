#include "weights/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>

#include "core/error.h"
#include "weights/pickle.h"
#include "weights/zip.h"

namespace laban {
namespace {

using pickle::Dict;
using pickle::Heap;
using pickle::List;
using pickle::Ref;
using pickle::TensorView;
using pickle::Text;

using Bytes = std::span<const std::byte>;

constexpr const char* kSaveAnew =
    "With Python: torch.save(torch.load(\"it.pth\", map_location=\"cpu\"), \"weights.pt\").";

bool begins_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

/// The size of an old file's first pickle, which contains the number 0x1950a86a20f9469cfc6c. 0 if the file
/// begins differently.
size_t old_magic(Bytes bytes) {
  constexpr std::string_view number{"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 13};
  constexpr size_t protocol = 2, frame = 9;  // bytes of opcode and operand; frames from protocol 4 on
  for (const size_t begin : {protocol, protocol + frame})
    if (begins_with(bytes, "\x80") && bytes.size() > begin && begins_with(bytes.subspan(begin), number))
      return begin + number.size();
  return 0;
}
constexpr uint64_t kLongestMagic = 24;
/// The same number as written by protocols 0 and 1.
constexpr std::string_view kTextMagic = "L119547037146038801333356L\n.";

/// By so many of its first bytes a file's format is told.
constexpr uint64_t kBegin = 512;

bool is_tar(Bytes bytes) { return bytes.size() > 262 && begins_with(bytes.subspan(257), "ustar"); }

/// Where a storage's bytes lie in the file.
struct Place {
  uint64_t at = 0, size = 0;
};
/// By key.
using Storages = std::map<std::string, Place, std::less<>>;

/// A tensor may have as many elements as would fit in the file, and always at least this many. An ordinary
/// tensor never has more, but one with strides of 0 takes no space in the file, however large it is; reading
/// it must not need much more memory than the file's size.
constexpr int64_t kAlwaysAllowed = 65536;

/// Locates the tensor in its storage; throws if it extends beyond it.
StoredTensor stored(const TensorView& view, const Storages& storages, const FileBytes& file,
                    const std::string& name) {
  const auto fail = [&](const std::string& what) {
    throw FileError(file.path().string(), text("tensor '", name, "' ", what));
  };
  const auto found = storages.find(view.storage.key);
  if (found == storages.end()) fail(text("is in the storage '", view.storage.key, "', which is missing"));
  const Place place = found->second;
  const auto held = static_cast<int64_t>(place.size / size_of(view.storage.type));
  if (view.shape.size() != view.strides.size())
    fail(text("has ", view.shape.size(), " dimensions, but ", view.strides.size(), " strides"));

  StoredTensor tensor{view.storage.type, view.shape, view.strides, 0};
  int64_t first = 0, last = 0, count = 1;
  bool bad = view.offset < 0 || view.storage.offset < 0 ||
             __builtin_add_overflow(view.storage.offset, view.offset, &first),
       empty = false;
  last = first;
  for (size_t i = 0; i < view.shape.size(); ++i) {
    int64_t reach = 0;
    bad = bad || view.shape[i] < 0 || view.strides[i] < 0 ||
          __builtin_mul_overflow(std::max<int64_t>(0, view.shape[i] - 1), view.strides[i], &reach) ||
          __builtin_add_overflow(last, reach, &last) ||
          __builtin_mul_overflow(count, std::max<int64_t>(1, view.shape[i]), &count);
    empty = empty || view.shape[i] == 0;
  }
  if (bad) fail("has an impossible shape, offset or stride");
  if (empty) return tensor;
  if (last >= held) fail(text("extends to element ", last, " of its storage, which has ", held));
  if (count > kAlwaysAllowed && static_cast<uint64_t>(count) > file.size() / size_of(tensor.type))
    fail(text("has ", count, " elements, more than the file could hold"));
  tensor.first = place.at + static_cast<uint64_t>(first) * size_of(tensor.type);
  return tensor;
}

/// How likely it is that a training program kept the weights to use under a key, most likely last.
enum class Rank { average, other, usual };
constexpr std::array<std::string_view, 10> kUsual{"state_dict", "model_state_dict", "model_state", "model",
                                                  "net",        "network",          "module",      "weights",
                                                  "params",     "model_weights"};

Rank rank_of(std::string_view key) {
  for (const std::string_view average : {"ema", "swa", "averag", "shadow"})
    if (key.find(average) != key.npos) return Rank::average;
  return std::ranges::find(kUsual, key) != kUsual.end() ? Rank::usual : Rank::other;
}

/// The state dict within the saved object.
class Finder {
 public:
  Finder(const Heap& heap, const FileBytes& file) : heap_(heap), file_(file) {}

  /// The tensors by name; other values (such as an epoch) are ignored.
  std::map<std::string, const TensorView*> find(Ref saved) {
    const Dict* dict = heap_.get<Dict>(saved);
    if (heap_.get<TensorView>(saved)) fail("contains a single tensor, not a state dict");
    if (!dict) fail("contains no dictionary of tensors");
    // A checkpoint may have other tensors next to the state dict (a best accuracy, a random state), so look
    // within first.
    look_within(*dict, "", Rank::usual, 0);
    if (const Candidate* inner = chosen(*dict))
      dict = inner->dict;
    else if (!has_tensors(*dict))
      fail(text(
          "contains no state dict, neither directly nor within 'state_dict', 'model' or another key; it has: ",
          keys(*dict)));
    std::map<std::string, const TensorView*> tensors;
    for (const auto& [key, value] : dict->items) {
      const Text* name = heap_.get<Text>(key);
      const TensorView* tensor = heap_.get<TensorView>(value);
      if (name && tensor && !tensors.emplace(name->value, tensor).second)
        fail(text("contains two tensors named '", name->value, "'"));
    }
    return tensors;
  }
  /// What else a person should know, as sentences.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Candidate {
    const Dict* dict;
    std::string where;  // the keys that lead there, with dots
    Rank rank;
  };

  [[noreturn]] void fail(const std::string& what, const std::string& advice =
                                                      "Save a state dict: torch.save(model.state_dict(), "
                                                      "\"weights.pt\").") const {
    throw FileError(file_.path().string(), what, advice);
  }
  bool has_tensors(const Dict& dict) const {
    return std::ranges::any_of(dict.items, [&](const auto& item) {
      return heap_.get<Text>(item.first) && heap_.get<TensorView>(item.second);
    });
  }
  /// Has tensors named like a layer's: by such names a state dict is known under any key.
  bool has_layers(const Dict& dict) const {
    return std::ranges::any_of(dict.items, [&](const auto& item) {
      const Text* name = heap_.get<Text>(item.first);
      return name && heap_.get<TensorView>(item.second) && name->value.ends_with(".weight");
    });
  }
  void look_within(const Dict& dict, const std::string& where, Rank rank, int depth) {
    constexpr int kDeepest = 3;
    for (const auto& [key, value] : dict.items) {
      const Text* name = heap_.get<Text>(key);
      const Dict* inner = heap_.get<Dict>(value);
      if (!name || !inner || !seen_.insert(value).second) continue;
      const Rank inner_rank = std::min(rank, rank_of(name->value));
      const std::string path = where + std::string(name->value);
      if (has_layers(*inner) || (inner_rank != Rank::other && has_tensors(*inner)))
        candidates_.push_back({inner, path, inner_rank});
      else if (depth + 1 < kDeepest)
        look_within(*inner, path + ".", inner_rank, depth + 1);
    }
  }
  /// The one to read; null: the outermost dictionary itself.
  const Candidate* chosen(const Dict& outermost) {
    // Layers of its own beside, say, a dictionary of averages: no wrapper at all.
    if (candidates_.empty() || has_layers(outermost)) return nullptr;
    const Rank best = std::ranges::max(candidates_, {}, &Candidate::rank).rank;
    const Candidate* found = nullptr;
    std::string list;
    for (const Candidate& candidate : candidates_) {
      if (candidate.rank != best) continue;
      if (!list.empty()) list += ", ";
      list += text("'", candidate.where, "' (", candidate.dict->items.size(), " entries)");
      found = found ? found : &candidate;
    }
    const auto as_best = std::ranges::count(candidates_, best, &Candidate::rank);
    if (as_best > 1)
      fail(text("contains several state dicts: ", list),
           text("Save the one that is meant: torch.save(torch.load(\"it.pth\", map_location=\"cpu\")[\"",
                found->where.substr(0, found->where.find('.')), "\"], \"weights.pt\")."));
    std::string others;
    for (const Candidate& candidate : candidates_)
      if (candidate.rank != best) others += text(others.empty() ? "" : ", ", "'", candidate.where, "'");
    if (!others.empty())
      notes_.push_back(
          text("it holds several state dicts; '", found->where, "' is read, ", others, " is not"));
    return found;
  }
  std::string keys(const Dict& dict) const {
    constexpr size_t kShown = 10;
    std::string list;
    for (size_t i = 0; i < std::min(kShown, dict.items.size()); ++i)
      if (const Text* key = heap_.get<Text>(dict.items[i].first))
        list += (list.empty() ? "'" : ", '") + std::string(key->value) + "'";
    return list.empty() ? "nothing" : dict.items.size() > kShown ? list + ", ..." : list;
  }

  const Heap& heap_;
  const FileBytes& file_;
  std::vector<Candidate> candidates_;
  std::unordered_set<Ref> seen_;
  std::vector<std::string> notes_;
};

StateDict assemble(FileBytes file, const Heap& heap, Ref saved, const Storages& storages) {
  std::map<std::string, StoredTensor> tensors;
  Finder finder(heap, file);
  for (const auto& [name, view] : finder.find(saved)) tensors[name] = stored(*view, storages, file, name);
  std::vector<std::string> notes = finder.notes();
  return {std::move(file), std::move(tensors), {}, std::move(notes)};
}

StateDict read_zip(FileBytes file) {
  const ZipReader zip(file);
  std::string root;
  for (const auto& [name, entry] : zip.entries())
    if (name.ends_with("/data.pkl") && name.find('/') == name.size() - 9)
      root = name.substr(0, name.size() - 8);
  const ZipReader::Entry* program = root.empty() ? nullptr : zip.find(root + "data.pkl");
  if (!program)
    throw FileError(file.path().string(), "is a zip file, but not from torch.save: it has no data.pkl");
  if (zip.find(root + "constants.pkl"))
    throw FileError(file.path().string(), "is a TorchScript program, not a state dict",
                    "With Python: torch.save(torch.jit.load(\"it.pt\").state_dict(), \"weights.pt\").");
  zip.verify(root + "data.pkl", *program);
  if (const auto* order = zip.find(root + "byteorder")) {
    zip.verify(root + "byteorder", *order);
    if (!begins_with(zip.read(*order, 16), "little"))
      throw FileError(file.path().string(), "was written on a big-endian machine, which is not supported");
  }

  Heap heap;  // looks into the pickle
  const std::vector<std::byte> pickle = zip.read(*program, pickle::kEnough);
  Bytes bytes = pickle;
  const Ref saved = pickle::load(bytes, heap, file.path());
  Storages storages;
  const std::string folder = root + "data/";
  for (const auto& [name, entry] : zip.entries())
    if (name.starts_with(folder)) {
      zip.verify(name, entry);
      storages[name.substr(folder.size())] = {entry.at, entry.size};
    }
  return assemble(std::move(file), heap, saved, storages);
}

/// The types of a heap's storages, by key.
std::map<std::string_view, ElementType> storage_types(const Heap& heap) {
  std::map<std::string_view, ElementType> types;
  for (Ref ref = 0; ref < heap.size(); ++ref)
    if (const auto* storage = heap.get<pickle::Storage>(ref)) types[storage->key] = storage->type;
  return types;
}

StateDict read_old(FileBytes file) {
  const auto fail = [&](const std::string& what, const std::string& advice = "") {
    throw FileError(file.path().string(), what, advice);
  };
  constexpr uint64_t kPickles = 4;
  const std::vector<std::byte> head = file.read(0, kLongestMagic + kPickles * pickle::kEnough);
  Bytes rest = Bytes(head).subspan(old_magic(head));
  Heap heap;  // looks into the pickles
  const Ref version = pickle::load(rest, heap, file.path());
  if (const auto* number = heap.get<int64_t>(version); !number || *number != 1001)
    fail("was saved in an unknown version of PyTorch's old format", kSaveAnew);
  const Ref machine = pickle::load(rest, heap, file.path());
  Ref little = 0;
  const Dict* facts = heap.get<Dict>(machine);
  if (facts && heap.find(*facts, "little_endian", little) && heap.get<bool>(little) &&
      !*heap.get<bool>(little))
    fail("was written on a big-endian machine, which is not supported");
  const Ref saved = pickle::load(rest, heap, file.path());
  const Ref keys = pickle::load(rest, heap, file.path());
  const List* list = heap.get<List>(keys);
  if (!list) fail("is damaged: the list of its storages is missing");

  const auto types = storage_types(heap);
  uint64_t at = head.size() - rest.size();
  Storages storages;
  for (const Ref ref : list->items) {
    const Text* key = heap.get<Text>(ref);
    const auto type = key ? types.find(key->value) : types.end();
    if (type == types.end()) fail("is damaged: its list of storages contains one that no tensor uses");
    uint64_t elements = 0;
    if (file.size() - at < sizeof(elements)) fail("is truncated: a storage is missing");
    file.read(at, std::as_writable_bytes(std::span(&elements, 1)));
    at += sizeof(elements);
    const size_t size = size_of(type->second);
    if (elements > (file.size() - at) / size)
      fail(text("is truncated: a storage of ", elements, " elements should follow, but only ",
                file.size() - at, " bytes do"),
           "Download or copy it again.");
    storages[std::string(key->value)] = {at, elements * size};
    at += elements * size;
  }
  if (at < file.size()) fail(text("is damaged: ", file.size() - at, " bytes follow its last storage"));
  return assemble(std::move(file), heap, saved, storages);
}

}  // namespace

bool is_torch_file(const FileBytes& file) {
  // 0x80 begins any pickle from protocol 2 on. As the length of a safetensors header it would be odd, but
  // possible; then there is a '{' at byte 8.
  const std::vector<std::byte> begin = file.read(0, kBegin);
  const bool is_pickle = begins_with(begin, "\x80") && !(begin.size() > 8 && begin[8] == std::byte{'{'});
  return ZipReader::recognizes(begin) || is_pickle || is_tar(begin) || begins_with(begin, kTextMagic);
}

StateDict read_torch_file(FileBytes file) {
  const std::vector<std::byte> begin = file.read(0, kBegin);
  if (ZipReader::recognizes(begin)) return read_zip(std::move(file));
  if (is_tar(begin))
    throw FileError(file.path().string(),
                    "was saved by a very old PyTorch, as a tar archive, which is not supported", kSaveAnew);
  if (begins_with(begin, kTextMagic))
    throw FileError(file.path().string(), "was saved with pickle protocol 0 or 1, which is not supported",
                    kSaveAnew);
  if (old_magic(begin) > 0) return read_old(std::move(file));
  throw FileError(file.path().string(), "is a Python pickle, but not from torch.save",
                  "laban reads files from torch.save(model.state_dict(), ...), and safetensors files.");
}

}  // namespace laban
