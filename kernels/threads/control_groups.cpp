#include "kernels/threads/control_groups.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace sluice::detail {
namespace {

namespace fs = std::filesystem;

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

std::optional<std::int64_t> first_integer(const fs::path& file) {
  const std::vector<std::string> found = words_of(file);
  return found.empty() ? std::nullopt : integer(found.front());
}

std::optional<double> quota_in(const GroupDirectory& group) {
  std::optional<std::int64_t> allowed, period;
  if (group.version2) {
    const std::vector<std::string> max = words_of(group.path / "cpu.max");  // "max 100000" or "150000 100000"
    if (max.size() == 2) {
      allowed = integer(max[0]);
      period = integer(max[1]);
    }
  } else {
    allowed = first_integer(group.path / "cpu.cfs_quota_us");  // -1: none
    period = first_integer(group.path / "cpu.cfs_period_us");
  }
  if (!allowed || !period || *allowed <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*allowed) / static_cast<double>(*period);
}

}  // namespace

std::vector<std::string> words_of(const fs::path& file) {
  std::ifstream stream(file);
  std::vector<std::string> found;
  for (std::string word; stream >> word;) found.push_back(word);
  return found;
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<GroupDirectory> group_directories(const fs::path& root, std::string_view controller) {
  std::vector<GroupDirectory> found;
  for (const Mount& mount : mounts(root)) {
    if (!mount.version2 && !lists(mount.controllers, controller)) continue;
    const auto group = group_in(root, mount, controller);
    if (!group) continue;
    // Inside a container the group may lie outside what is mounted. Then the mount itself is the group.
    fs::path inner = group->lexically_relative(mount.group_root);
    if (inner.empty() || *inner.begin() == "..") inner = ".";
    const fs::path top = (root / mount.mount_point.relative_path()).lexically_normal();
    for (fs::path directory = (top / inner).lexically_normal();; directory = directory.parent_path()) {
      if (!directory.has_filename()) directory = directory.parent_path();
      found.push_back({directory, mount.version2});
      if (directory == top || !directory.has_relative_path()) break;
    }
  }
  return found;
}

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> tightest;
  for (const GroupDirectory& group : group_directories(root, "cpu")) {
    if (const std::optional<double> cpus = quota_in(group)) tightest = tightest ? std::min(*tightest, *cpus) : *cpus;
  }
  return tightest;
}

}  // namespace sluice::detail
