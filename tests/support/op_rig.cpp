#include "support/op_rig.h"

#include <algorithm>
#include <atomic>

#include "support/host_tensor.h"

namespace laban::test {
namespace {

constexpr size_t kGuard = 256;  // a multiple of every alignment that a backend may count on
constexpr std::byte kPoison{0xFF};

bool is_float(DType dtype) { return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16; }
/// `bytes` is not memory.bytes(): a backend may round allocations up.
Tensor whole(Backend& backend, Memory& memory, size_t bytes) {
  return Tensor(memory.data(), DType::u8, Shape::vector(static_cast<int64_t>(bytes)), backend.device());
}

}  // namespace

Fill normal(double std, double mean) {
  return [=](Rng& rng) { return mean + std * rng.normal(); };
}
Fill uniform(double low, double high) {
  return [=](Rng& rng) { return rng.uniform(low, high); };
}
Fill integers(int64_t low, int64_t high) {
  return [=](Rng& rng) { return static_cast<double>(rng.integer(low, high)); };
}
Fill relu_of_normal() {
  return [](Rng& rng) { return std::max(rng.normal(), 0.0); };
}
Fill constant(double value) {
  return [=](Rng&) { return value; };
}
Fill sequence(std::vector<double> values) {
  return
      [values = std::move(values), next = size_t{0}](Rng&) mutable { return values[next++ % values.size()]; };
}

uint64_t OpRig::new_weights_version() {
  static std::atomic<uint64_t> last{1000};
  return ++last;
}

Tensor OpRig::in(std::string name, Shape shape, DType dtype, const Fill& fill) {
  return make(std::move(name), shape, dtype, Kind::in, fill);
}
Tensor OpRig::out(std::string name, Shape shape, DType dtype) {
  return make(std::move(name), shape, dtype, Kind::out, {});
}
Tensor OpRig::inout(std::string name, Shape shape, DType dtype, const Fill& fill) {
  return make(std::move(name), shape, dtype, Kind::inout, fill);
}

Tensor OpRig::make(std::string name, Shape shape, DType dtype, Kind kind, const Fill& fill) {
  const DType stored = oracle_ && is_float(dtype) ? DType::f64 : dtype;
  const size_t payload = static_cast<size_t>(shape.count()) * size_of(stored);
  Buffer& buffer = buffers_.emplace_back();
  buffer.name = std::move(name);
  buffer.kind = kind;
  buffer.wanted = dtype;
  buffer.memory = backend_.allocate(payload + 2 * kGuard);
  // The guard behind begins at the very byte after the last element: no slack that would hide an overrun by
  // one.
  buffer.initial.assign(payload + 2 * kGuard, kPoison);
  buffer.tensor =
      Tensor(static_cast<std::byte*>(buffer.memory->data()) + kGuard, stored, shape, backend_.device());
  write(buffer, fill);
  return buffer.tensor;
}

void OpRig::write(Buffer& buffer, const Fill& fill) {
  if (fill) {
    Rng rng(seed_, Purpose::test, fills_++);
    for (int64_t i = 0; i < buffer.tensor.count(); ++i)
      store_element(buffer.initial.data() + kGuard, buffer.tensor.dtype, i,
                    rounded(fill(rng), buffer.wanted));
  }
  backend_.upload(whole(backend_, *buffer.memory, buffer.initial.size()), buffer.initial.data());
}

void OpRig::refill(const Tensor& tensor, const Fill& fill) {
  for (Buffer& buffer : buffers_)
    if (buffer.tensor.data == tensor.data) return write(buffer, fill);
  require(false, "OpRig::refill: not a tensor of this rig");
}

std::vector<std::byte> OpRig::contents(Buffer& buffer) {
  std::vector<std::byte> bytes(buffer.initial.size());
  backend_.download(bytes.data(), whole(backend_, *buffer.memory, bytes.size()));
  return bytes;
}

std::vector<OpRig::Result> OpRig::results() {
  std::vector<Result> results;
  for (Buffer& buffer : buffers_) {
    if (buffer.kind != Kind::out && buffer.kind != Kind::inout) continue;
    const std::vector<std::byte> bytes = contents(buffer);
    results.push_back(
        {buffer.name, buffer.wanted, buffer.tensor.dtype, {bytes.begin() + kGuard, bytes.end() - kGuard}});
  }
  return results;
}

std::vector<std::string> OpRig::violations() {
  std::vector<std::string> found;
  for (Buffer& buffer : buffers_) {
    const std::vector<std::byte> bytes = contents(buffer);
    const auto poisoned = [](auto begin, auto end) {
      return std::all_of(begin, end, [](std::byte b) { return b == kPoison; });
    };
    if (!poisoned(bytes.begin(), bytes.begin() + kGuard))
      found.push_back(buffer.name + ": written before its begin");
    if (!poisoned(bytes.end() - kGuard, bytes.end()))
      found.push_back(buffer.name + ": written beyond its end");
    if (buffer.kind == Kind::in && bytes != buffer.initial)
      found.push_back(buffer.name + ": an input was changed");
  }
  return found;
}

}  // namespace laban::test
