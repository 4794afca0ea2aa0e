// The stand-in's streams: what is ordered on a GPU is ordered here, and what is not goes wrong under one
// schedule or another. Each way to do it wrong stands beside the right one: it must show, or the stand-in
// would prove nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/rng.h"
#include "standin/fixture.h"

using namespace laban;
using namespace laban::cuda;
using namespace laban::test;
using standin::Schedule;

namespace {

/// result = from, by a kernel.
void take_over(const Numbers& from, const Numbers& result, Stream stream) {
  run(SetZero{result.tensor()}, stream);
  run(Accumulate{.from = from.tensor(), .into = result.tensor()}, stream);
}

/// A copy on one stream brings sevens to a kernel on another one, as begin_upload() and await_uploads() do.
std::vector<float> uploaded_sevens(Schedule schedule, bool waits) {
  const Scheduled scheduled(schedule);
  const StreamOwner compute, copies;
  Event uploaded;
  const Numbers sevens = page_locked(7), place = on_card(), result = on_card();
  begin_copy_to_device(place.data(), sevens.data(), place.bytes(), copies.get());
  uploaded.record(copies.get());
  if (waits) uploaded.make_wait(compute.get());
  take_over(place, result, compute.get());
  return contents(result, compute.get());
}

/// A kernel is to read ones, before the next copy brings twos to the same place.
std::vector<float> ones_before_twos(Schedule schedule, bool waits) {
  const Scheduled scheduled(schedule);
  const StreamOwner compute, copies;
  Event read;
  const Numbers ones = page_locked(1), twos = page_locked(2), place = on_card(), result = on_card();
  copy_to_device(place.data(), ones.data(), place.bytes(), compute.get());
  const auto next_copy = [&] {
    begin_copy_to_device(place.data(), twos.data(), place.bytes(), copies.get());
  };
  if (!waits) next_copy();
  take_over(place, result, compute.get());
  if (waits) {
    read.record(compute.get());
    read.make_wait(copies.get());
    next_copy();
  }
  return contents(result, compute.get());
}

/// What arrives of a page-locked buffer full of ones that the host then fills with twos.
std::vector<float> ones_overwritten(Schedule schedule, bool waits) {
  const Scheduled scheduled(schedule);
  const StreamOwner stream;
  Event copied;
  Numbers buffer = page_locked(1);
  const Numbers place = on_card();
  begin_copy_to_device(place.data(), buffer.data(), place.bytes(), stream.get());
  copied.record(stream.get());
  if (waits) copied.synchronize();
  buffer.fill(2);
  return contents(place, stream.get());
}

bool all_nan(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isnan(value); });
}

}  // namespace

TEST_CASE("stood in: a kernel that does not wait for a copy on another stream reads what was there before") {
  for (const Schedule schedule : kEverySchedule) CHECK(uploaded_sevens(schedule, true) == all(7));
  CHECK(all_nan(uploaded_sevens(Schedule::late, false)));
  CHECK(uploaded_sevens(Schedule::early, false) == all(7));  // luck, as a GPU may have it
  int wrong = 0;
  for (int i = 0; i < 50; ++i) wrong += uploaded_sevens(Schedule::random, false) != all(7);
  CHECK(wrong > 0);
  CHECK(wrong < 50);
}

TEST_CASE("stood in: a copy that does not wait for a kernel on another stream comes before it") {
  for (const Schedule schedule : kEverySchedule) CHECK(ones_before_twos(schedule, true) == all(1));
  CHECK(ones_before_twos(Schedule::early, false) == all(2));
  CHECK(ones_before_twos(Schedule::late, false) == all(1));
}

TEST_CASE("stood in: page-locked memory must stay as it is until its copy has been made") {
  for (const Schedule schedule : kEverySchedule) CHECK(ones_overwritten(schedule, true) == all(1));
  CHECK(ones_overwritten(Schedule::late, false) == all(2));
  CHECK(ones_overwritten(Schedule::early, false) == all(1));
}

TEST_CASE("stood in: page-locked memory must be full before its copy begins") {
  const auto filled_afterwards = [](Schedule schedule) {
    const Scheduled scheduled(schedule);
    const StreamOwner stream;
    Numbers buffer = page_locked(0);
    const Numbers place = on_card();
    begin_copy_to_device(place.data(), buffer.data(), place.bytes(), stream.get());
    buffer.fill(1);
    return contents(place, stream.get());
  };
  CHECK(filled_afterwards(Schedule::early) == all(0));
  CHECK(filled_afterwards(Schedule::late) == all(1));
}

TEST_CASE("stood in: a copy from pageable memory has been made when its call returns") {
  for (const Schedule schedule : kEverySchedule) {
    const Scheduled scheduled(schedule);
    const StreamOwner stream;
    const Numbers place = on_card();
    std::vector<float> values = all(3);
    begin_copy_to_device(place.data(), values.data(), place.bytes(), stream.get());
    std::fill(values.begin(), values.end(), 4.0f);
    CHECK(contents(place, stream.get()) == all(3));
  }
}

TEST_CASE("stood in: the host that waits for an event has waited for nothing behind it") {
  const auto arrived = [](Schedule schedule, bool recorded_behind) {
    const Scheduled scheduled(schedule);
    const StreamOwner stream;
    Event reached;
    const Numbers ones = page_locked(1), place = on_card();
    Numbers back = page_locked(0);
    copy_to_device(place.data(), ones.data(), place.bytes(), stream.get());
    if (!recorded_behind) reached.record(stream.get());
    begin_copy_to_device(back.data(), place.data(), back.bytes(), stream.get());
    if (recorded_behind) reached.record(stream.get());
    reached.synchronize();
    return *static_cast<const float*>(back.data());
  };
  for (const Schedule schedule : kEverySchedule) CHECK(arrived(schedule, true) == 1);
  CHECK(arrived(Schedule::late, false) == 0);
}

TEST_CASE("stood in: many small uploads arrive, however late the GPU is") {
  // Many times what the ring holds; the host uses its memory again at once.
  constexpr size_t kUploads = 300, kPlace = SmallUploads::kLargest;
  for (const Schedule schedule : kEverySchedule) {
    const Scheduled scheduled(schedule);
    const StreamOwner stream;
    SmallUploads uploads;
    const auto places = allocate_device(kUploads * kPlace);
    std::vector<std::byte> bytes(kPlace), expected(kUploads * kPlace, std::byte{0xFF});
    Rng rng(1, Purpose::test);
    for (size_t i = 0; i < kUploads; ++i) {
      const auto size = static_cast<size_t>(rng.integer(1, static_cast<int64_t>(kPlace)));
      std::fill_n(bytes.begin(), size, static_cast<std::byte>(i % 251));
      std::fill_n(expected.begin() + static_cast<int64_t>(i * kPlace), size, static_cast<std::byte>(i % 251));
      uploads.copy(static_cast<std::byte*>(places->data()) + i * kPlace, bytes.data(), size, stream.get());
    }
    std::vector<std::byte> back(expected.size());
    copy_to_host(back.data(), places->data(), back.size(), stream.get());
    CHECK(back == expected);
  }
}

TEST_CASE("stood in: a small upload waits for what lies a ring behind it, and for no more") {
  constexpr size_t kPlace = SmallUploads::kLargest, kHalf = 8;  // uploads
  const Scheduled scheduled(Schedule::late);
  const StreamOwner stream, other;
  SmallUploads uploads;
  const std::vector<std::byte> zeros(kPlace);
  std::vector<Numbers> places;
  const auto upload = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      places.emplace_back(allocate_device(kPlace));
      uploads.copy(places.back().data(), zeros.data(), kPlace, stream.get());
    }
  };
  const auto arrived = [&](size_t i) { return contents(places[i], other.get()) == all(0); };
  upload(2 * kHalf);
  CHECK_FALSE(arrived(0));
  upload(1);  // begins a half anew
  CHECK(arrived(0));
  CHECK(arrived(kHalf - 1));
  CHECK_FALSE(arrived(kHalf));
}

TEST_CASE("stood in: work for a stream that is gone, or for none") {
  Stream gone = nullptr;
  {
    const StreamOwner stream;
    gone = stream.get();
  }
  const Numbers ones = page_locked(1), place = on_card();
  for (const Stream stream : {gone, Stream{nullptr}}) {
    CHECK_THROWS_WITH_AS(begin_copy_to_device(place.data(), ones.data(), place.bytes(), stream),
                         doctest::Contains("a stream that does not exist"), Error);
    CHECK_THROWS_WITH_AS(run(SetZero{place.tensor()}, stream),
                         doctest::Contains("a stream that does not exist"), Error);
    Event event;
    CHECK_THROWS_WITH_AS(event.record(stream), doctest::Contains("a stream that does not exist"), Error);
  }
  // What was under way when a stream went has been done.
  const StreamOwner other;
  {
    const Scheduled scheduled(Schedule::late);
    const StreamOwner stream;
    begin_copy_to_device(place.data(), ones.data(), place.bytes(), stream.get());
  }
  CHECK(contents(place, other.get()) == all(1));
}
