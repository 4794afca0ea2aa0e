#include "layers/parameter.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <set>

#include "core/backend.h"
#include "core/hash.h"
#include "core/processors.h"
#include "core/rng.h"
#include "core/thread_group.h"
#include "layers/padding.h"

namespace laban {
namespace {

// In elements. 32 elements are 64 bytes even in the bf16 copy, which has the same offsets as the master
// weights.
constexpr int64_t kAlignment = 32;

constexpr int kMostDrawingThreads = 8;

Tensor view(const Tensor& flat, int64_t begin, const Shape& shape) {
  Tensor part = flat;
  part.data = static_cast<std::byte*>(flat.data) + begin * static_cast<int64_t>(size_of(flat.dtype));
  part.shape = shape;
  return part;
}

/// Calls visit(position in PyTorch's order of `logical`, position in `storage`) for every logical element.
template <class Visit>
void for_each_element(const Shape& logical, const Shape& storage, Visit visit) {
  int64_t position = 0;
  for (int64_t n = 0; n < logical.n; ++n)
    for (int64_t c = 0; c < logical.c; ++c)
      for (int64_t t = 0; t < logical.t; ++t)
        for (int64_t h = 0; h < logical.h; ++h)
          for (int64_t w = 0; w < logical.w; ++w) visit(position++, storage.index(n, t, h, w, c));
}

std::vector<double> download(Backend& backend, const Tensor& tensor, const Shape& logical) {
  std::vector<std::byte> bytes(tensor.bytes());
  backend.download(bytes.data(), tensor);
  std::vector<double> values(static_cast<size_t>(logical.count()));
  for_each_element(logical, tensor.shape, [&](int64_t to, int64_t from) {
    double value = 0;
    if (tensor.dtype == DType::f64) {
      std::memcpy(&value, bytes.data() + from * 8, 8);
    } else {
      float single = 0;
      std::memcpy(&single, bytes.data() + from * 4, 4);
      value = static_cast<double>(single);
    }
    values[static_cast<size_t>(to)] = value;
  });
  return values;
}

/// The bytes of a tensor whose elements are next(), in PyTorch's order; padding is zero.
template <class Next>
std::vector<std::byte> stored(const Tensor& tensor, const Shape& logical, Next&& next) {
  std::vector<std::byte> bytes(tensor.bytes());
  for_each_element(logical, tensor.shape, [&](int64_t, int64_t to) {
    const double value = next();
    if (tensor.dtype == DType::f64) {
      std::memcpy(bytes.data() + to * 8, &value, 8);
    } else {
      const float single = static_cast<float>(value);
      std::memcpy(bytes.data() + to * 4, &single, 4);
    }
  });
  return bytes;
}

void upload(Backend& backend, const Tensor& tensor, const Shape& logical, std::span<const double> values,
            const std::string& name) {
  if (static_cast<int64_t>(values.size()) != logical.count())
    throw Error(text(name, " has ", logical.count(), " values, got ", values.size()),
                "The weights are for a different architecture or a different number of classes.");
  const double* value = values.data();
  backend.upload(tensor, stored(tensor, logical, [&] { return *value++; }).data());
}

std::vector<std::byte> initial_bytes(const Parameter& parameter, uint64_t seed) {
  const auto [kind, value] = parameter.init;
  if (kind == Initializer::Kind::constant)
    return stored(parameter.value, parameter.shape, [&parameter] { return parameter.init.value; });
  // He et al. 2015, equation 14 ("fan out" counts outputs times kernel volume; gain sqrt 2 for ReLU).
  const Shape& s = parameter.shape;
  const double deviation =
      kind == Initializer::Kind::normal ? value : std::sqrt(2.0 / static_cast<double>(s.n * s.t * s.h * s.w));
  Rng rng(seed, Purpose::init, fnv1a(parameter.name));
  return stored(parameter.value, s, [&] { return deviation * rng.normal(); });
}

}  // namespace

std::vector<int64_t> torch_shape(const Parameter& parameter) {
  const Shape& s = parameter.shape;
  if (parameter.rank == 1) return {s.c};
  if (parameter.rank == 2) return {s.n, s.c};
  return {s.n, s.c, s.t, s.h, s.w};
}

ParameterStore::ParameterStore(Backend& backend, DType compute, ParameterList list)
    : backend_(backend), compute_(compute), list_(std::move(list)) {
  if (!backend.supports(compute))
    throw Error(text("the ", backend.name(), " backend does not compute in ", compute),
                "Choose another --precision or --device.");
  std::set<std::string_view> names;
  for (const Parameter* p : list_.parameters)
    require(names.insert(p->name).second, "ParameterStore: two parameters have the same name: " + p->name);
  for (const Statistic* s : list_.statistics)
    require(names.insert(s->name).second, "ParameterStore: two statistics have the same name: " + s->name);

  const int64_t multiple = backend.channel_multiple(compute);
  int64_t weight_count = 0, statistic_count = 0;
  for (Parameter* p : list_.parameters) {
    p->storage = p->shape;
    if (p->pad_n) p->storage.n = padded(p->shape.n, multiple);
    if (p->pad_c) p->storage.c = padded(p->shape.c, multiple);
    weight_count += padded(p->storage.count(), kAlignment);
  }
  for (Statistic* s : list_.statistics) {
    s->storage = s->shape;
    s->storage.c = padded(s->shape.c, multiple);
    statistic_count += padded(s->storage.count(), kAlignment);
  }

  // One block of memory: weights | gradients | statistics | bf16 copy.
  const DType master = master_of(compute);
  const size_t size = size_of(master);
  const bool copy = compute != master;
  const size_t total = (2 * static_cast<size_t>(weight_count) + static_cast<size_t>(statistic_count)) * size +
                       (copy ? static_cast<size_t>(weight_count) * size_of(compute) : 0);
  memory_ = backend.allocate(std::max<size_t>(total, 64));
  const Tensor all(memory_->data(), master, Shape::vector(2 * weight_count + statistic_count),
                   backend.device());
  weights_ = view(all, 0, Shape::vector(weight_count));
  grads_ = view(all, weight_count, Shape::vector(weight_count));
  statistics_ = view(all, 2 * weight_count, Shape::vector(statistic_count));
  backend.run(SetZero{all}, {});
  if (copy) {
    working_ =
        Tensor(view(all, all.count(), {}).data, compute, Shape::vector(weight_count), backend.device());
    backend.run(SetZero{working_}, {});
  }

  int64_t at = 0;
  for (Parameter* p : list_.parameters) {
    p->value = view(weights_, at, p->storage);
    p->grad = view(grads_, at, p->storage);
    p->working = copy ? view(working_, at, p->storage) : p->value;
    at += padded(p->storage.count(), kAlignment);
  }
  at = 0;
  for (Statistic* s : list_.statistics) {
    s->value = view(statistics_, at, s->storage);
    at += padded(s->storage.count(), kAlignment);
  }
}

void ParameterStore::initialize(uint64_t seed) {
  // Each parameter draws from a stream of its own, so several threads may. The last ones are the largest: they go
  // first, or one thread would still have one when the others are done.
  const auto& parameters = list_.parameters;
  std::vector<std::vector<std::byte>> bytes(parameters.size());
  std::atomic<int64_t> left = static_cast<int64_t>(parameters.size());
  std::vector<std::exception_ptr> failures(
      static_cast<size_t>(std::clamp(available_processors(), 1, kMostDrawingThreads)));
  const auto draw_some = [&](std::exception_ptr& failure) {
    try {
      for (int64_t i; (i = --left) >= 0;)
        bytes[static_cast<size_t>(i)] = initial_bytes(*parameters[static_cast<size_t>(i)], seed);
    } catch (...) {
      failure = std::current_exception();
    }
  };
  {
    ThreadGroup threads;
    try {
      for (size_t i = 1; i < failures.size(); ++i) threads.start([&, i] { draw_some(failures[i]); });
    } catch (const MachineError&) {  // those that there are draw the rest
    }
    draw_some(failures[0]);
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  for (size_t i = 0; i < parameters.size(); ++i) {
    backend_.upload(parameters[i]->value, bytes[i].data());
    bytes[i] = {};
  }
  for (const Statistic* s : list_.statistics)
    write(*s, std::vector<double>(static_cast<size_t>(s->shape.count()), s->initial));
  for (Counter* c : list_.counters) c->value = 0;
  zero_gradients();
  weights_changed(true);
}

void ParameterStore::zero_gradients() { backend_.run(SetZero{grads_}, {}); }

void ParameterStore::count_batch() {
  for (Counter* c : list_.counters) c->value += !c->frozen;
}

void ParameterStore::weights_changed(bool refresh_working) {
  if (refresh_working && working_) backend_.run(Cast{weights_, working_}, {});
  ++version_;
}

int64_t ParameterStore::parameter_count() const {
  int64_t count = 0;
  for (const Parameter* p : list_.parameters) count += p->shape.count();
  return count;
}

int64_t ParameterStore::offset_of(const Parameter& parameter) const {
  const auto bytes =
      static_cast<const std::byte*>(parameter.value.data) - static_cast<const std::byte*>(weights_.data);
  return bytes / static_cast<int64_t>(size_of(weights_.dtype));
}

Tensor ParameterStore::part(const Tensor& flat, const Parameter& parameter) const {
  require(flat.count() == weights_.count(), "ParameterStore::part: not laid out like the weights");
  return view(flat, offset_of(parameter), parameter.storage);
}

std::vector<double> ParameterStore::read(const Tensor& flat, const Parameter& parameter) const {
  return download(backend_, part(flat, parameter), parameter.shape);
}

void ParameterStore::write(const Tensor& flat, const Parameter& parameter, std::span<const double> values) {
  upload(backend_, part(flat, parameter), parameter.shape, values, parameter.name);
}

std::vector<double> ParameterStore::read(const Tensor& flat, const Statistic& statistic) const {
  require(flat.count() == statistics_.count(), "ParameterStore::read: not laid out like the statistics");
  const auto bytes =
      static_cast<const std::byte*>(statistic.value.data) - static_cast<const std::byte*>(statistics_.data);
  const int64_t at = bytes / static_cast<int64_t>(size_of(statistics_.dtype));
  return download(backend_, view(flat, at, statistic.storage), statistic.shape);
}

void ParameterStore::write(const Statistic& statistic, std::span<const double> values) {
  upload(backend_, statistic.value, statistic.shape, values, statistic.name);
}

}  // namespace laban
