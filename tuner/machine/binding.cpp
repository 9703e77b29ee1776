#include "tuner/machine/binding.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string_view>

#include "kernels/threads/cpus.hpp"
#include "tuner/base/failure.hpp"
#include "tuner/base/spelling.hpp"

namespace sluice::tuner {

std::vector<unsigned> allowed_cpus(const std::filesystem::path& root) {
  if (root != "/") {
    constexpr std::string_view key = "Cpus_allowed_list:";
    std::ifstream file(root / "proc/self/status");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with(key)) continue;
      const std::size_t begin = line.find_first_not_of(" \t", key.size());
      return begin == std::string::npos ? std::vector<unsigned>{} : parse_cpu_list(line.substr(begin));
    }
    return {};
  }
  return detail::affinity_mask();
}

std::vector<unsigned> choose_cpus(const std::vector<CoreClass>& classes, const std::vector<unsigned>& allowed,
                                  const std::optional<std::string>& cores) {
  if (cores == "all") return {};
  const auto usable = [&](const CoreClass& one) {
    std::vector<unsigned> cpus;
    std::ranges::set_intersection(one.cpus, allowed, std::back_inserter(cpus));
    return cpus;
  };
  if (!cores) {
    for (const CoreClass& one : classes) {
      if (std::vector<unsigned> cpus = usable(one); !cpus.empty()) return cpus;
    }
    return {};
  }
  const auto found = std::ranges::find(classes, *cores, &CoreClass::name);
  if (found == classes.end()) {
    constexpr std::array<std::string_view, 3> common{"performance", "middle", "efficiency"};
    std::vector<std::string_view> names;
    names.reserve(classes.size() + common.size());
    for (const CoreClass& one : classes) names.push_back(one.name);
    if (names.empty()) names.assign(common.begin(), common.end());
    const bool known = std::ranges::find(common, *cores) != common.end();
    names.emplace_back("all");
    if (!known)
      throw Failure(exit_code::usage, fmt::format("--cores {}: unknown; {}", *cores, known_names(*cores, names)));
    throw Failure(
        exit_code::unsupported,
        classes.empty()
            ? fmt::format("--cores {}: the cores of this machine are all alike, as far as is known; leave it out",
                          *cores)
            : fmt::format("--cores {}: this machine has none; use {}", *cores, fmt::join(names, " or ")));
  }
  std::vector<unsigned> cpus = usable(*found);
  if (cpus.empty())
    throw Failure(exit_code::unsupported,
                  fmt::format("--cores {}: the affinity mask leaves none of them; widen it (taskset, cpuset) or choose "
                              "other cores",
                              *cores));
  return cpus;
}

Machine bind_and_probe(const std::optional<std::string>& cores) {
  Machine machine = probe_machine();
  const std::vector<unsigned> cpus = choose_cpus(machine.core_classes, allowed_cpus(), cores);
  if (cpus.empty()) return machine;
#if defined(__linux__)
  // A cpu_set_t has room for 1024 CPUs.
  std::vector<cpu_set_t> mask(cpus.back() / CPU_SETSIZE + 1);
  const std::size_t bytes = mask.size() * sizeof(cpu_set_t);
  CPU_ZERO_S(bytes, mask.data());
  for (const unsigned cpu : cpus) CPU_SET_S(cpu, bytes, mask.data());
  if (sched_setaffinity(0, bytes, mask.data()) != 0)
    throw Failure(exit_code::unsupported,
                  fmt::format("--cores {}: the system refuses to bind to these cores; use --cores all",
                              cores.value_or(machine.core_classes.front().name)));
#endif
  return probe_machine();
}

}  // namespace sluice::tuner
