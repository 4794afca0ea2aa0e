#include "train/features/feature_content.h"

#include <algorithm>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/sha256.h"
#include "data/picture/image_folder.h"

namespace laban {
namespace {

constexpr size_t kHeadBytes = 16384;

/// Enough digits to rule out collisions.
std::string digest(Sha256& sum) { return sum.hex().substr(0, 16); }

std::string head_digest(const FileBytes& file) {
  const std::vector<std::byte> head = file.read(0, kHeadBytes);
  Sha256 sum;
  sum.update(head.data(), head.size());
  return digest(sum);
}

std::string video(const DatasetItem& clip) {
  const FileBytes file(clip.path);
  return text("a video of ", file.size(), " bytes (", head_digest(file), ")");
}

std::string pictures(const DatasetItem& clip) {
  const FolderIndex index = index_folder(clip.path, clip.filename_pattern, clip.range);
  uint64_t bytes = 0;
  for (int64_t k = 0; k < index.count; ++k) {
    std::error_code failed;
    const std::uintmax_t size = std::filesystem::file_size(index.picture(k), failed);
    if (failed) throw FileError(index.picture(k).string(), "cannot be read: " + failed.message());
    bytes += size;
  }
  return text(index.count, index.count == 1 ? " picture of " : " pictures of ", bytes, " bytes (",
              head_digest(FileBytes(index.picture(0))), ")");
}

std::string cached(const ShardClip& clip) {
  Sha256 sum;
  sum.update(clip.checksum.data(), clip.checksum.size() * sizeof(clip.checksum.front()));
  return text(clip.frame_count(), " cached frames of ", clip.width, "x", clip.height, " (", digest(sum), ")");
}

}  // namespace

std::string ClipContents::of(const DatasetItem& clip) {
  std::string content;
  switch (clip.kind) {
    case ItemKind::video:
      content = video(clip);
      break;
    case ItemKind::frame_folder:
      return pictures(clip);  // of the range alone
    case ItemKind::cached:
      if (!shard_ || shard_->file() != clip.path) shard_.emplace(clip.path);
      content = cached(shard_->clip(clip.name));
      break;
  }
  if (clip.range)
    content += clip.range->first
                   ? text(", of it ", clip.range->count, " frames from number ", *clip.range->first)
                   : text(", of it the first ", clip.range->count, " frames");
  return content;
}

}  // namespace laban
