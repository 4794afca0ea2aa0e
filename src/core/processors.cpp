#include "core/processors.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/files.h"

namespace laban {
namespace {

std::vector<std::string> pieces(const std::string& line, char separator) {
  std::vector<std::string> result;
  std::istringstream stream(line);
  for (std::string piece; std::getline(stream, piece, separator);) result.push_back(piece);
  return result;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::ranges::find(all, one) != all.end();
}

/// A positive whole number; nothing for anything else (-1 and "max" among it: no limit).
std::optional<double> positive(const std::string& word) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  const bool whole = error == std::errc() && (end == word.data() + word.size() || *end == '\n');
  return whole && value > 0 ? std::optional<double>(static_cast<double>(value)) : std::nullopt;
}

std::optional<double> ratio(const std::string& quota, const std::string& period) {
  const auto of = positive(quota), per = positive(period);
  return of && per ? std::optional<double>(*of / *per) : std::nullopt;
}

/// Where the hierarchy that limits CPU time is mounted. Lines of mountinfo:
///   id parent device root mount_point options... - type source super_options
struct Mount {
  std::string root, point;
  bool version_2 = false;
};
std::vector<Mount> cpu_mounts(const std::string& mountinfo) {
  std::vector<Mount> mounts;
  for (const std::string& line : pieces(mountinfo, '\n')) {
    const std::vector<std::string> words = pieces(line, ' ');
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 5 || words.end() - dash < 4) continue;
    const bool version_2 = dash[1] == "cgroup2";
    if (version_2 || (dash[1] == "cgroup" && contains(pieces(dash[3], ','), "cpu")))
      mounts.push_back({words[3], words[4], version_2});
  }
  return mounts;
}

/// The process's group in a hierarchy, from lines "id:controllers:path"; version 2 has no controllers there.
std::optional<std::string> group_in(const std::string& cgroup, bool version_2) {
  for (const std::string& line : pieces(cgroup, '\n')) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (path.starts_with('/') &&
        (version_2 ? line.starts_with("0::") : contains(pieces(controllers, ','), "cpu")))
      return path;
  }
  return std::nullopt;
}

std::optional<double> limit_at(const std::string& folder, bool version_2, const TextOf& text_of) {
  if (version_2) {
    const auto text = text_of(folder + "/cpu.max");  // "150000 100000", or "max 100000"
    const auto words = pieces(text.value_or(""), ' ');
    return words.size() == 2 ? ratio(words[0], words[1]) : std::nullopt;
  }
  const auto quota = text_of(folder + "/cpu.cfs_quota_us"), period = text_of(folder + "/cpu.cfs_period_us");
  return quota && period ? ratio(*quota, *period) : std::nullopt;
}

std::optional<std::string> text_of_file(const std::string& path) {
  try {
    return read_file(path);
  } catch (const Error&) {  // no such hierarchy, or not ours to see
    return std::nullopt;
  }
}

}  // namespace

std::optional<double> cgroup_processors(const TextOf& text_of) {
  const auto cgroup = text_of("/proc/self/cgroup"), mountinfo = text_of("/proc/self/mountinfo");
  if (!cgroup || !mountinfo) return std::nullopt;
  std::optional<double> least;
  for (const Mount& mount : cpu_mounts(*mountinfo)) {
    std::optional<std::string> group = group_in(*cgroup, mount.version_2);
    if (!group) continue;
    // A container may see its part of the hierarchy only: what is mounted is `root`, and groups begin with
    // it.
    if (mount.root != "/" && (*group + "/").starts_with(mount.root + "/"))
      group = group->substr(mount.root.size());
    while (true) {
      while (group->ends_with('/')) group->pop_back();
      if (const auto limit = limit_at(mount.point + *group, mount.version_2, text_of))
        least = std::min(least.value_or(*limit), *limit);
      if (group->empty()) break;
      group->resize(group->rfind('/'));
    }
  }
  return least;
}

int available_processors() {
  // A mask for more processors than a machine of today has; where it does not fit, the call fails.
  std::vector<cpu_set_t> mask(64);
  const size_t bytes = mask.size() * sizeof(cpu_set_t);
  const bool known = ::sched_getaffinity(0, bytes, mask.data()) == 0;
  int processors = known ? CPU_COUNT_S(bytes, mask.data())
                         : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (const auto granted = cgroup_processors(text_of_file))
    processors = static_cast<int>(std::min<double>(processors, *granted));
  return std::max(1, processors);
}

}  // namespace laban
