#include "tuner/machine/limits.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

template <class T>
void tighten(std::optional<T>& limit, T value) {
  limit = limit ? std::min(*limit, value) : value;
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string> words(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> found;
  for (std::string word; file >> word;) found.push_back(word);
  return found;
}

// Returns the value after `key` in a file of "key value" pairs.
std::optional<std::int64_t> value_of(const fs::path& path, std::string_view key) {
  const std::vector<std::string> found = words(path);
  const auto at = std::find(found.begin(), found.end(), key);
  return at == found.end() || at + 1 == found.end() ? std::nullopt : integer(*(at + 1));
}

std::optional<std::int64_t> first_integer(const fs::path& path) {
  const std::vector<std::string> found = words(path);
  return found.empty() ? std::nullopt : integer(found.front());
}

bool lists(std::string_view comma_separated, std::string_view word) {
  std::istringstream list{std::string(comma_separated)};
  for (std::string item; std::getline(list, item, ',');) {
    if (item == word) return true;
  }
  return false;
}

// A mounted hierarchy. Version 2 has every controller, version 1 those among its options.
struct Mount {
  fs::path group_root;  // the group that stands at mount_point
  fs::path mount_point;
  bool version2;
  std::string controllers;
};

std::vector<Mount> mounts(const fs::path& root) {
  std::ifstream file(root / "proc/self/mountinfo");
  std::vector<Mount> found;
  for (std::string line; std::getline(file, line);) {
    // id parent major:minor root mount_point options [optional…] - type source super_options (see proc(5))
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream after(line.substr(dash + 3));
    std::string skipped, group_root, mount_point, type, source, options;
    before >> skipped >> skipped >> skipped >> group_root >> mount_point;
    after >> type >> source >> options;
    if (type == "cgroup2" || type == "cgroup") found.push_back({group_root, mount_point, type == "cgroup2", options});
  }
  return found;
}

// Returns the process's group in a hierarchy. Lines are "id:controllers:path", in version 2 "0::path".
std::optional<fs::path> group_in(const fs::path& root, const Mount& mount, std::string_view controller) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (mount.version2 ? controllers.empty() : lists(controllers, controller)) return fs::path(line.substr(second + 1));
  }
  return std::nullopt;
}

// Returns the directories that may limit the process, innermost first.
std::vector<fs::path> directories(const fs::path& root, const Mount& mount, std::string_view controller) {
  const auto group = group_in(root, mount, controller);
  if (!group) return {};
  // Inside a container the group may lie outside what is mounted. Then the mount itself is the group.
  fs::path inner = group->lexically_relative(mount.group_root);
  if (inner.empty() || *inner.begin() == "..") inner = ".";
  const fs::path top = (root / mount.mount_point.relative_path()).lexically_normal();
  std::vector<fs::path> found;
  for (fs::path directory = (top / inner).lexically_normal();; directory = directory.parent_path()) {
    if (!directory.has_filename()) directory = directory.parent_path();
    found.push_back(directory);
    if (directory == top || !directory.has_relative_path()) return found;
  }
}

std::optional<double> quota(const fs::path& directory, bool version2) {
  std::optional<std::int64_t> allowed, period;
  if (version2) {
    const std::vector<std::string> max = words(directory / "cpu.max");  // "max 100000" or "150000 100000"
    if (max.size() == 2) {
      allowed = integer(max[0]);
      period = integer(max[1]);
    }
  } else {
    allowed = first_integer(directory / "cpu.cfs_quota_us");  // -1: none
    period = first_integer(directory / "cpu.cfs_period_us");
  }
  if (!allowed || !period || *allowed <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*allowed) / static_cast<double>(*period);
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
  for (const Mount& mount : mounts(root)) {
    if (mount.version2 || lists(mount.controllers, "cpu")) {
      for (const fs::path& directory : directories(root, mount, "cpu")) {
        if (const auto cpus = quota(directory, mount.version2)) tighten(limits.cpu_quota, *cpus);
      }
    }
    if (mount.version2 || lists(mount.controllers, "memory")) {
      for (const fs::path& directory : directories(root, mount, "memory")) {
        tighten_memory(limits, directory, mount.version2);
      }
    }
  }
  return limits;
}

std::optional<Throttling> read_throttling(const fs::path& root) {
  std::optional<Throttling> sum;
  for (const Mount& mount : mounts(root)) {
    if (!mount.version2 && !lists(mount.controllers, "cpu")) continue;
    for (const fs::path& directory : directories(root, mount, "cpu")) {
      const auto periods = value_of(directory / "cpu.stat", "nr_throttled");
      if (!periods) continue;
      // Version 2 counts microseconds, version 1 nanoseconds.
      const auto micro = value_of(directory / "cpu.stat", "throttled_usec");
      const auto nano = value_of(directory / "cpu.stat", "throttled_time");
      Throttling& all = sum ? *sum : sum.emplace();
      all.periods += *periods;
      all.seconds += micro ? static_cast<double>(*micro) * 1e-6 : static_cast<double>(nano.value_or(0)) * 1e-9;
    }
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

}  // namespace sluice::tuner
