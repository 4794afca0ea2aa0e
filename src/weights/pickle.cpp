#include "weights/pickle.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "weights/pickle_names.h"

namespace laban::pickle {
namespace {

// The weights of a network with its optimizer's state take some hundred kilobytes of pickle and some thousand
// objects; these limits keep what a hostile file can take to a few hundred megabytes.
constexpr size_t kLargest = size_t{16} << 20, kMostObjects = size_t{2} << 20;
constexpr size_t kMostCopied = size_t{8} << 20;  // items that go from one container into another

/// The opcodes, by the names that Python's pickletools gives them.
enum class Op : uint8_t {
  mark = '(',
  stop = '.',
  pop = '0',
  pop_mark = '1',
  dup = '2',
  binfloat = 'G',
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  none = 'N',
  binpersid = 'Q',
  reduce = 'R',
  binstring = 'T',
  short_binstring = 'U',
  binunicode = 'X',
  append = 'a',
  build = 'b',
  global = 'c',
  dict = 'd',
  inst = 'i',
  appends = 'e',
  binget = 'h',
  long_binget = 'j',
  list = 'l',
  binput = 'q',
  long_binput = 'r',
  setitem = 's',
  tuple = 't',
  setitems = 'u',
  empty_dict = '}',
  empty_list = ']',
  empty_tuple = ')',
  proto = 0x80,
  newobj = 0x81,
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  newtrue = 0x88,
  newfalse = 0x89,
  long1 = 0x8a,
  short_binunicode = 0x8c,
  empty_set = 0x8f,
  additems = 0x90,
  stack_global = 0x93,
  memoize = 0x94,
  frame = 0x95,
};

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, Heap& heap, const std::filesystem::path& path)
      : all_(bytes.first(std::min(bytes.size(), kLargest))),
        cut_(bytes.size() > kLargest),
        heap_(heap),
        path_(path) {}

  Ref run() {
    while (true) {
      opcode_at_ = at_;
      const auto op = static_cast<Op>(number<uint8_t>());
      if (op == Op::stop) break;
      step(op);
    }
    if (!marks_.empty()) damaged("it ends within a container");
    return pop();
  }
  size_t length() const { return at_; }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& advice) const {
    throw FileError(path_.string(), text(what, " (byte ", opcode_at_, " of its pickle)"), advice);
  }
  [[noreturn]] void damaged(const std::string& what) const {
    fail("its pickle is damaged: " + what, "Copy it anew from where it came from.");
  }
  [[noreturn]] void refuse(std::string name) const {
    for (char& c : name)  // a name may hold anything, and ends up on a terminal
      if (!std::isprint(static_cast<unsigned char>(c))) c = '?';
    fail(text("holds '", name, "', which is neither a tensor nor a plain container; laban executes nothing"),
         "If you trust the file, take the weights out with Python: torch.save(model.state_dict(), "
         "\"weights.pt\").");
  }

  // ---- bytes

  std::span<const std::byte> take(uint64_t count) {
    if (count > all_.size() - at_) {
      if (cut_)
        fail(text("has a pickle of more than ", kLargest >> 20, " MiB"), "No file of weights needs that.");
      damaged("it is cut off");
    }
    const auto taken = all_.subspan(at_, count);
    at_ += count;
    return taken;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view text_of(uint64_t bytes) {
    const auto taken = take(bytes);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  std::string_view line() {
    const size_t begin = at_;
    while (number<char>() != '\n') {
    }
    return {reinterpret_cast<const char*>(all_.data()) + begin, at_ - begin - 1};
  }

  // ---- the stack

  void push(Ref ref) {
    if (stack_.size() >= kMostObjects) fail("has a pickle of too many objects", "");
    stack_.push_back(ref);
  }
  Ref add(Object object) {
    if (heap_.size() >= kMostObjects) fail("has a pickle of too many objects", "");
    return heap_.add(std::move(object));
  }
  void push_new(Object object) { push(add(std::move(object))); }
  /// How many objects lie above the last mark.
  size_t above_mark() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  Ref pop() {
    if (above_mark() == 0) damaged("it takes more from the stack than there is");
    const Ref top = stack_.back();
    stack_.pop_back();
    return top;
  }
  Ref top() {
    const Ref top = pop();
    stack_.push_back(top);
    return top;
  }
  /// All down to the last mark, which goes as well.
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) damaged("a mark is missing");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Ref> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  std::vector<Ref> pop_last(size_t count) {
    std::vector<Ref> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    return items;
  }
  template <class T>
  T& as(Ref ref, const char* wanted) {
    T* object = std::get_if<T>(&heap_[ref]);
    if (!object) damaged(text(wanted, " is expected"));
    return *object;
  }

  // ---- containers

  /// A few bytes can ask for a large container to be copied, again and again; this bounds it.
  void spend(size_t items) {
    copied_ += items;
    if (copied_ > kMostCopied) fail("has a pickle of too many objects", "");
  }
  void add_items(Ref to, const std::vector<Ref>& items) {
    std::vector<Ref>& list = as<List>(to, "a list").items;
    list.insert(list.end(), items.begin(), items.end());
  }
  void set_items(Ref to, const std::vector<Ref>& items) {
    Dict& dict = as<Dict>(to, "a dictionary");
    if (items.size() % 2 != 0) damaged("a key has no value");
    for (size_t i = 0; i < items.size(); i += 2) dict.items.emplace_back(items[i], items[i + 1]);
  }

  // ---- the memo

  void remember(uint32_t place) { memo_[place] = top(); }
  void recall(uint32_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) damaged(text("object ", place, " of its memo was never put there"));
    push(found->second);
  }

  // ---- names and what they stand for

  void push_name(std::string_view module, std::string_view name) {
    const auto allowed = allowed_name(module, name);
    if (!allowed) refuse(std::string(module) + "." + std::string(name));
    push_new(*allowed);
  }

  int64_t whole(Ref ref) { return as<int64_t>(ref, "a whole number"); }
  std::vector<int64_t> wholes(Ref ref) {
    const std::vector<Ref>& items = as<List>(ref, "a tuple of whole numbers").items;
    spend(items.size());
    std::vector<int64_t> numbers;
    for (const Ref item : items) numbers.push_back(whole(item));
    return numbers;
  }

  /// ('storage', type, key, device, elements [, (key of a view, offset, elements)])
  void storage() {
    const std::vector<Ref>& id = as<List>(pop(), "a tuple").items;
    if (id.empty()) damaged("an empty persistent id");
    const std::string_view what = as<Text>(id[0], "a text").value;
    if (what != "storage") refuse("persistent " + std::string(what));
    if (id.size() < 5) damaged("a storage lacks some of its description");
    const Name& type = as<Name>(id[1], "a storage's type");
    if (type.kind != Name::Kind::storage) damaged("a storage's type is expected");
    Storage storage{type.type, as<Text>(id[2], "a text").value, whole(id[4]), 0};
    if (id.size() > 5 && heap_.get<List>(id[5])) {
      const std::vector<Ref>& view = heap_.get<List>(id[5])->items;
      if (view.size() != 3) damaged("a view of a storage lacks some of its description");
      storage.offset = whole(view[1]);
    }
    push_new(storage);
  }

  void call() {
    const std::vector<Ref>& arguments = as<List>(pop(), "a tuple of arguments").items;
    const Name& name = as<Name>(pop(), "something that can be called");
    const auto argument = [&](size_t i) {
      if (i >= arguments.size()) damaged("an argument is missing");
      return arguments[i];
    };
    switch (name.kind) {
      case Name::Kind::ordered_dict: {
        const Ref made = add(Dict{});
        // Python 2 hands over a list of pairs, Python 3 sets the items afterwards.
        if (!arguments.empty()) {
          const std::vector<Ref>& pairs = as<List>(arguments[0], "a list of pairs").items;
          spend(pairs.size());
          for (const Ref pair : pairs) {
            const std::vector<Ref>& items = as<List>(pair, "a pair").items;
            if (items.size() != 2) damaged("a pair is expected");
            set_items(made, items);
          }
        }
        return push(made);
      }
      case Name::Kind::copy:
        return push(argument(0));
      case Name::Kind::opaque:
        return push_new(Opaque{});
      case Name::Kind::rebuild_tensor: {
        TensorView tensor;
        tensor.storage = as<Storage>(argument(0), "a storage");
        tensor.offset = whole(argument(1));
        tensor.shape = wholes(argument(2));
        tensor.strides = wholes(argument(3));
        return push_new(std::move(tensor));
      }
      case Name::Kind::rebuild_parameter:
        as<TensorView>(argument(0), "a tensor");
        return push(argument(0));
      case Name::Kind::record:
      case Name::Kind::storage:
      case Name::Kind::label:
        damaged("a type is called");
    }
  }

  /// Attributes of an object. Those of a record are what it consists of; those of a state dict (its version
  /// numbers) mean nothing here.
  void build() {
    const Ref state = pop();
    const Ref object = top();
    if (records_.contains(object)) {
      const Dict& attributes = as<Dict>(state, "a dictionary of attributes");
      spend(attributes.items.size());
      heap_[object] = attributes;
    } else {
      as<Dict>(object, "an object that has attributes");
    }
  }

  void new_object() {
    as<List>(pop(), "a tuple of arguments");
    if (as<Name>(pop(), "a class").kind != Name::Kind::record) damaged("an object of a type without any");
    push_new(Dict{});
    records_.insert(top());
  }

  void step(Op op) {
    switch (op) {
      case Op::proto:
        if (number<uint8_t>() > 5) damaged("its protocol is unknown");
        return;
      case Op::frame:
        take(8);
        return;
      case Op::mark:
        if (marks_.size() >= kMostObjects) fail("has a pickle of too many objects", "");
        marks_.push_back(stack_.size());
        return;
      case Op::pop:
        pop();
        return;
      case Op::pop_mark:
        pop_to_mark();
        return;
      case Op::dup:
        return push(top());

      case Op::none:
        return push_new(None{});
      case Op::newtrue:
        return push_new(true);
      case Op::newfalse:
        return push_new(false);
      case Op::binint:
        return push_new(int64_t{number<int32_t>()});
      case Op::binint1:
        return push_new(int64_t{number<uint8_t>()});
      case Op::binint2:
        return push_new(int64_t{number<uint16_t>()});
      case Op::long1:
        return push_new(long_number(take(number<uint8_t>())));
      case Op::binfloat:
        return push_new(std::bit_cast<double>(__builtin_bswap64(number<uint64_t>())));
      case Op::short_binstring:
      case Op::short_binunicode:
        return push_new(Text{text_of(number<uint8_t>())});
      case Op::binstring:
      case Op::binunicode:
        return push_new(Text{text_of(number<uint32_t>())});

      case Op::empty_tuple:
      case Op::empty_list:
      case Op::empty_set:
        return push_new(List{});
      case Op::empty_dict:
        return push_new(Dict{});
      case Op::tuple:
      case Op::list:
        return push_new(List{pop_to_mark()});
      case Op::tuple1:
        return push_new(List{pop_last(1)});
      case Op::tuple2:
        return push_new(List{pop_last(2)});
      case Op::tuple3:
        return push_new(List{pop_last(3)});
      case Op::dict: {
        const std::vector<Ref> items = pop_to_mark();
        const Ref made = add(Dict{});
        set_items(made, items);
        return push(made);
      }
      case Op::append: {
        const std::vector<Ref> item = pop_last(1);
        return add_items(top(), item);
      }
      case Op::appends:
      case Op::additems: {
        const std::vector<Ref> items = pop_to_mark();
        return add_items(top(), items);
      }
      case Op::setitem: {
        const std::vector<Ref> items = pop_last(2);
        return set_items(top(), items);
      }
      case Op::setitems: {
        const std::vector<Ref> items = pop_to_mark();
        return set_items(top(), items);
      }

      case Op::binput:
        return remember(number<uint8_t>());
      case Op::long_binput:
        return remember(number<uint32_t>());
      case Op::memoize:
        return remember(static_cast<uint32_t>(memo_.size()));
      case Op::binget:
        return recall(number<uint8_t>());
      case Op::long_binget:
        return recall(number<uint32_t>());

      case Op::global: {
        const std::string_view module = line(), name = line();
        return push_name(module, name);
      }
      case Op::inst: {
        const std::string_view module = line(), name = line();
        if (!allowed_name(module, name)) refuse(std::string(module) + "." + std::string(name));
        break;
      }
      case Op::stack_global: {
        const Ref name = pop(), module = pop();
        return push_name(as<Text>(module, "a text").value, as<Text>(name, "a text").value);
      }
      case Op::binpersid:
        return storage();
      case Op::reduce:
        return call();
      case Op::newobj:
        return new_object();
      case Op::build:
        return build();
      case Op::stop:
        return;
    }
    // Others do not occur in weights, or are ways to call things.
    refuse_opcode(static_cast<uint8_t>(op));
  }

  /// Little-endian two's complement of any length; only what fits 64 bits is a number that weights need.
  static Object long_number(std::span<const std::byte> bytes) {
    if (bytes.size() > 8) return Opaque{};
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) value |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
    const size_t unused = 64 - 8 * bytes.size();
    if (unused == 64) return int64_t{0};
    return static_cast<int64_t>(value << unused) >> unused;
  }

  [[noreturn]] void refuse_opcode(uint8_t op) const {
    fail(std::isprint(op)
             ? text("its pickle has the opcode '", static_cast<char>(op), "', which no weights need")
             : text("its pickle has the opcode ", static_cast<int>(op), ", which no weights need"),
         "It is damaged, holds other objects than tensors, or was written with a very old pickle protocol. "
         "With Python: "
         "torch.save(torch.load(\"it.pth\", map_location=\"cpu\"), \"weights.pt\").");
  }

  std::span<const std::byte> all_;
  bool cut_;
  Heap& heap_;
  const std::filesystem::path& path_;
  size_t at_ = 0, opcode_at_ = 0;
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, Ref> memo_;
  std::unordered_set<Ref> records_;  // objects of plain classes
  size_t copied_ = 0;
};

}  // namespace

bool Heap::find(const Dict& dict, std::string_view key, Ref& value) const {
  for (const auto& [name, item] : dict.items) {
    const Text* text = get<Text>(name);
    if (text && text->value == key) {
      value = item;
      return true;
    }
  }
  return false;
}

Ref load(std::span<const std::byte>& bytes, Heap& heap, const std::filesystem::path& path) {
  Machine machine(bytes, heap, path);
  const Ref result = machine.run();
  bytes = bytes.subspan(machine.length());
  return result;
}

}  // namespace laban::pickle
