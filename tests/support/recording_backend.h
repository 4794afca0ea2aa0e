// ReferenceBackend that records as a CUDA graph does: while it records nothing runs, and a replay runs the
// same ops on the same addresses, without the code that made them.
#pragma once

#include <functional>
#include <vector>

#include "reference/reference_backend.h"

namespace laban::test {

using OpCalls = std::vector<std::function<void()>>;

class Recorder : public ReferenceBackend {
 protected:
  OpCalls* recording_ = nullptr;
};

template <class Below, class Op>
class RecordsOp : public Below {
 public:
  using Below::run;
  void run(const Op& op, Scratch scratch) override {
    if (this->recording_)
      this->recording_->push_back([this, op, scratch] { ReferenceBackend::run(op, scratch); });
    else
      ReferenceBackend::run(op, scratch);
  }
};

class RecordingBackend : public Chain<RecordsOp, Recorder, AllOps> {
 public:
  void upload(const Tensor& to, const void* from) override {
    require(!recording_, "RecordingBackend: an upload while recording");
    ReferenceBackend::upload(to, from);
  }
  void download(void* to, const Tensor& from) override {
    require(!recording_, "RecordingBackend: a download while recording");
    ReferenceBackend::download(to, from);
  }
  std::unique_ptr<Recording> record(const std::function<void()>& body) override {
    class Calls : public Recording {
     public:
      void replay() override {
        for (const auto& call : list) call();
        ++*replays;
      }
      OpCalls list;
      int* replays = nullptr;
    };
    auto calls = std::make_unique<Calls>();
    calls->replays = &replays;
    recording_ = &calls->list;
    try {
      body();
    } catch (...) {
      recording_ = nullptr;
      throw;
    }
    recording_ = nullptr;
    ++recordings;
    return calls;
  }

  int recordings = 0, replays = 0;
};

}  // namespace laban::test
