#include "tuner/machine/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/threads/control_groups.hpp"
#include "tuner/base/failure.hpp"

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

void tighten(std::optional<std::uint64_t>& limit, std::uint64_t value) {
  limit = limit ? std::min(*limit, value) : value;
}

// Returns the value after `key` in a file of "key value" pairs.
std::optional<std::int64_t> value_of(const fs::path& path, std::string_view key) {
  const std::vector<std::string> found = detail::words_of(path);
  const auto at = std::find(found.begin(), found.end(), key);
  return at == found.end() || at + 1 == found.end() ? std::nullopt : detail::integer(*(at + 1));
}

std::optional<std::int64_t> first_integer(const fs::path& path) {
  const std::vector<std::string> found = detail::words_of(path);
  return found.empty() ? std::nullopt : detail::integer(found.front());
}

void tighten_memory(Limits& limits, const fs::path& directory, bool version2) {
  const auto limit = first_integer(directory / (version2 ? "memory.max" : "memory.limit_in_bytes"));
  // Version 1 expresses "no limit" by the largest multiple of a page.
  if (!limit || *limit < 0 || *limit >= std::numeric_limits<std::int64_t>::max() - (std::int64_t{1} << 20U)) return;
  tighten(limits.memory_limit, static_cast<std::uint64_t>(*limit));
  const auto usage = first_integer(directory / (version2 ? "memory.current" : "memory.usage_in_bytes"));
  if (!usage) return;
  const std::int64_t cache =
      value_of(directory / "memory.stat", version2 ? "inactive_file" : "total_inactive_file").value_or(0);
  const std::int64_t used = std::clamp<std::int64_t>(*usage - cache, 0, *limit);
  tighten(limits.memory_limit_left, static_cast<std::uint64_t>(*limit - used));
}

}  // namespace

Limits read_limits(const fs::path& root) {
  Limits limits;
  limits.cpu_quota = detail::cpu_quota(root);
  for (const detail::GroupDirectory& group : detail::group_directories(root, "memory")) {
    tighten_memory(limits, group.path, group.version2);
  }
  return limits;
}

std::optional<Throttling> read_throttling(const fs::path& root) {
  std::optional<Throttling> sum;
  for (const detail::GroupDirectory& group : detail::group_directories(root, "cpu")) {
    const auto periods = value_of(group.path / "cpu.stat", "nr_throttled");
    if (!periods) continue;
    // Version 2 counts microseconds, version 1 nanoseconds.
    const auto micro = value_of(group.path / "cpu.stat", "throttled_usec");
    const auto nano = value_of(group.path / "cpu.stat", "throttled_time");
    Throttling& all = sum ? *sum : sum.emplace();
    all.periods += *periods;
    all.seconds += micro ? static_cast<double>(*micro) * 1e-6 : static_cast<double>(nano.value_or(0)) * 1e-9;
  }
  return sum;
}

Memory read_memory(const fs::path& root) {
  const auto kibibytes = [&](std::string_view key) -> std::optional<std::uint64_t> {
    const auto value = value_of(root / "proc/meminfo", key);
    if (!value || *value <= 0 || *value > (std::int64_t{1} << 52U)) return std::nullopt;
    return static_cast<std::uint64_t>(*value) << 10U;
  };
  Memory memory{kibibytes("MemTotal:"), kibibytes("MemAvailable:"), std::nullopt};
  if (const auto total = value_of(root / "proc/meminfo", "SwapTotal:")) {
    const std::uint64_t free = kibibytes("SwapFree:").value_or(0);
    memory.swap_used = static_cast<std::uint64_t>(std::max<std::int64_t>(0, *total)) << 10U;
    *memory.swap_used -= std::min(*memory.swap_used, free);
  }
  return memory;
}

std::optional<std::uint64_t> available_memory(const fs::path& root) {
  std::optional<std::uint64_t> least = read_memory(root).available;
  if (const auto left = read_limits(root).memory_limit_left) tighten(least, *left);
  return least;
}

void require_memory(double bytes, std::string_view what) {
  const std::optional<std::uint64_t> available = available_memory();
  if (!available || bytes <= static_cast<double>(*available)) return;
  constexpr double gib = 1024.0 * 1024.0 * 1024.0;
  throw Failure(
      exit_code::unsupported,
      fmt::format("{}: needs {:.2f} GiB of memory, {:.2f} GiB are available; choose smaller sizes or free memory", what,
                  bytes / gib, static_cast<double>(*available) / gib));
}

}  // namespace sluice::tuner
