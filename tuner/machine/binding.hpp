// Owns: which CPUs this process runs on: its affinity mask, and binding it to one class of a hybrid machine's cores.
// Does not own: which classes there are (topology.hpp).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tuner/machine/machine.hpp"
#include "tuner/machine/topology.hpp"

namespace sluice::tuner {

// Returns the CPUs of this thread's affinity mask, ascending. Below another root it reads proc/self/status there. The
// list is empty when the system does not say.
std::vector<unsigned> allowed_cpus(const std::filesystem::path& root = "/");

// Returns the CPUs of `allowed` that --cores means: those of the named class, or without a name those of the fastest
// class, since cores of different speed wait for each other at every barrier. The list is empty when nothing needs to
// be bound: for "all", or when all cores are alike. Throws Failure 2 for a name that no machine has, and Failure 4 for
// a class that this machine lacks or that this process may not use.
std::vector<unsigned> choose_cpus(const std::vector<CoreClass>& classes, const std::vector<unsigned>& allowed,
                                  const std::optional<std::string>& cores);

// Binds this thread to the CPUs of choose_cpus() and probes the machine as it looks from there. Threads and processes
// inherit the binding, so it must be called before any is started. Throws what choose_cpus() throws, and Failure 4 when
// the system refuses.
Machine bind_and_probe(const std::optional<std::string>& cores);

}  // namespace sluice::tuner
