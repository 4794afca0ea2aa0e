#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "core/descriptor.h"
#include "core/error.h"
#include "core/files.h"
#include "core/machine_error.h"
#include "download/download.h"

namespace laban::tools {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLargest = int64_t{16} << 30;  // bytes; no file of weights is larger
constexpr long kOk = 200, kPartial = 206, kNotSatisfiable = 416, kFirstError = 400;

/// libcurl itself, for as long as the program runs.
void begin_curl() {
  static const CURLcode begun = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (begun != CURLE_OK) throw Error(text("libcurl does not begin: ", curl_easy_strerror(begun)));
}

struct Cleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// The file that grows, and nobody else's while it does.
class PartialFile {
 public:
  explicit PartialFile(const fs::path& path) : path_(path), file_(open_to_append(path)) {
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      throw Error(text(path.string(), ": another process downloads this file"), "Wait for it.");
    size_ = static_cast<int64_t>(fs::file_size(path));
  }
  int64_t size() const { return size_; }
  void clear() {
    if (::ftruncate(file_.get(), 0) != 0) throw_file_fault(path_, "cannot be emptied", errno);
    size_ = 0;
  }
  /// False, and `fault` says why, where it cannot be written.
  bool add(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        fault = errno;
        return false;
      }
      size_ += written;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return true;
  }
  void flush() const {
    if (::fsync(file_.get()) != 0) throw_file_fault(path_, "cannot be written to the disk", errno);
  }
  int fault = 0;

 private:
  fs::path path_;
  Descriptor file_;
  int64_t size_ = 0;
};

/// What a server says about a file in its answer's header.
struct Answer {
  std::string validator;          // the ETag, else the date of the last change
  std::optional<int64_t> length;  // of the whole file, where a range was asked for in vain
  std::optional<int64_t> start;   // of the range that comes
};

/// One attempt to get what is missing.
class Transfer {
 public:
  /// `on_begin` is told what the server's file is, before the first of its bytes is kept.
  Transfer(std::string address, PartialFile& file, const std::string& validator,
           const DownloadProgress& progress, std::function<void(const std::string&)> on_begin)
      : address_(std::move(address)),
        file_(file),
        progress_(progress),
        on_begin_(std::move(on_begin)),
        begin_(file.size()),
        handle_(curl_easy_init()) {
    if (!handle_) throw Error("libcurl does not begin: out of memory");
    set(CURLOPT_URL, address_.c_str());
    // Never from https to http.
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, address_.starts_with("https:") ? "https" : "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 10L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, 30L);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second
    set(CURLOPT_LOW_SPEED_TIME, 60L);
    set(CURLOPT_USERAGENT, "laban");
    set(CURLOPT_ERRORBUFFER, message_.data());
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_bytes);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    if (begin_ == 0) return;
    // By hand, and not CURLOPT_RESUME_FROM, which takes an answer with the whole file for an error.
    headers_.reset(curl_slist_append(nullptr, text("Range: bytes=", begin_, "-").c_str()));
    headers_.reset(curl_slist_append(headers_.release(), ("If-Range: " + validator).c_str()));
    set(CURLOPT_HTTPHEADER, headers_.get());
  }

  CURLcode run() {
    const CURLcode code = curl_easy_perform(handle_.get());
    if (thrown_) std::rethrow_exception(thrown_);
    return code;
  }
  long status() const {
    long status = 0;
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
  const Answer& answer() const { return answer_; }
  bool stopped() const { return stopped_; }
  bool too_large() const { return too_large_; }
  std::string message(CURLcode code) const {
    return message_[0] != 0 ? message_.data() : curl_easy_strerror(code);
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    if (const CURLcode code = curl_easy_setopt(handle_.get(), option, value); code != CURLE_OK)
      throw Error(text("libcurl: ", curl_easy_strerror(code)));
  }
  static size_t on_bytes(char* data, size_t, size_t size, void* self) {
    return static_cast<Transfer*>(self)->take({data, size}) ? size : 0;
  }
  static size_t on_header(char* data, size_t, size_t size, void* self) {
    static_cast<Transfer*>(self)->look_at({data, size});
    return size;
  }
  static int on_progress(void* self, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) {
    Transfer& transfer = *static_cast<Transfer*>(self);
    const bool continued = transfer.status() == kPartial;
    const int64_t before = continued ? transfer.begin_ : 0;
    const bool known = total > 0 && transfer.status() < kFirstError;
    transfer.stopped_ = transfer.stopped_ || !transfer.progress_(before + done, known ? before + total : 0);
    return transfer.stopped_ ? 1 : 0;
  }
  bool take(std::string_view bytes) {
    if (status() >= kFirstError) return true;  // a page that says so; nobody's file
    if (first_ && !begin()) return false;
    first_ = false;
    if (file_.size() + static_cast<int64_t>(bytes.size()) > kLargest) {
      too_large_ = true;
      return false;
    }
    return file_.add(bytes);
  }
  /// No exception may pass through libcurl.
  bool begin() {
    try {
      if (status() != kPartial && file_.size() > 0) file_.clear();
      if (status() == kPartial && answer_.start != begin_)
        throw Error(text(address_, ": the server sends another part of the file than was asked for"));
      on_begin_(answer_.validator);
      return true;
    } catch (...) {
      thrown_ = std::current_exception();
      return false;
    }
  }
  /// A line of a header: of every answer, those that lead elsewhere included.
  void look_at(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) answer_ = {};
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "etag" && !value.starts_with("W/")) answer_.validator = value;  // a weak one says too little
    if (name == "last-modified" && answer_.validator.empty()) answer_.validator = value;
    if (name != "content-range" || !value.starts_with("bytes ")) return;
    value.remove_prefix(6);
    const bool in_vain = value.starts_with("*/");
    if (in_vain) value.remove_prefix(2);
    int64_t number = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), number).ec == std::errc())
      (in_vain ? answer_.length : answer_.start) = number;
  }

  std::string address_;
  PartialFile& file_;
  const DownloadProgress& progress_;
  std::function<void(const std::string&)> on_begin_;
  std::exception_ptr thrown_;
  int64_t begin_;
  std::unique_ptr<CURL, Cleanup> handle_;
  std::unique_ptr<curl_slist, Cleanup> headers_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  Answer answer_;
  bool first_ = true, stopped_ = false, too_large_ = false;
};

/// Where the bytes of a partial file are from: an address, and what the server said its file is.
struct Origin {
  std::string address, validator;
};

Origin read_origin(const fs::path& path) {
  std::error_code failed;
  if (!fs::is_regular_file(fs::symlink_status(path, failed))) return {};
  const std::string lines = read_file(path);
  const size_t end = lines.find('\n');
  if (end == lines.npos) return {};
  const size_t next = lines.find('\n', end + 1);
  return {lines.substr(0, end), lines.substr(end + 1, next - end - 1)};
}

std::string sentence(const std::string& address, CURLcode code, const Transfer& transfer) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return text(address, " cannot be reached: ", transfer.message(code));
    case CURLE_OPERATION_TIMEDOUT:
      return text(address, ": the server does not answer: ", transfer.message(code));
    case CURLE_PEER_FAILED_VERIFICATION:
      return text(address, ": the server's certificate is not valid: ", transfer.message(code));
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return text(address, ": the connection broke: ", transfer.message(code));
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return text(address, " is not an address of a file by http or https");
    default:
      return text(address, ": ", transfer.message(code));
  }
}

bool may_pass(CURLcode code) {
  return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
         code == CURLE_OPERATION_TIMEDOUT;
}

}  // namespace

bool download(const std::string& address, const fs::path& partial, const DownloadProgress& progress) {
  begin_curl();
  PartialFile file(partial);
  fs::path origin_file = partial;
  origin_file += ".origin";
  Origin origin = read_origin(origin_file);
  if (origin.address != address || origin.validator.empty()) file.clear();
  constexpr int kAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    const int64_t before = file.size();
    Transfer transfer(address, file, origin.validator, progress, [&](const std::string& validator) {
      origin = {address, validator};
      write_file(origin_file, text(origin.address, "\n", origin.validator, "\n"));
    });
    const CURLcode code = transfer.run();
    const long status = transfer.status();
    if (file.fault != 0) throw_file_fault(partial, "cannot be written", file.fault, "Free some space.");
    if (transfer.too_large()) {
      file.clear();
      throw Error(text(address, ": more than ", kLargest >> 30, " GiB come, too many for a file of weights"));
    }
    if (transfer.stopped()) return false;
    // All of it was there already: the process that got it ended before it could say so.
    if (status == kNotSatisfiable && transfer.answer().length == before && before > 0) break;
    if (status == kNotSatisfiable && before > 0) {
      file.clear();
      continue;
    }
    if (status >= kFirstError)
      throw Error(text(address, ": the server answers ", status, status == 404 ? " (not found)" : ""),
                  "Is the address right, and the server in order?");
    if (code == CURLE_OK && status != kOk && status != kPartial)
      throw Error(text(address, ": the server answers ", status, ", which is no file"));
    if (code == CURLE_OK) break;
    const bool goes_on = may_pass(code) && file.size() > before && !origin.validator.empty();
    if (!goes_on || attempt == kAttempts)
      throw Error(sentence(address, code, transfer), file.size() > 0 && !origin.validator.empty()
                                                         ? text("What has come, ", file.size() >> 10,
                                                                " KiB, is kept; the same command continues.")
                                                         : "Is there a network?");
  }
  file.flush();
  std::error_code ignored;
  fs::remove(origin_file, ignored);
  return true;
}

bool can_download() { return true; }

}  // namespace laban::tools
