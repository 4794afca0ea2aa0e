#include "data/video/file_input.h"

#include <cerrno>
#include <cstdio>
#include <limits>
#include <new>

namespace laban {
namespace {

constexpr int kBuffer = 32 << 10;  // as libav's own reader of files has

}  // namespace

void FileInput::Free::operator()(AVIOContext* io) const {
  av_freep(&io->buffer);  // not always the first one: libav changes it
  avio_context_free(&io);
}

FileInput::FileInput(const RegularFile& file, const Watch& watch) : file_(file), watch_(watch) {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBuffer));
  if (!buffer) throw std::bad_alloc();
  io_.reset(avio_alloc_context(buffer, kBuffer, /*write_flag=*/0, this, read, nullptr, seek));
  if (io_) return;
  av_free(buffer);
  throw std::bad_alloc();
}

int FileInput::read(void* self, uint8_t* out, int bytes) {
  auto& input = *static_cast<FileInput*>(self);
  if (input.watch_.canceled() || input.watch_.expired()) return AVERROR_EXIT;
  const int64_t got = input.file_.read(input.at_, {out, static_cast<size_t>(bytes)});
  if (got < 0) return AVERROR(errno);
  if (got == 0) return AVERROR_EOF;
  input.at_ += got;
  return static_cast<int>(got);
}

int64_t FileInput::seek(void* self, int64_t offset, int whence) {
  auto& input = *static_cast<FileInput*>(self);
  const int64_t size = input.file_.size();
  int64_t from = 0;
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      from = input.at_;
      break;
    case SEEK_END:
      from = size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < -from || offset > std::numeric_limits<int64_t>::max() - from) return AVERROR(EINVAL);
  return input.at_ = from + offset;
}

}  // namespace laban
