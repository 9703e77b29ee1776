// How many threads a process may use: the affinity mask of any size, and what a quota is worth.
#include "kernels/threads/cpus.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernels/threads/control_groups.hpp"
#include "sluice/executor.hpp"

#if defined(__linux__)
namespace {

// The size of the mask of a pretended machine in bytes, which has all CPUs allowed; 0: this machine's.
std::size_t pretended_bytes = 0;

}  // namespace

// Stands before the C library's for this program.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): its names are reserved
extern "C" int sched_getaffinity(pid_t process, std::size_t bytes, cpu_set_t* set) noexcept {
  if (pretended_bytes == 0) {
    const long filled = ::syscall(SYS_sched_getaffinity, process, bytes, set);
    if (filled < 0) return -1;
    std::memset(reinterpret_cast<char*>(set) + filled, 0, bytes - static_cast<std::size_t>(filled));
    return 0;
  }
  if (bytes < pretended_bytes) {
    errno = EINVAL;
    return -1;
  }
  std::memset(set, 0, bytes);
  std::memset(set, 0xff, pretended_bytes);
  return 0;
}
#endif

namespace sluice::tests {
namespace {

TEST(Cpus, AQuotaIsWorthWholeThreads) {
  EXPECT_EQ(detail::threads_within(std::nullopt, 7), 7U);
  EXPECT_EQ(detail::threads_within(0.1, 7), 1U);
  EXPECT_EQ(detail::threads_within(1.5, 7), 2U);
  EXPECT_EQ(detail::threads_within(2.0, 7), 2U);
  EXPECT_EQ(detail::threads_within(7.5, 7), 7U);
  EXPECT_EQ(detail::threads_within(1e30, 7), 7U);
}

#if defined(__linux__)
TEST(Cpus, OfAMaskLargerThanACpuSetAreAllCounted) {
  for (const std::size_t bytes : {std::size_t{256}, std::size_t{1024}}) {
    pretended_bytes = bytes;
    const std::vector<unsigned> cpus = detail::affinity_mask();
    const std::uint32_t threads = available_threads();
    pretended_bytes = 0;
    ASSERT_EQ(cpus.size(), bytes * 8);
    EXPECT_EQ(cpus.back(), bytes * 8 - 1);
    EXPECT_EQ(threads, detail::threads_within(detail::cpu_quota("/"), static_cast<std::uint32_t>(bytes * 8)));
  }
}

TEST(Cpus, AreThoseThatTheProcessMayUse) {
  const std::vector<unsigned> before = detail::affinity_mask();
  ASSERT_FALSE(before.empty());
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(before.back(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(detail::affinity_mask(), std::vector<unsigned>{before.back()});
  EXPECT_EQ(available_threads(), 1U);
  cpu_set_t all;
  CPU_ZERO(&all);
  for (const unsigned cpu : before) CPU_SET(cpu, &all);
  ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
  EXPECT_EQ(detail::affinity_mask(), before);
}
#endif

}  // namespace
}  // namespace sluice::tests
