#include "tuner/machine/topology.hpp"

#include <fmt/format.h>
#include <hwloc.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include "tuner/base/system_file.hpp"

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using TopologyOwner = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, Destroy>;

// Removes hwloc's own switches from the environment. With HWLOC_SYNTHETIC, HWLOC_XMLFILE or HWLOC_FSROOT it would
// describe another machine, by whose fingerprint plans would then be kept.
void forget_settings_of_hwloc() {
  std::vector<std::string> names;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with("HWLOC_")) names.emplace_back(text.substr(0, text.find('=')));
  }
  for (const std::string& name : names) ::unsetenv(name.c_str());
}

TopologyOwner load(const std::optional<std::string>& description) {
  forget_settings_of_hwloc();
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  TopologyOwner topology(raw);
  // The fingerprint of a machine must not depend on the cpuset that a container was given.
  if (hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) != 0) return nullptr;
  if (description) {
    const int described =
        description->starts_with("<")
            ? hwloc_topology_set_xmlbuffer(raw, description->c_str(), static_cast<int>(description->size() + 1))
            : hwloc_topology_set_synthetic(raw, description->c_str());
    if (described != 0) return nullptr;
  }
  return hwloc_topology_load(raw) == 0 ? std::move(topology) : nullptr;
}

std::optional<std::uint32_t> count(hwloc_topology_t topology, hwloc_obj_type_t type) {
  const int objects = hwloc_get_nbobjs_by_type(topology, type);
  return objects > 0 ? std::optional(static_cast<std::uint32_t>(objects)) : std::nullopt;
}

std::optional<std::size_t> cache_above(hwloc_topology_t topology, hwloc_obj_t unit, hwloc_obj_type_t type) {
  const hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(topology, type, unit);
  if (cache == nullptr || cache->attr == nullptr || cache->attr->cache.size == 0) return std::nullopt;
  return static_cast<std::size_t>(cache->attr->cache.size);
}

// Parses a cache size as the kernel writes it: "48K", "1024K", "32M".
std::optional<std::size_t> cache_size(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value == 0 || value >= (std::size_t{1} << 40U)) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit == "K") return value << 10U;
  if (unit == "M") return value << 20U;
  return unit.empty() ? std::optional(value) : std::nullopt;
}

// Returns the numbers of the entries "cpu0", "cpu3", … of a directory, where `prefix` is "cpu".
std::set<unsigned> numbered(const fs::path& directory, std::string_view prefix) {
  std::set<unsigned> numbers;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    unsigned value = 0;
    const char* const last = name.data() + name.size();
    const auto [stop, failure] = std::from_chars(name.data() + prefix.size(), last, value);
    if (failure == std::errc() && stop == last) numbers.insert(value);
  }
  return numbers;
}

std::optional<std::uint32_t> unless_zero(std::size_t value) {
  return value == 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(value));
}

// Rank 0 is the fastest class.
std::string class_name(std::size_t rank, std::size_t classes) {
  if (rank == 0) return "performance";
  if (rank + 1 == classes) return "efficiency";
  return classes == 3 ? "middle" : fmt::format("middle{}", rank);
}

// Names the classes and counts their cores. A single class counts as none.
std::vector<CoreClass> completed(std::vector<CoreClass> classes, const std::map<unsigned, unsigned>& core_of) {
  std::erase_if(classes, [](const CoreClass& c) { return c.cpus.empty(); });
  if (classes.size() < 2) return {};
  for (std::size_t rank = 0; rank < classes.size(); ++rank) {
    std::set<unsigned> cores;
    for (const unsigned cpu : classes[rank].cpus) {
      const auto core = core_of.find(cpu);
      if (core != core_of.end()) cores.insert(core->second);
    }
    classes[rank].name = class_name(rank, classes.size());
    classes[rank].cores = static_cast<std::uint32_t>(cores.empty() ? classes[rank].cpus.size() : cores.size());
  }
  return classes;
}

std::vector<CoreClass> hwloc_classes(hwloc_topology_t topology, const std::map<unsigned, unsigned>& core_of) {
  std::vector<CoreClass> classes;
  // hwloc ranks the kinds by what it calls efficiency, the slowest cores first. Unranked kinds say nothing about speed.
  for (int kind = hwloc_cpukinds_get_nr(topology, 0) - 1; kind >= 0; --kind) {
    const std::unique_ptr<hwloc_bitmap_s, decltype(&hwloc_bitmap_free)> set(hwloc_bitmap_alloc(), hwloc_bitmap_free);
    int efficiency = -1;
    const auto kind_index = static_cast<unsigned>(kind);
    if (set == nullptr ||
        hwloc_cpukinds_get_info(topology, kind_index, set.get(), &efficiency, nullptr, nullptr, 0) != 0 ||
        efficiency < 0)
      return {};
    CoreClass& one = classes.emplace_back();
    for (int cpu = hwloc_bitmap_first(set.get()); cpu >= 0; cpu = hwloc_bitmap_next(set.get(), cpu))
      one.cpus.push_back(static_cast<unsigned>(cpu));
  }
  return completed(std::move(classes), core_of);
}

// Makes classes from the capacities that the kernel gives the cores of an Arm machine (1024: the fastest). Turbo makes
// cores of one kind differ by a few per cent, so a class ends where the next core is slower by more than a tenth.
std::vector<CoreClass> capacity_classes(const fs::path& cpu_directory, const std::map<unsigned, unsigned>& core_of) {
  std::vector<std::pair<double, unsigned>> capacities;
  for (const auto& [cpu, core] : core_of) {
    const std::string text = first_line(cpu_directory / fmt::format("cpu{}", cpu) / "cpu_capacity");
    unsigned capacity = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), capacity);
    if (error != std::errc() || capacity == 0) return {};
    capacities.emplace_back(capacity, cpu);
  }
  std::sort(capacities.rbegin(), capacities.rend());
  std::vector<CoreClass> classes;
  double last = 0;
  for (const auto& [capacity, cpu] : capacities) {
    if (classes.empty() || capacity < 0.9 * last) classes.push_back({"", 0, {}, capacity / capacities.front().first});
    classes.back().cpus.push_back(cpu);
    last = capacity;
  }
  for (CoreClass& one : classes) std::sort(one.cpus.begin(), one.cpus.end());
  return classes;
}

// On an Intel hybrid CPU each kind of core has its own unit of performance counters, which lists its CPUs.
std::vector<CoreClass> counter_unit_classes(const fs::path& root) {
  std::vector<CoreClass> classes;
  for (const char* unit : {"cpu_core", "cpu_atom", "cpu_lowpower"})
    classes.push_back({"", 0, parse_cpu_list(first_line(root / "sys/devices" / unit / "cpus")), {}});
  return classes;
}

}  // namespace

Topology hwloc_topology(const std::optional<std::string>& description, unsigned cpu) {
  const TopologyOwner owner = load(description);
  if (owner == nullptr) return {};
  hwloc_topology_t topology = owner.get();
  Topology found;
  found.cores = count(topology, HWLOC_OBJ_CORE);
  found.cpus = count(topology, HWLOC_OBJ_PU);
  found.numa_nodes = count(topology, HWLOC_OBJ_NUMANODE);
  for (hwloc_obj_t pu = nullptr; (pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != nullptr;) {
    const hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, pu);
    if (core != nullptr) found.core_of.emplace(pu->os_index, core->logical_index);
  }
  found.classes = hwloc_classes(topology, found.core_of);
  hwloc_obj_t unit = description ? nullptr : hwloc_get_pu_obj_by_os_index(topology, cpu);
  if (unit == nullptr) unit = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PU, 0);
  if (unit != nullptr) {
    found.l1d = cache_above(topology, unit, HWLOC_OBJ_L1CACHE);
    found.l2 = cache_above(topology, unit, HWLOC_OBJ_L2CACHE);
    found.l3 = cache_above(topology, unit, HWLOC_OBJ_L3CACHE);
  }
  return found;
}

Topology sysfs_topology(const fs::path& root, unsigned cpu) {
  Topology found;
  const fs::path system = root / "sys/devices/system";
  const std::set<unsigned> cpus = numbered(system / "cpu", "cpu");
  found.cpus = unless_zero(cpus.size());
  found.numa_nodes = unless_zero(numbered(system / "node", "node").size());

  std::map<std::string, unsigned> cores;
  for (const unsigned number : cpus) {
    const fs::path topology = system / "cpu" / fmt::format("cpu{}", number) / "topology";
    const auto core = word_in(topology / "core_id");
    // An offline CPU has no topology and cannot be used.
    if (!core) continue;
    // Clusters of an Arm machine may give their cores the same numbers, but each core has its own list of threads.
    const std::string key = word_in(topology / "thread_siblings_list")
                                .value_or(word_in(topology / "physical_package_id").value_or("0") + ":" + *core);
    found.core_of[number] = cores.emplace(key, static_cast<unsigned>(cores.size())).first->second;
  }
  found.cores = unless_zero(cores.size());
  found.classes = completed(capacity_classes(system / "cpu", found.core_of), found.core_of);
  if (found.classes.empty()) found.classes = completed(counter_unit_classes(root), found.core_of);

  const fs::path caches = system / "cpu" / fmt::format("cpu{}", cpu) / "cache";
  for (const unsigned index : numbered(caches, "index")) {
    const fs::path cache = caches / fmt::format("index{}", index);
    const std::string level = word_in(cache / "level").value_or("");
    const std::string type = word_in(cache / "type").value_or("");
    const auto size = cache_size(word_in(cache / "size").value_or(""));
    if (!size || type == "Instruction") continue;
    if (level == "1") found.l1d = size;
    if (level == "2") found.l2 = size;
    if (level == "3") found.l3 = size;
  }
  return found;
}

std::vector<unsigned> parse_cpu_list(std::string_view text) {
  std::set<unsigned> cpus;
  constexpr unsigned most = 1U << 16U;
  const char* at = text.data();
  const char* const last = at + text.size();
  const auto number = [&](unsigned& value) {
    const auto [end, error] = std::from_chars(at, last, value);
    at = end;
    return error == std::errc() && value < most;
  };
  while (at != last && *at != '\n') {
    unsigned first = 0;
    if (!number(first)) return {};
    unsigned end = first;
    if (at != last && *at == '-') {
      ++at;
      if (!number(end) || end < first) return {};
    }
    for (unsigned cpu = first; cpu <= end; ++cpu) cpus.insert(cpu);
    if (at != last && *at == ',') ++at;
  }
  return {cpus.begin(), cpus.end()};
}

Topology merged(const Topology& first, const Topology& second) {
  const auto either = [](const auto& a, const auto& b) { return a ? a : b; };
  Topology both{either(first.l1d, second.l1d),
                either(first.l2, second.l2),
                either(first.l3, second.l3),
                either(first.cores, second.cores),
                either(first.cpus, second.cpus),
                either(first.numa_nodes, second.numa_nodes),
                first.core_of.empty() ? second.core_of : first.core_of,
                first.classes.empty() ? second.classes : first.classes};
  // hwloc only ranks the classes, while sysfs may know their speed.
  for (CoreClass& one : both.classes) {
    const auto same = std::ranges::find(second.classes, one.cpus, &CoreClass::cpus);
    if (!one.relative_speed && same != second.classes.end()) one.relative_speed = same->relative_speed;
  }
  return both;
}

}  // namespace sluice::tuner
