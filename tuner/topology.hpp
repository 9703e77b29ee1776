// Owns: caches, cores and NUMA nodes: what hwloc says, and what sysfs says where hwloc is silent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace sluice::tuner {

// Nothing where unknown. Counts are of the whole machine, whatever part of it this process may use; caches are those of
// one core: the first this process may use (on a hybrid CPU cores differ). l3 is shared by the core's cluster.
struct Topology {
  std::optional<std::size_t> l1d, l2, l3;  // bytes
  std::optional<std::uint32_t> cores;
  std::optional<std::uint32_t> cpus;  // hardware threads
  std::optional<std::uint32_t> numa_nodes;
};

// This machine, or a described one: `synthetic` in hwloc's notation, "pack:1 l3:1(size=…) core:4 pu:2".
// All unknown when hwloc cannot load.
Topology hwloc_topology(const std::optional<std::string>& synthetic = std::nullopt);

// From sys/devices/system below `root`, for the given CPU.
Topology sysfs_topology(const std::filesystem::path& root, unsigned cpu);

// The first CPU of the affinity mask; 0 when the system does not say.
unsigned first_usable_cpu();

// Each field from `first` if known, else from `second`.
Topology merged(const Topology& first, const Topology& second);

}  // namespace sluice::tuner
