// An arena planned by a dry run.
//
// The same layer code runs twice. In the dry run (State::planning) every take() is answered by a symbolic
// first-fit allocator over offsets, every release gives its range back for reuse, and the peak is noted; no
// op runs. commit() then allocates that peak once, and from there on (State::running) the n-th take() of a
// pass simply returns the n-th recorded place: no search, no allocation, the same addresses in every step
// (which is what lets a CUDA step be captured into a graph).
//
// A Value is a counted view of such a place: copying it shares the tensor, and the place is free for reuse
// once the last copy is gone. Layers keep the tensors that backward needs as named Value members.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/memory.h"
#include "core/tensor.h"

namespace laban {

class Arena;
class Backend;

class Value {
 public:
  Value() = default;
  /// A view of memory that someone else owns (the clip batch, for instance); never counted.
  static Value external(const Tensor& tensor) {
    Value v;
    v.tensor_ = tensor;
    return v;
  }
  Value(const Value& other);
  Value(Value&& other) noexcept
      : arena_(std::exchange(other.arena_, nullptr)),
        slot_(other.slot_),
        pass_(other.pass_),
        tensor_(std::exchange(other.tensor_, {})) {}
  Value& operator=(Value other) noexcept {
    std::swap(arena_, other.arena_);
    std::swap(slot_, other.slot_);
    std::swap(pass_, other.pass_);
    std::swap(tensor_, other.tensor_);
    return *this;
  }
  ~Value() { reset(); }

  void reset();
  /// The tensor. In a dry run its data is a non-null token that must not be dereferenced.
  const Tensor& tensor() const { return tensor_; }
  const Shape& shape() const { return tensor_.shape; }
  bool empty() const { return tensor_.data == nullptr; }
  explicit operator bool() const { return !empty(); }
  /// True where no other Value shares the place, so that it may be overwritten in place.
  bool unique() const;
  /// The same place under another shape.
  Value reshaped(Shape shape) const {
    Value v = *this;
    v.tensor_ = tensor_.reshaped(shape);
    return v;
  }

 private:
  friend class Arena;
  Arena* arena_ = nullptr;
  int slot_ = -1;
  uint64_t pass_ = 0;  // the pass it was taken in: a value of an abandoned pass owns nothing
  Tensor tensor_;
};

class Arena {
 public:
  enum class State { planning, running };

  explicit Arena(Backend& backend) : backend_(backend) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  State state() const { return state_; }
  bool planning() const { return state_ == State::planning; }

  /// Starts a pass (a step, or an evaluation of one batch). Every Value of the previous pass must be gone.
  void begin_pass();
  /// Ends planning: allocates the peak of the recorded pass.
  void commit();
  /// Ends a pass that did not run to its end (an error, an abort): forgets live places.
  void abandon_pass();

  /// Uninitialized memory, 64-byte aligned. In a running pass it must ask for what the dry run asked for.
  Value take(const Shape& shape, DType dtype);

  size_t peak_bytes() const { return peak_; }
  /// Fills released places with NaN patterns (0xFF bytes), so that use after release shows. For tests.
  void poison_released(bool on) { poison_ = on; }

 private:
  friend class Value;
  struct Slot {
    size_t offset = 0, bytes = 0;
    int owners = 0;
  };
  /// The slot of a value, or null where its pass was abandoned.
  Slot* slot_of(const Value& value) {
    return value.pass_ == pass_ ? &slots_[static_cast<size_t>(value.slot_)] : nullptr;
  }
  void release(const Value& value);
  size_t place(size_t bytes);  // symbolic first fit

  Backend& backend_;
  State state_ = State::planning;
  std::vector<Slot> slots_;  // in order of take()
  uint64_t pass_ = 0;        // counts begun and abandoned passes
  size_t cursor_ = 0;        // next slot of a running pass
  int live_ = 0;
  size_t peak_ = 0;
  std::vector<std::pair<size_t, size_t>> used_;  // planning: [begin, end) ranges in use, sorted
  std::unique_ptr<Memory> memory_;
  bool poison_ = false;
};

}  // namespace laban
