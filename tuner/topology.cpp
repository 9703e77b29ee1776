#include "tuner/topology.hpp"

#include <fmt/format.h>
#include <hwloc.h>
#include <sched.h>

#include <charconv>
#include <fstream>
#include <memory>
#include <set>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using TopologyOwner = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, Destroy>;

TopologyOwner load(const std::optional<std::string>& synthetic) {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  TopologyOwner topology(raw);
  // The machine is the same whatever cpuset a container was given; so is its fingerprint.
  if (hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) != 0) return nullptr;
  if (synthetic && hwloc_topology_set_synthetic(raw, synthetic->c_str()) != 0) return nullptr;
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

std::optional<std::string> first_word(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  return file >> word ? std::optional(word) : std::nullopt;
}

// "48K", "1024K", "32M" as the kernel writes cache sizes.
std::optional<std::size_t> cache_size(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value == 0 || value >= (std::size_t{1} << 40U)) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit == "K") return value << 10U;
  if (unit == "M") return value << 20U;
  return unit.empty() ? std::optional(value) : std::nullopt;
}

// The entries "cpu0", "node3", … of a directory.
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

}  // namespace

Topology hwloc_topology(const std::optional<std::string>& synthetic) {
  const TopologyOwner owner = load(synthetic);
  if (owner == nullptr) return {};
  hwloc_topology_t topology = owner.get();
  Topology found;
  found.cores = count(topology, HWLOC_OBJ_CORE);
  found.cpus = count(topology, HWLOC_OBJ_PU);
  found.numa_nodes = count(topology, HWLOC_OBJ_NUMANODE);
  hwloc_obj_t unit = synthetic ? nullptr : hwloc_get_pu_obj_by_os_index(topology, first_usable_cpu());
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

  std::set<std::pair<std::string, std::string>> cores;
  for (const unsigned number : cpus) {
    const fs::path topology = system / "cpu" / fmt::format("cpu{}", number) / "topology";
    const auto core = first_word(topology / "core_id");
    // An offline CPU has no topology; it is not a core one can use.
    if (core) cores.emplace(first_word(topology / "physical_package_id").value_or("0"), *core);
  }
  found.cores = unless_zero(cores.size());

  const fs::path caches = system / "cpu" / fmt::format("cpu{}", cpu) / "cache";
  for (const unsigned index : numbered(caches, "index")) {
    const fs::path cache = caches / fmt::format("index{}", index);
    const std::string level = first_word(cache / "level").value_or("");
    const std::string type = first_word(cache / "type").value_or("");
    const auto size = cache_size(first_word(cache / "size").value_or(""));
    if (!size || type == "Instruction") continue;
    if (level == "1") found.l1d = size;
    if (level == "2") found.l2 = size;
    if (level == "3") found.l3 = size;
  }
  return found;
}

unsigned first_usable_cpu() {
#if defined(__linux__)
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 0;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) return cpu;
  }
#endif
  return 0;
}

Topology merged(const Topology& first, const Topology& second) {
  const auto either = [](const auto& a, const auto& b) { return a ? a : b; };
  return {either(first.l1d, second.l1d),   either(first.l2, second.l2),
          either(first.l3, second.l3),     either(first.cores, second.cores),
          either(first.cpus, second.cpus), either(first.numa_nodes, second.numa_nodes)};
}

}  // namespace sluice::tuner
