// How many processors this process may use: its affinity mask, and the CPU time that its cgroups grant.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace laban {

/// A file's text; nothing where it cannot be read.
using TextOf = std::function<std::optional<std::string>(const std::string& path)>;

/// The processors' worth of CPU time that the cgroups of this process grant it (1.5: three seconds in two),
/// the least of its own group and those around it; nothing where none limits it. Reads /proc/self/cgroup,
/// /proc/self/mountinfo, and there cpu.max (version 2) or cpu.cfs_quota_us and cpu.cfs_period_us (version 1);
/// what it does not understand limits nothing.
std::optional<double> cgroup_processors(const TextOf& text_of);

/// At least 1. Of a fraction of a processor's time nothing is counted: threads that wait for each other are
/// no faster for a thread that is held back.
int available_processors();

}  // namespace laban
