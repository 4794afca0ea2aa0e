#include "data/load/clip_fingerprint.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/hash.h"
#include "core/machine_error.h"
#include "core/regular_file.h"
#include "core/thread_group.h"
#include "data/cache/shard.h"
#include "data/picture/image_folder.h"
#include "data/video/watch.h"

namespace laban {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSample = 4096;

/// A sum of numbers in which their order counts.
class Digest {
 public:
  void add(uint64_t number) {
    std::array<std::byte, sizeof(number) + sizeof(sum_)> bytes;
    std::memcpy(bytes.data(), &sum_, sizeof(sum_));
    std::memcpy(bytes.data() + sizeof(sum_), &number, sizeof(number));
    sum_ = fnv1a(bytes);
  }
  /// Never 0, which stands for a clip that cannot be read.
  uint32_t value() const { return std::max<uint32_t>(1, static_cast<uint32_t>(sum_ ^ sum_ >> 32)); }

 private:
  uint64_t sum_ = 0;
};

void add_samples(const fs::path& path, Digest& digest) {
  const RegularFile file(path);
  const int64_t size = file.size();
  digest.add(static_cast<uint64_t>(size));
  std::array<uint8_t, kSample> buffer{};
  for (const int64_t at : {int64_t{0}, (size - kSample) / 2, size - kSample}) {
    const int64_t got = file.read(std::max<int64_t>(0, at), buffer);
    if (got < 0) throw_file_fault(path, "cannot be read", errno, "Check the disk.");
    digest.add(fnv1a(std::as_bytes(std::span(buffer).first(static_cast<size_t>(got)))));
    if (size <= kSample) return;
  }
}

void add_times(const fs::path& path, Digest& digest) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) throw_file_fault(path, "cannot be read", errno);
  if (!S_ISDIR(facts.st_mode)) digest.add(static_cast<uint64_t>(facts.st_size));
  digest.add(static_cast<uint64_t>(facts.st_mtim.tv_sec));
  digest.add(static_cast<uint64_t>(facts.st_mtim.tv_nsec));
}

/// Keeps the shard of the clip before: a clip's neighbors are in the same one.
class Fingerprinter {
 public:
  ClipFingerprint of(const DatasetItem& item) {
    Digest contents, times;
    add_times(item.path, times);
    switch (item.kind) {
      case ItemKind::video:
        add_samples(item.path, contents);
        break;
      case ItemKind::cached:
        if (!shard_ || shard_->file() != item.path) shard_.emplace(item.path);
        for (const uint64_t checksum : shard_->clip(item.name).checksum) contents.add(checksum);
        break;
      case ItemKind::frame_folder:
        of_folder(item, contents, times);
    }
    return {contents.value(), times.value()};
  }

 private:
  static void of_folder(const DatasetItem& item, Digest& contents, Digest& times) {
    const FolderIndex index = list_frames(item.path, item.filename_pattern, item.range);
    contents.add(static_cast<uint64_t>(index.count));
    for (const int64_t k : {int64_t{0}, index.count / 2, index.count - 1}) {
      add_samples(index.picture(k), contents);
      add_times(index.picture(k), times);
    }
  }

  std::optional<Shard> shard_;
};

}  // namespace

std::vector<ClipFingerprint> fingerprint_clips(const Dataset& dataset, const std::vector<int>& items,
                                               int threads, const std::atomic<bool>* stop) {
  std::vector<ClipFingerprint> found(items.size());
  const auto told_to_stop = [stop] { return stop && stop->load(std::memory_order_relaxed); };
  const size_t parts = std::clamp<size_t>(static_cast<size_t>(threads), 1, std::max<size_t>(1, items.size()));
  std::atomic<size_t> next{0};
  std::atomic<bool> give_up{false};
  const auto look = [&] {
    Fingerprinter fingerprinter;
    for (size_t part = next++; part < parts; part = next++) {
      const size_t end = items.size() * (part + 1) / parts;
      for (size_t i = items.size() * part / parts; i < end && !told_to_stop() && !give_up; ++i) try {
          found[i] = fingerprinter.of(dataset.items[static_cast<size_t>(items[i])]);
        } catch (const FileError&) {  // stays 0; the loader reports it, when the clip is due
        }
    }
  };
  run_on_threads(static_cast<int>(parts), look, [&] { give_up = true; });
  if (told_to_stop()) throw Canceled{};
  return found;
}

void require_same_clip(const DatasetItem& item, const ClipFingerprint& before) {
  if (before.contents == 0) return;
  Fingerprinter fingerprinter;
  if (item.kind != ItemKind::frame_folder) {  // one look at the file tells
    Digest times;
    add_times(item.path, times);
    if (times.value() == before.times) return;
  }
  const ClipFingerprint now = fingerprinter.of(item);
  if (now.contents != before.contents)
    throw FileError(item.path.string(), "the clip has changed since the run began",
                    "Restore it and resume the run, or start a new one.");
}

std::string to_text(std::span<const ClipFingerprint> fingerprints) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  digits.reserve(16 * fingerprints.size());
  for (const ClipFingerprint& fingerprint : fingerprints)
    for (const uint32_t word : {fingerprint.contents, fingerprint.times})
      for (int shift = 28; shift >= 0; shift -= 4) digits += kDigits[word >> shift & 15];
  return digits;
}

std::optional<std::vector<ClipFingerprint>> fingerprints_from(const std::string& digits) {
  if (digits.size() % 16 != 0) return std::nullopt;
  std::vector<ClipFingerprint> fingerprints(digits.size() / 16);
  const char* at = digits.data();
  for (ClipFingerprint& fingerprint : fingerprints)
    for (uint32_t* word : {&fingerprint.contents, &fingerprint.times}) {
      const auto [end, failed] = std::from_chars(at, at + 8, *word, 16);
      if (failed != std::errc() || end != at + 8) return std::nullopt;
      at += 8;
    }
  return fingerprints;
}

}  // namespace laban
