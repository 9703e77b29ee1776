// Owns: what a profile and a report say of a machine, the fingerprint by which a profile knows its machine again, and
// why an instruction set cannot be used here. The parts come from processor.hpp, topology.hpp, limits.hpp and
// power.hpp. Does not own: its speed (measured roofs belong to the profile).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/isa.hpp"
#include "sluice/plan.hpp"
#include "tuner/machine/topology.hpp"

namespace sluice::tuner {

// A field is empty where it is unknown. Sizes are in bytes.
struct Machine {
  std::optional<std::string> vendor;
  std::optional<std::string> cpu;
  std::optional<std::uint32_t> family;
  std::optional<std::uint32_t> model;
  std::optional<std::uint32_t> stepping;
  std::vector<Isa> isas;                      // runnable here, worst to best
  std::vector<std::string_view> features;     // as cpu_features() names them; never stored
  std::optional<std::size_t> l1d, l2, l3;     // l1d and l2 of one core, l3 shared by its cluster
  std::optional<std::uint32_t> cores;         // of the whole machine
  std::optional<std::uint32_t> cpus;          // hardware threads of the whole machine
  std::vector<CoreClass> core_classes;        // the fastest first; empty unless cores differ
  std::optional<std::string> core_class;      // the one this process is bound to, or "all"; empty unless cores differ
  std::uint32_t available_threads = 1;        // what affinity and quota leave this process
  std::optional<std::uint32_t> usable_cores;  // those of its affinity mask; never stored
  std::optional<double> cgroup_quota;         // in CPUs; empty also when there is no quota
  std::optional<std::uint32_t> numa_nodes;
  std::optional<std::uint64_t> memory_bytes;      // the smaller of physical memory and cgroup limit
  std::optional<std::uint64_t> available_memory;  // of memory_bytes, what is free now; never stored
  std::string os;                                 // "Linux 6.1.0"
  std::string compiler;                           // the one that built the program: "GNU 12.2.0"
  std::optional<std::string> governor;
  std::optional<bool> hypervisor;

  // Returns the number that "all" threads stands for: one per core that this process may use. A second thread of a core
  // adds no unit that multiplies, but takes its share of the core's caches.
  [[nodiscard]] std::uint32_t default_threads() const;

  // Returns the sizes that plans are made from. Where one is unknown, it is the one that the library assumes.
  [[nodiscard]] CacheSizes cache_sizes() const;

  // Returns 16 hex digits: FNV-1a 64 of vendor, cpu, family, model, stepping, isas, caches, cores and, on a hybrid
  // machine, the class of cores in use. What can change on one machine is left out: affinity, quota, memory, kernel,
  // governor.
  [[nodiscard]] std::string fingerprint() const;

  friend bool operator==(const Machine&, const Machine&) = default;
};

struct ProbeOptions {
  std::filesystem::path root = "/";     // where sys and proc are looked for; another root stands for another
                                        // machine, whose hwloc topology is the given one or unknown
  std::optional<std::string> topology;  // as hwloc_topology() takes it
};

// What cannot be found out is unknown. SLUICE_TOPOLOGY names a file in hwloc's XML format that describes this machine
// where a container hides it. It fails only if that file cannot be read (5).
Machine probe_machine(const ProbeOptions& options = {});

// Returns the fields of the fingerprint in which two machines differ, with both values: "l2 (1048576, here 2097152)".
// `here_name` is the word for the second machine.
std::vector<std::string> differences(const Machine& there, const Machine& here, std::string_view here_name = "here");

// Returns why `isa` cannot be used on the machine, or an empty text when it can.
std::string obstacle(Isa isa, const Machine& machine);

}  // namespace sluice::tuner
