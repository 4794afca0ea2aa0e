// A server of one file on the loopback, as good and as bad as servers are.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace laban::test {

class FileServer {
 public:
  /// How it answers; may be changed between requests.
  struct Manners {
    std::string body = {};
    std::string etag = "\"one\"";  // empty: it has none
    int status = 0;                // instead of 200 or 206
    std::string location = {};     // with such a status: where to go
    bool ranges = true;            // does it know them?
    int64_t cut_after = -1;        // bytes of the body, then it hangs up; once
    int64_t stall_after = -1;      // bytes of the body, then nothing more comes
    bool length = true;            // does it say how much comes?
  };

  explicit FileServer(Manners manners);
  ~FileServer();
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;

  std::string address(const std::string& path) const;
  void set(Manners manners);
  /// The heads of all requests so far.
  std::vector<std::string> requests() const;

 private:
  void serve();
  void answer(int client);

  int socket_ = -1, port_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  Manners manners_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace laban::test
