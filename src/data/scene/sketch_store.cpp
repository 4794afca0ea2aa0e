#include "data/scene/sketch_store.h"

#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "data/video/byte_code.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

// The magic, the version of sketches, a checksum of the rest in hexadecimal; then the entries.
constexpr std::string_view kMagic = "LABANSKT1 ";
constexpr size_t kHeader = kMagic.size() + 17;

bool is_store(std::string_view begin) { return begin.starts_with(kMagic.substr(0, 8)); }

std::string checksum_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const uint64_t sum = fnv1a(std::as_bytes(std::span(bytes.data(), bytes.size())));
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += kDigits[sum >> shift & 15];
  return digits + "\n";
}

}  // namespace

SketchStore::SketchStore(fs::path file, fs::path base)
    : file_(std::move(file)), base_(fs::absolute(base).lexically_normal()) {
  std::error_code failed;
  if (file_.empty() || !fs::is_regular_file(file_, failed)) return;
  std::string all;
  try {
    all = read_file(file_);
  } catch (const FileError&) {
    return;
  }
  if (!all.starts_with(kMagic) || all.size() < kHeader) return;
  const std::string_view rest = std::string_view(all).substr(kHeader);
  if (std::string_view(all).substr(kMagic.size(), 17) != checksum_of(rest)) return;
  ByteReader from(std::as_bytes(std::span(rest.data(), rest.size())));
  std::map<std::string, Entry> entries;
  for (size_t left = from.count(); left > 0 && from.ok(); --left) {
    std::string key = from.name();
    Entry entry;
    entry.stamp.bytes = from.number(), entry.stamp.changed = from.signed_number();
    entry.bytes = from.name();
    entries.insert_or_assign(std::move(key), std::move(entry));
  }
  if (from.ok()) entries_ = std::move(entries);
}

std::string SketchStore::key_of(const fs::path& clip) const {
  const fs::path whole = fs::absolute(clip).lexically_normal(), relative = whole.lexically_relative(base_);
  return relative.empty() || *relative.begin() == ".." ? whole.string() : relative.string();
}

std::optional<ClipSketch> SketchStore::find(const fs::path& clip, const FileStamp& stamp) const {
  const auto found = entries_.find(key_of(clip));
  if (found == entries_.end() || found->second.stamp != stamp) return std::nullopt;
  return sketch_from(found->second.bytes);
}

void SketchStore::add(const fs::path& clip, const FileStamp& stamp, const ClipSketch& sketch) {
  entries_.insert_or_assign(key_of(clip), Entry{stamp, to_bytes(sketch)});
  fresh_ = true;
}

void SketchStore::save() {
  if (file_.empty() || !fresh_) return;
  fresh_ = false;
  ByteWriter to;
  to.number(entries_.size());
  for (const auto& [key, entry] : entries_) {
    to.name(key);
    to.number(entry.stamp.bytes), to.signed_number(entry.stamp.changed);
    to.name(entry.bytes);
  }
  const std::string bytes = to.take();
  try {
    if (file_.has_parent_path()) fs::create_directories(file_.parent_path());
    require_replaceable(file_, "a file of sketches", is_store);
    write_file(file_, std::string(kMagic) + checksum_of(bytes) + bytes);
  } catch (const Error&) {
  } catch (const fs::filesystem_error&) {
  }
}

fs::path sketch_store_file(const fs::path& index_store) {
  if (index_store.empty()) return {};
  std::string name = index_store.filename().string();
  if (const size_t at = name.find("packets"); at != std::string::npos)
    name.replace(at, 7, "sketches");
  else
    name += ".sketches";
  return index_store.parent_path() / name;
}

}  // namespace laban
