// The stack machine that runs a pickle: pickle_machine.cpp runs the opcodes, pickle_objects.cpp makes what names
// stand for. For pickle*.cpp only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/error.h"
#include "weights/pickle.h"
#include "weights/pickle_opcodes.h"

namespace laban::pickle {

// The weights of a network with its optimizer's state take some hundred kilobytes of pickle and some thousand
// objects; these limits keep what a hostile file can take to a few hundred megabytes.
constexpr size_t kLargest = kEnough - 1, kMostObjects = size_t{2} << 20;
constexpr size_t kMostCopied = size_t{8} << 20;  // items that go from one container into another

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, Heap& heap, const std::filesystem::path& path)
      : all_(bytes.first(std::min(bytes.size(), kLargest))),
        cut_(bytes.size() > kLargest),
        heap_(heap),
        path_(path) {}

  Ref run();
  size_t length() const { return at_; }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& advice) const;
  [[noreturn]] void damaged(const std::string& what) const {
    fail("its pickle is damaged: " + what, "Copy it anew from where it came from.");
  }
  [[noreturn]] void refuse(std::string name) const;

  // ---- bytes

  std::span<const std::byte> take(uint64_t count);
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
  std::vector<Ref> pop_to_mark();
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
    if (heap_.get<Opaque>(to)) return;
    std::vector<Ref>& list = as<List>(to, "a list").items;
    list.insert(list.end(), items.begin(), items.end());
  }
  void set_items(Ref to, const std::vector<Ref>& items) {
    if (heap_.get<Opaque>(to)) return;
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

  void push_name(std::string_view module, std::string_view name);

  int64_t whole(Ref ref) { return as<int64_t>(ref, "a whole number"); }
  std::vector<int64_t> wholes(Ref ref);

  /// ('storage', type, key, device, elements [, (key of a view, offset, elements)])
  void storage();

  void call();

  /// Attributes of an object. Those of a record are what it consists of; those of a state dict (its version
  /// numbers) mean nothing here.
  void build();

  void new_object();

  void step(Op op);

  /// Little-endian two's complement of any length; only what fits 64 bits is a number that weights need.
  static Object long_number(std::span<const std::byte> bytes);

  [[noreturn]] void refuse_opcode(uint8_t op) const;

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

}  // namespace laban::pickle
