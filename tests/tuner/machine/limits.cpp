// Quotas, throttling and memory, from control groups and procfs files that stand for other computers.
#include "tuner/machine/limits.hpp"

#include "tests/tuner/support.hpp"

namespace sluice::tuner {
namespace {

TEST(Limits, AreTheTightestOfAVersion2GroupAndItsAncestors) {
  const TemporaryDirectory root;
  join_group(root, "/a.slice/b.scope");
  root.write("sys/fs/cgroup/a.slice/cpu.max", "150000 100000\n");
  root.write("sys/fs/cgroup/a.slice/b.scope/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/a.slice/memory.max", "max\n");
  root.write("sys/fs/cgroup/a.slice/b.scope/memory.max", "1073741824\n");
  root.write("sys/fs/cgroup/a.slice/b.scope/memory.current", "536870912\n");
  root.write("sys/fs/cgroup/a.slice/b.scope/memory.stat", "anon 1\ninactive_file 268435456\nactive_file 3\n");
  const Limits limits = read_limits(root.path());
  EXPECT_EQ(limits.cpu_quota, 1.5);
  EXPECT_EQ(limits.memory_limit, 1073741824U);
  EXPECT_EQ(limits.memory_limit_left, 1073741824U - 268435456U);
}

TEST(Limits, OfAVersion1GroupMountedIntoAContainer) {
  const TemporaryDirectory root;
  root.write("proc/self/mountinfo",
             "31 30 0:27 /docker/c0ffee /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
             "32 30 0:28 /docker/c0ffee /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  root.write("proc/self/cgroup", "4:cpu,cpuacct:/docker/c0ffee\n3:memory:/docker/c0ffee\n1:name=systemd:/\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
  const Limits limits = read_limits(root.path());
  EXPECT_EQ(limits.cpu_quota, 0.5);
  EXPECT_EQ(limits.memory_limit, 2147483648U);
  EXPECT_EQ(limits.memory_limit_left, std::nullopt);
}

TEST(Limits, AreNoneWhereNoneAreSet) {
  const TemporaryDirectory root;
  EXPECT_EQ(read_limits(root.path()).cpu_quota, std::nullopt);
  root.write("proc/self/mountinfo",
             "31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
             "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\nnonsense\n");
  root.write("proc/self/cgroup", "4:cpu:/../../elsewhere\n3:memory:/\nnonsense\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const Limits limits = read_limits(root.path());
  EXPECT_EQ(limits.cpu_quota, std::nullopt);
  EXPECT_EQ(limits.memory_limit, std::nullopt);
}

TEST(Throttling, IsSummedOverAGroupAndItsAncestors) {
  const TemporaryDirectory root;
  EXPECT_FALSE(read_throttling(root.path()).has_value());
  join_group(root, "/a.slice/b.scope");
  root.write("sys/fs/cgroup/cpu.stat", "usage_usec 5\n");
  root.write("sys/fs/cgroup/a.slice/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 2\nthrottled_usec 500000\n");
  root.write("sys/fs/cgroup/a.slice/b.scope/cpu.stat", "nr_periods 9\nnr_throttled 1\nthrottled_usec 250000\n");
  const auto found = read_throttling(root.path());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->periods, 3);
  EXPECT_DOUBLE_EQ(found->seconds, 0.75);
}

TEST(Throttling, IsCountedInNanosecondsByVersion1) {
  const TemporaryDirectory root;
  root.write("proc/self/mountinfo",
             "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
             "32 30 0:28 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  root.write("proc/self/cgroup", "4:cpu,cpuacct:/\n3:memory:/\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_time 1500000000\n");
  const auto found = read_throttling(root.path());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->periods, 4);
  EXPECT_DOUBLE_EQ(found->seconds, 1.5);
}

TEST(Memory, IsReadFromMeminfo) {
  const TemporaryDirectory root;
  EXPECT_EQ(read_memory(root.path()).total, std::nullopt);
  root.write("proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    8192 kB\n");
  EXPECT_EQ(read_memory(root.path()).total, 16384U * 1024U);
  EXPECT_EQ(read_memory(root.path()).available, 8192U * 1024U);
}

}  // namespace
}  // namespace sluice::tuner
