// Which clip features were made of, told by what it holds: names are often the same in other datasets.
#pragma once

#include <optional>
#include <string>

#include "data/cache/shard.h"
#include "data/dataset/dataset.h"

namespace laban {

class ClipContents {
 public:
  /// "a video of 51200 bytes (1f0a...)": the size, and the beginning of the SHA-256 of the first 16 KiB. Of
  /// pictures their number, the bytes of all and the first one's beginning; of cached clips the checksums of
  /// all frames. The same wherever the dataset lies and however it was copied. Throws FileError where the
  /// clip cannot be read.
  std::string of(const DatasetItem& clip);

 private:
  std::optional<Shard> shard_;  // that the last cached clip was in: its neighbors are there as well
};

}  // namespace laban
