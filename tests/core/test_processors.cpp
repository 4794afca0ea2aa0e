// What cgroups grant, from the texts that Linux shows of them.
#include "core/processors.h"

#include <doctest/doctest.h>
#include <sched.h>

#include <map>
#include <thread>

using namespace laban;

namespace {

using Files = std::map<std::string, std::string>;

std::optional<double> granted(const Files& files) {
  return cgroup_processors([&](const std::string& path) -> std::optional<std::string> {
    const auto file = files.find(path);
    return file == files.end() ? std::nullopt : std::optional(file->second);
  });
}

const std::string kVersion2 =
    "22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw\n"
    "29 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string kVersion1 =
    "31 23 0:28 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpuset rw shared:10 - cgroup cgroup rw,cpuset\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

}  // namespace

TEST_CASE("cgroup version 2: the least of a group and those around it") {
  Files files{{"/proc/self/cgroup", "0::/user.slice/job.scope\n"}, {"/proc/self/mountinfo", kVersion2}};
  CHECK(granted(files) == std::nullopt);  // the root has no cpu.max
  files["/sys/fs/cgroup/user.slice/job.scope/cpu.max"] = "max 100000\n";
  CHECK(granted(files) == std::nullopt);
  files["/sys/fs/cgroup/user.slice/job.scope/cpu.max"] = "350000 100000\n";
  CHECK(granted(files) == 3.5);
  files["/sys/fs/cgroup/user.slice/cpu.max"] = "100000 50000\n";
  CHECK(granted(files) == 2.0);
  files["/sys/fs/cgroup/user.slice/cpu.max"] = "800000 100000\n";
  CHECK(granted(files) == 3.5);
}

TEST_CASE("cgroup version 2: within a container the group is the mount") {
  Files files{{"/proc/self/cgroup", "0::/\n"},
              {"/proc/self/mountinfo", kVersion2},
              {"/sys/fs/cgroup/cpu.max", "50000 100000\n"}};
  CHECK(granted(files) == 0.5);
  // Without a namespace of its own, the container's part alone is mounted, and the path is the host's.
  files = {{"/proc/self/cgroup", "0::/docker/abc/inner\n"},
           {"/proc/self/mountinfo", "29 22 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"},
           {"/sys/fs/cgroup/inner/cpu.max", "max 100000\n"},
           {"/sys/fs/cgroup/cpu.max", "200000 100000\n"}};
  CHECK(granted(files) == 2.0);
}

TEST_CASE("cgroup version 1: the quota of the cpu controller's hierarchy") {
  Files files{{"/proc/self/cgroup", "11:cpuset:/\n4:cpu,cpuacct:/job\n1:name=systemd:/user\n0::/user\n"},
              {"/proc/self/mountinfo", kVersion1},
              {"/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n"},
              {"/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n"}};
  CHECK(granted(files) == std::nullopt);
  files["/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us"] = "150000\n";
  CHECK(granted(files) == 1.5);
  files["/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"] = "20000\n";
  CHECK(granted(files) == 1.5);  // no period beside it
  files["/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us"] = "100000\n";
  CHECK(granted(files) == 0.2);
}

TEST_CASE("cgroups: what cannot be understood limits nothing") {
  const Files good{{"/proc/self/cgroup", "0::/job\n"},
                   {"/proc/self/mountinfo", kVersion2},
                   {"/sys/fs/cgroup/job/cpu.max", "150000 100000\n"}};
  REQUIRE(granted(good) == 1.5);
  CHECK(granted({}) == std::nullopt);
  for (const auto& [path, text] : good)
    for (const char* wrong : {"", "\n", ":", "::", " - \n", "- - - -\n", "1 2 3 4 - cgroup2\n", "x 100000\n",
                              "150000\n", "150000 0\n", "150000 -1\n", "-5 100000\n", "0 100000\n",
                              "150000x 100000\n", "99999999999999999999 100000\n"}) {
      CAPTURE(path);
      CAPTURE(wrong);
      Files files = good;
      files[path] = wrong;
      CHECK(granted(files) == std::nullopt);
    }
  // A folder of another name that begins alike is not the container's.
  Files alike{{"/proc/self/cgroup", "0::/docker/abcdef\n"},
              {"/proc/self/mountinfo", "29 22 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"},
              {"/sys/fs/cgroupdef/cpu.max", "100000 100000\n"}};
  CHECK(granted(alike) == std::nullopt);
}

TEST_CASE("the processors of an affinity mask are counted, not those of the machine") {
  const int all = available_processors();
  CHECK(all >= 1);
  CHECK(all <= static_cast<int>(std::thread::hardware_concurrency()));
  cpu_set_t before, one;
  REQUIRE(::sched_getaffinity(0, sizeof(before), &before) == 0);
  CPU_ZERO(&one);
  int processor = 0;
  while (!CPU_ISSET(processor, &before)) ++processor;
  CPU_SET(processor, &one);
  REQUIRE(::sched_setaffinity(0, sizeof(one), &one) == 0);
  CHECK(available_processors() == 1);
  REQUIRE(::sched_setaffinity(0, sizeof(before), &before) == 0);
  CHECK(available_processors() == all);
}
