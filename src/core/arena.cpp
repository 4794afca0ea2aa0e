#include "core/arena.h"

#include <algorithm>
#include <cstring>

#include "core/backend.h"

namespace laban {
namespace {
constexpr size_t kAlignment = 64;
constexpr uintptr_t kToken = kAlignment;  // data of a planned tensor is offset + kToken: never null
size_t rounded(size_t bytes) {
  return std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
}
}  // namespace

Value::Value(const Value& other)
    : arena_(other.arena_), slot_(other.slot_), pass_(other.pass_), tensor_(other.tensor_) {
  if (!arena_) return;
  if (Arena::Slot* slot = arena_->slot_of(*this)) ++slot->owners;
}

void Value::reset() {
  if (arena_) arena_->release(*this);
  arena_ = nullptr;
  slot_ = -1;
  tensor_ = {};
}

bool Value::unique() const {
  if (!arena_) return false;
  const Arena::Slot* slot = arena_->slot_of(*this);
  return slot && slot->owners == 1;
}

void Arena::begin_pass() {
  require(live_ == 0, "Arena::begin_pass: values of the previous pass are still alive");
  ++pass_;
  cursor_ = 0;
  if (planning()) {
    slots_.clear();
    used_.clear();
    peak_ = 0;
  }
}

void Arena::abandon_pass() {
  ++pass_;
  live_ = 0;
  used_.clear();
}

void Arena::commit() {
  require(planning(), "Arena::commit: already committed");
  require(live_ == 0, "Arena::commit: values of the dry run are still alive");
  memory_ = backend_.allocate(std::max(peak_, kAlignment));
  state_ = State::running;
}

size_t Arena::place(size_t bytes) {
  // First fit: the lowest gap between used ranges that is large enough.
  size_t at = 0;
  auto next = used_.begin();
  for (; next != used_.end(); ++next) {
    if (next->first - at >= bytes) break;
    at = next->second;
  }
  used_.insert(next, {at, at + bytes});
  peak_ = std::max(peak_, at + bytes);
  return at;
}

Value Arena::take(const Shape& shape, DType dtype) {
  const size_t bytes = rounded(static_cast<size_t>(shape.count()) * size_of(dtype));
  void* data = nullptr;
  if (planning()) {
    slots_.push_back({place(bytes), bytes, 0});
    data = reinterpret_cast<void*>(slots_.back().offset + kToken);
  } else {
    require(cursor_ < slots_.size() && slots_[cursor_].bytes == bytes,
            "Arena::take: this pass differs from the planned one");
    data = static_cast<std::byte*>(memory_->data()) + slots_[cursor_].offset;
  }
  Value value = Value::external(Tensor(data, dtype, shape, backend_.device()));
  value.arena_ = this;
  value.slot_ = static_cast<int>(cursor_);
  value.pass_ = pass_;
  slots_[cursor_].owners = 1;
  ++cursor_;
  ++live_;
  return value;
}

void Arena::release(const Value& value) {
  Slot* of_value = slot_of(value);
  if (!of_value || --of_value->owners > 0) return;
  const Slot& slot = *of_value;
  --live_;
  if (planning()) {
    used_.erase(
        std::find_if(used_.begin(), used_.end(), [&](const auto& r) { return r.first == slot.offset; }));
  } else if (poison_) {
    require(backend_.device() == Device::cpu, "Arena: poisoning needs host memory");
    std::memset(static_cast<std::byte*>(memory_->data()) + slot.offset, 0xFF, slot.bytes);
  }
}

}  // namespace laban
