// Files from the network, by libcurl; where laban was built without it, a sentence that says so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace laban::tools {

/// Bytes so far and in all (0: nobody knows); false: stop.
using DownloadProgress = std::function<bool(int64_t done, int64_t total)>;

/// Downloads `address` (http or https) to `partial`. What an earlier call has left there is continued, where the
/// server still has the same file (by its ETag or date, kept in `partial`.origin), else replaced. Returns true once all
/// is there and flushed to the disk; false where `progress` said so. Throws Error for everything else, with the
/// server's answer or the network's fault as a sentence; what has come so far then stays. No link is followed at
/// `partial`, and only one process at a time may write there.
bool download(const std::string& address, const std::filesystem::path& partial,
              const DownloadProgress& progress);

/// False where this program was built without libcurl.
bool can_download();

}  // namespace laban::tools
