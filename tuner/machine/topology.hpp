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

// A field is empty where it is unknown. Counts are of the whole machine, not of the part that this process may use.
// Caches are those of the first core that it may use, since the cores of a hybrid CPU differ. The core's cluster shares
// l3.
struct Topology {
  std::optional<std::size_t> l1d, l2, l3;  // bytes
  std::optional<std::uint32_t> cores;
  std::optional<std::uint32_t> cpus;  // hardware threads
  std::optional<std::uint32_t> numa_nodes;
  std::map<unsigned, unsigned> core_of = {};  // by hardware thread; the numbers of cores are arbitrary
  std::vector<CoreClass> classes = {};        // the fastest first; empty unless the cores differ
};

// Probes this machine, or one that is described in hwloc's synthetic notation ("pack:1 l3:1(size=…) core:4 pu:2") or
// XML. Caches are those of `cpu`, or of a described machine's first CPU. Everything is unknown when hwloc cannot load.
Topology hwloc_topology(const std::optional<std::string>& description = std::nullopt, unsigned cpu = 0);

// Reads sys/devices/system below `root`. Caches are those of `cpu`.
Topology sysfs_topology(const std::filesystem::path& root, unsigned cpu);

// Parses a list of CPUs as the kernel writes it ("0-3,8"). The result is ascending, and empty when the text is no list.
std::vector<unsigned> parse_cpu_list(std::string_view text);

// Takes each field from `first` if it is known there, else from `second`.
Topology merged(const Topology& first, const Topology& second);

}  // namespace sluice::tuner
