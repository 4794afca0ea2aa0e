// A file as libavformat reads it: through laban's own descriptor, and never for longer than somebody waits.
#pragma once

#include "core/regular_file.h"
#include "data/video/libav.h"
#include "data/video/watch.h"

namespace laban {

class FileInput {
 public:
  /// Both must outlive this, and this the contexts that read from it.
  FileInput(const RegularFile& file, const Watch& watch);
  FileInput(const FileInput&) = delete;
  FileInput& operator=(const FileInput&) = delete;

  AVIOContext* io() { return io_.get(); }

 private:
  struct Free {
    void operator()(AVIOContext* io) const;
  };
  static int read(void* self, uint8_t* out, int bytes);
  static int64_t seek(void* self, int64_t offset, int whence);

  const RegularFile& file_;
  const Watch& watch_;
  int64_t at_ = 0;
  std::unique_ptr<AVIOContext, Free> io_;
};

}  // namespace laban
