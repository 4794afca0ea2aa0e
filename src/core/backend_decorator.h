// A backend around another one: passes every op on. Derive from it and override what should be different; add
// `using BackendDecorator::run;` beside an override of run(). What should be different for every op alike is a
// level of a Chain (core/ops/op_list.h) on top of it.
#pragma once

#include "core/backend.h"

namespace laban {

namespace decorator {

class Holder : public Backend {
 public:
  explicit Holder(Backend& inner) : inner_(inner) {}
  Backend& inner() const { return inner_; }

  std::string_view name() const override { return inner_.name(); }
  Device device() const override { return inner_.device(); }
  bool supports(DType compute) const override { return inner_.supports(compute); }
  int64_t channel_multiple(DType compute) const override { return inner_.channel_multiple(compute); }
  std::unique_ptr<Memory> allocate(size_t bytes) override { return inner_.allocate(bytes); }
  void upload(const Tensor& to, const void* from) override { inner_.upload(to, from); }
  void download(void* to, const Tensor& from) override { inner_.download(to, from); }
  void synchronize() override { inner_.synchronize(); }
  int64_t most_elements() const override { return inner_.most_elements(); }
  std::optional<size_t> free_bytes() override { return inner_.free_bytes(); }
  std::unique_ptr<Memory> allocate_staging(size_t bytes) override { return inner_.allocate_staging(bytes); }
  void begin_upload(const Tensor& to, const void* from) override { inner_.begin_upload(to, from); }
  void await_uploads() override { inner_.await_uploads(); }
  bool rounds_before_adding(const ConvBackwardWeights& op) override {
    return inner_.rounds_before_adding(op);
  }
  bool rounds_before_adding(const ConvBackwardData& op) override { return inner_.rounds_before_adding(op); }
  std::string note() const override { return inner_.note(); }
  // record() is not passed on: a decorator wants to see every op in every step.

 private:
  Backend& inner_;
};

template <class Below, class Op>
class PassesOn : public Below {
 public:
  using Below::Below;
  using Below::run;
  void run(const Op& op, Scratch scratch) override { this->inner().run(op, scratch); }

 protected:
  using Below::prepare_for;
  using Below::scratch_for;
  size_t scratch_for(const Op& op) override { return this->inner().scratch_bytes(op); }
  void prepare_for(const Op& op) override { this->inner().prepare(op); }
};

}  // namespace decorator

class BackendDecorator : public Chain<decorator::PassesOn, decorator::Holder, AllOps> {
 public:
  using Passing = Chain<decorator::PassesOn, decorator::Holder, AllOps>;
  using Passing::Passing;
};

}  // namespace laban
