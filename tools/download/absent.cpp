// In place of curl.cpp, where libcurl was not found when laban was built.
#include "core/error.h"
#include "download/download.h"

namespace laban::tools {

bool download(const std::string& address, const std::filesystem::path&, const DownloadProgress&) {
  throw Error(text(address, ": this laban was built without libcurl, so it cannot download"),
              "Install libcurl's headers (Debian, Ubuntu: libcurl4-openssl-dev) and build laban anew.");
}

bool can_download() { return false; }

}  // namespace laban::tools
