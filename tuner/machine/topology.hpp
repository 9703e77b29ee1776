// Owns: caches, cores, their classes and NUMA nodes: what hwloc says, and what sysfs says where hwloc is silent.
// Does not own: which of the cores this process is bound to (binding.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tuner {

// The cores of one kind in a hybrid CPU.
struct CoreClass {
  std::string name;  // performance, middle, efficiency
  std::uint32_t cores = 0;
  std::vector<unsigned> cpus;                 // hardware threads, ascending
  std::optional<double> relative_speed = {};  // to the fastest class, where the kernel says

  friend bool operator==(const CoreClass&, const CoreClass&) = default;
};

// Nothing where unknown. Counts are of the whole machine, whatever part of it this process may use; caches are those of
// one core: the first this process may use (on a hybrid CPU cores differ). l3 is shared by the core's cluster.
struct Topology {
  std::optional<std::size_t> l1d, l2, l3;  // bytes
  std::optional<std::uint32_t> cores;
  std::optional<std::uint32_t> cpus;  // hardware threads
  std::optional<std::uint32_t> numa_nodes;
  std::map<unsigned, unsigned> core_of = {};  // by hardware thread; the numbers of cores are arbitrary
  std::vector<CoreClass> classes = {};        // the fastest first; empty unless the cores differ
};

// This machine, or a described one: in hwloc's synthetic notation, "pack:1 l3:1(size=…) core:4 pu:2", or in its XML.
// Caches are those of `cpu` here, of the first one there. All unknown when hwloc cannot load.
Topology hwloc_topology(const std::optional<std::string>& description = std::nullopt, unsigned cpu = 0);

// From sys/devices/system below `root`, for the given CPU.
Topology sysfs_topology(const std::filesystem::path& root, unsigned cpu);

// "0-3,8" as the kernel writes lists of CPUs, ascending; empty when it is nonsense.
std::vector<unsigned> parse_cpu_list(std::string_view text);

// Each field from `first` if known, else from `second`.
Topology merged(const Topology& first, const Topology& second);

}  // namespace sluice::tuner
