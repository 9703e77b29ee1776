#include "tuner/machine/machine.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "kernels/threads/cpus.hpp"
#include "sluice/executor.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/fnv1a.hpp"
#include "tuner/machine/binding.hpp"
#include "tuner/machine/features.hpp"
#include "tuner/machine/limits.hpp"
#include "tuner/machine/power.hpp"
#include "tuner/machine/processor.hpp"
#include "tuner/machine/topology.hpp"

namespace sluice::tuner {
namespace {

std::string text(const std::string& value) { return value; }
std::string text(std::integral auto value) { return fmt::format("{}", value); }
std::string text(const std::vector<Isa>& isas) {
  std::string list;
  for (const Isa isa : isas) list += (list.empty() ? "" : "+") + std::string(name(isa));
  return list;
}
template <class T>
std::string text(const std::optional<T>& value) {
  return value ? text(*value) : "unknown";
}

// The fields that tell whether a machine is the same. Their order is part of the fingerprint, as of schema version 1.
auto fingerprint_fields(const Machine& machine) {
  using Field = std::pair<std::string_view, std::string>;
  return std::array<Field, 11>{{
      {"vendor", text(machine.vendor)},
      {"cpu", text(machine.cpu)},
      {"family", text(machine.family)},
      {"model", text(machine.model)},
      {"stepping", text(machine.stepping)},
      {"isas", text(machine.isas)},
      {"l1d", text(machine.l1d)},
      {"l2", text(machine.l2)},
      {"l3", text(machine.l3)},
      {"cores", text(machine.cores)},
      {"core_class", machine.core_class.value_or("")},  // of hybrid machines only: elsewhere it is left out
  }};
}

std::string operating_system() {
  utsname names{};
  return uname(&names) == 0 ? fmt::format("{} {}", names.sysname, names.release) : "unknown";
}

std::string compiler_name() {
#if defined(__clang__)
  return fmt::format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("GNU {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

// Returns the class that holds all of `cpus`, or "all" when the process may run on cores of several classes.
std::optional<std::string> class_of(const std::vector<unsigned>& cpus, const std::vector<CoreClass>& classes) {
  if (classes.empty()) return std::nullopt;
  for (const CoreClass& one : classes) {
    if (!cpus.empty() && std::ranges::includes(one.cpus, cpus)) return one.name;
  }
  return "all";
}

std::optional<std::uint32_t> cores_of(const std::vector<unsigned>& cpus, const std::map<unsigned, unsigned>& core_of) {
  std::set<unsigned> cores;
  for (const unsigned cpu : cpus) {
    const auto core = core_of.find(cpu);
    if (core == core_of.end()) return std::nullopt;
    cores.insert(core->second);
  }
  return cores.empty() ? std::nullopt : std::optional(static_cast<std::uint32_t>(cores.size()));
}

template <class T>
std::optional<T> smaller(const std::optional<T>& a, const std::optional<T>& b) {
  return a && b ? std::min(*a, *b) : (a ? a : b);
}

}  // namespace

std::uint32_t Machine::default_threads() const {
  return std::min(available_threads, usable_cores.value_or(available_threads));
}

CacheSizes Machine::cache_sizes() const {
  const CacheSizes assumed = CacheSizes::of_this_machine();
  return {l1d.value_or(assumed.l1d), l2.value_or(assumed.l2), l3.value_or(assumed.l3), false,
          vendor ? *vendor == "GenuineIntel" : assumed.prefetch_streams};
}

std::string Machine::fingerprint() const {
  Fnv1a hash;
  for (const auto& [field, value] : fingerprint_fields(*this)) {
    if (field == "core_class" && value.empty()) continue;
    hash.add(field);
    hash.add("=");
    hash.add(value);
    hash.add("\n");
  }
  return hash.digits();
}

Machine probe_machine(const ProbeOptions& options) {
  const bool here = options.root == "/";
  const std::vector<unsigned> allowed = allowed_cpus(options.root);
  const unsigned cpu = allowed.empty() ? 0 : allowed.front();
  const Processor processor = probe_processor(options.root);
  std::optional<std::string> description = options.topology;
  const char* const described = std::getenv("SLUICE_TOPOLOGY");
  if (here && !description && described != nullptr && *described != '\0') description = read_file(described);
  const Topology topology =
      merged(here || description ? hwloc_topology(description, cpu) : Topology{}, sysfs_topology(options.root, cpu));
  const Limits limits = read_limits(options.root);
  const Memory memory = read_memory(options.root);

  Machine machine;
  machine.vendor = processor.vendor;
  machine.cpu = processor.name;
  machine.family = processor.family;
  machine.model = processor.model;
  machine.stepping = processor.stepping;
  machine.hypervisor = processor.hypervisor;
  machine.isas.assign(runnable_isas().begin(), runnable_isas().end());
  if (here) machine.features = cpu_features();
  machine.l1d = topology.l1d;
  machine.l2 = topology.l2;
  machine.l3 = topology.l3;
  machine.cores = topology.cores;
  machine.cpus = topology.cpus;
  machine.numa_nodes = topology.numa_nodes;
  machine.cgroup_quota = limits.cpu_quota;
  machine.core_classes = topology.classes;
  machine.core_class = class_of(allowed, topology.classes);
  machine.available_threads = detail::threads_within(
      limits.cpu_quota, here || allowed.empty() ? available_threads() : static_cast<std::uint32_t>(allowed.size()));
  machine.usable_cores = cores_of(allowed, topology.core_of);
  machine.memory_bytes = smaller(memory.total, limits.memory_limit);
  machine.available_memory = smaller(memory.available, limits.memory_limit_left);
  machine.governor = read_power(options.root, cpu).governor;
  machine.os = operating_system();
  machine.compiler = compiler_name();
  return machine;
}

std::vector<std::string> differences(const Machine& there, const Machine& here, std::string_view here_name) {
  const auto theirs = fingerprint_fields(there);
  const auto ours = fingerprint_fields(here);
  std::vector<std::string> found;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (theirs[i].second == ours[i].second) continue;
    found.push_back(fmt::format("{} ({}, {} {})", ours[i].first, theirs[i].second, here_name, ours[i].second));
  }
  return found;
}

std::string obstacle(Isa isa, const Machine& machine) {
  if (std::find(machine.isas.begin(), machine.isas.end(), isa) != machine.isas.end()) return {};
  return register_tiles(isa).empty() ? "this build does not hold it" : "the CPU or the operating system lacks it";
}

}  // namespace sluice::tuner
