// The file: a header, records with one index each, and a table of them, whose position is in the header.
#include "data/video/video_index_store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/sha256.h"
#include "data/video/byte_code.h"
#include "data/video/index_code.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

constexpr const char* kBeside = ".laban-packets";

struct Header {
  std::array<char, 8> magic{'L', 'A', 'B', 'A', 'N', 'P', 'K', 'T'};
  uint64_t order = 0x0102030405060708;  // reveals the byte order
  uint64_t version = index_code_version();
  uint64_t table = 0, table_bytes = 0, table_checksum = 0;
};

bool is_store(std::string_view begin) {
  const Header expected;
  return begin.starts_with(std::string_view(expected.magic.data(), expected.magic.size()));
}

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The bytes from `offset` on, or as many of them as there are.
std::string part_of(const RegularFile& file, size_t offset, size_t length) {
  std::string bytes(length, '\0');
  size_t done = 0;
  while (done < length) {
    const int64_t got = file.read(static_cast<int64_t>(offset + done),
                                  {reinterpret_cast<uint8_t*>(bytes.data()) + done, length - done});
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

bool inside(size_t offset, size_t length, size_t whole) {
  return offset <= whole && length <= whole - offset;
}

}  // namespace

std::optional<FileStamp> stamp_of(const fs::path& file) {
  std::error_code failed;
  const uint64_t bytes = fs::file_size(file, failed);
  if (failed) return std::nullopt;
  const auto changed = fs::last_write_time(file, failed);
  if (failed) return std::nullopt;
  return FileStamp{bytes, static_cast<int64_t>(changed.time_since_epoch().count())};
}

VideoIndexStore::VideoIndexStore(fs::path file, fs::path base)
    : file_(std::move(file)), base_(base.empty() ? base : fs::absolute(base).lexically_normal()) {
  load();
  if (!file_.empty()) remove_abandoned_files(file_.parent_path());
}

VideoIndexStore::~VideoIndexStore() { save(); }

std::string VideoIndexStore::key_of(const fs::path& video) const {
  const fs::path whole = fs::absolute(video).lexically_normal();
  const fs::path relative = base_.empty() ? whole : whole.lexically_relative(base_);
  return relative.empty() || *relative.begin() == ".." ? whole.string() : relative.string();
}

std::string VideoIndexStore::bytes_of(const Entry& entry) const {
  return entry.stored ? part_of(*stored_, entry.offset, entry.length) : entry.bytes;
}

/// Loads the file's entries, except those that are newer here.
void VideoIndexStore::load() {
  std::error_code failed;
  if (file_.empty() || !fs::is_regular_file(file_, failed)) return;
  std::shared_ptr<const RegularFile> stored;
  try {
    stored = std::make_shared<const RegularFile>(file_);
  } catch (const FileError&) {
    return;
  }
  const auto size = static_cast<size_t>(stored->size());
  Header header;
  const Header expected;
  const std::string begin = part_of(*stored, 0, sizeof(header));
  if (begin.size() < sizeof(header)) return;
  std::memcpy(&header, begin.data(), sizeof(header));
  if (header.magic != expected.magic || header.order != expected.order ||
      header.version != expected.version || !inside(header.table, header.table_bytes, size))
    return;
  const std::string table_bytes = part_of(*stored, header.table, header.table_bytes);
  const auto table = as_bytes(table_bytes);
  if (fnv1a(table) != header.table_checksum) return;

  std::map<std::string, Entry> entries;
  ByteReader from(table);
  for (size_t left = from.count(); left > 0; --left) {
    std::string key = from.name();
    Entry entry{.stored = true};
    entry.stamp.bytes = from.number(), entry.stamp.changed = from.signed_number();
    entry.offset = from.number(), entry.length = from.number(), entry.checksum = from.number();
    if (!inside(entry.offset, entry.length, size)) return;
    entries.insert_or_assign(std::move(key), std::move(entry));
  }
  if (!from.ok()) return;
  for (auto& [key, entry] : entries_)
    if (!entry.stored) entries.insert_or_assign(key, std::move(entry));
  entries_ = std::move(entries);
  stored_ = std::move(stored);
}

std::shared_ptr<const VideoIndex> VideoIndexStore::find(const fs::path& video, const FileStamp& stamp) const {
  const std::string key = key_of(video);
  std::shared_ptr<const RegularFile> stored;  // the file may be replaced while an entry of it is read
  std::string bytes;
  size_t offset = 0, length = 0;
  uint64_t checksum = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.stamp != stamp) return nullptr;
    checksum = found->second.checksum;
    if (found->second.stored)
      stored = stored_, offset = found->second.offset, length = found->second.length;
    else
      bytes = found->second.bytes;
  }
  if (stored) bytes = part_of(*stored, offset, length);
  return fnv1a(as_bytes(bytes)) == checksum ? decode_index(as_bytes(bytes)) : nullptr;
}

void VideoIndexStore::add(const fs::path& video, const FileStamp& stamp, const VideoIndex& index) {
  Entry entry{.stamp = stamp, .bytes = encode_index(index)};
  entry.checksum = fnv1a(as_bytes(entry.bytes));
  const std::lock_guard lock(mutex_);
  entries_.insert_or_assign(key_of(video), std::move(entry));
  // Each save rewrites the whole file, so it happens when there are a quarter more entries: the total cost is
  // a few times the file's size.
  constexpr size_t kAtLeast = 256;
  if (++fresh_ >= std::max(kAtLeast, entries_.size() / 4)) save_locked();
}

std::string VideoIndexStore::save() {
  const std::lock_guard lock(mutex_);
  return save_locked();
}

std::string VideoIndexStore::save_locked() {
  if (file_.empty() || fresh_ == 0) return "";
  fresh_ = 0;  // if saving fails now, do not retry before there are as many new entries again
  try {
    load();
    ByteWriter table;
    table.number(entries_.size());
    size_t offset = sizeof(Header);
    for (const auto& [key, entry] : entries_) {
      const size_t length = entry.stored ? entry.length : entry.bytes.size();
      table.name(key);
      table.number(entry.stamp.bytes), table.signed_number(entry.stamp.changed);
      table.number(offset), table.number(length), table.number(entry.checksum);
      offset += length;
    }
    const std::string table_bytes = table.take();
    Header header;
    header.table = offset, header.table_bytes = table_bytes.size();
    header.table_checksum = fnv1a(as_bytes(table_bytes));
    if (file_.has_parent_path()) fs::create_directories(file_.parent_path());
    require_index_store(file_);
    AtomicFile file(file_);
    file.write(&header, sizeof(header));
    for (const auto& [key, entry] : entries_) {
      std::string bytes = bytes_of(entry);
      if (entry.stored) bytes.resize(entry.length);  // of a file that was cut short: the checksum tells
      file.write(bytes);
    }
    file.write(table_bytes);
    file.commit();
    entries_.clear();
    load();
  } catch (const Error& error) {
    return error.what();
  } catch (const fs::filesystem_error& error) {
    return text(file_.string(), ": cannot be written: ", error.code().message());
  }
  return "";
}

size_t VideoIndexStore::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void require_index_store(const fs::path& file) { require_replaceable(file, "an index of videos", is_store); }

bool has_index_store(const fs::path& root) {
  std::error_code failed;
  if (root.empty() || !fs::is_regular_file(root / kBeside, failed)) return false;
  try {
    require_index_store(root / kBeside);
    return true;
  } catch (const UsageError&) {
    return false;
  }
}

fs::path index_store_file(const fs::path& root) {
  if (root.empty()) return {};
  return ::access(root.c_str(), W_OK) == 0 ? root / kBeside : user_index_store_file(root);
}

fs::path user_index_store_file(const fs::path& root) {
  if (root.empty()) return {};
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  if ((!cache || !*cache) && (!home || !*home)) return {};
  const fs::path folder = cache && *cache ? fs::path(cache) : fs::path(home) / ".cache";
  Sha256 hash;
  hash.update(fs::absolute(root).lexically_normal().string());
  return folder / "laban" / ("packets-" + hash.hex().substr(0, 16));
}

}  // namespace laban
