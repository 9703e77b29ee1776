// Owns: what this process may use of the machine: memory and throttling of its control groups (version 1 and 2), and
// the machine's own memory. Does not own: finding the groups and their CPU quota (kernels/threads/control_groups.hpp),
// the affinity mask (kernels/threads/cpus.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace sluice::tuner {

// A field is empty where it is unknown or unlimited.
struct Limits {
  std::optional<double> cpu_quota;                 // in CPUs: 1.5 is one and a half
  std::optional<std::uint64_t> memory_limit;       // bytes
  std::optional<std::uint64_t> memory_limit_left;  // bytes below the limit, reclaimable page cache not counted as used
};

// Returns the tightest limits of the process's groups and their ancestors, which it finds through proc/self/mountinfo
// and proc/self/cgroup below `root`.
Limits read_limits(const std::filesystem::path& root = "/");

// How much the process's groups and their ancestors have been throttled so far. Both numbers only ever grow.
struct Throttling {
  std::int64_t periods = 0;  // in which CPU time ran out
  double seconds = 0;        // that threads waited for the next period, all CPUs together
};

// Sums over the groups that read_limits() looks at. Returns nothing where no group counts it.
std::optional<Throttling> read_throttling(const std::filesystem::path& root = "/");

struct Memory {
  std::optional<std::uint64_t> total;      // bytes
  std::optional<std::uint64_t> available;  // bytes that can be had without swapping
  std::optional<std::uint64_t> swap_used;  // bytes
};

// Reads proc/meminfo below `root`.
Memory read_memory(const std::filesystem::path& root = "/");

// Returns the bytes that this process can have now: what the machine has left and what its control groups leave it.
std::optional<std::uint64_t> available_memory(const std::filesystem::path& root = "/");

// Throws Failure 4 if `bytes` are more than available_memory(), since the kernel would end the process later on. `what`
// is what they are for.
void require_memory(double bytes, std::string_view what);

}  // namespace sluice::tuner
