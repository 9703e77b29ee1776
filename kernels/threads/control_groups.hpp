// Owns: the control groups of this process (version 1 and 2), and the CPU quota that they and their ancestors set.
// Internal; the tuner reads memory limits and throttling from the same directories. Does not own: the affinity mask
// (cpus.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::detail {

// A group's directory, in which the files of the controller are.
struct GroupDirectory {
  std::filesystem::path path;
  bool version2;
};

// Returns the directories of the process's groups that have the controller ("cpu", "memory") and of their ancestors,
// innermost first, found through proc/self/mountinfo and proc/self/cgroup below `root`. Throws std::bad_alloc alone.
std::vector<GroupDirectory> group_directories(const std::filesystem::path& root, std::string_view controller);

// Returns the words of a file, none if there is no such file.
std::vector<std::string> words_of(const std::filesystem::path& file);
// Returns the whole text as a number, or nothing if it is none.
std::optional<std::int64_t> integer(std::string_view text);

// Returns the tightest quota in CPUs (1.5 is one and a half), or nothing where there is none.
std::optional<double> cpu_quota(const std::filesystem::path& root);

}  // namespace sluice::detail
