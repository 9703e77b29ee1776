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

// The CPUs of the affinity mask, ascending: of this thread, or, below another root, what proc/self/status there says.
// Empty when the system does not say.
std::vector<unsigned> allowed_cpus(const std::filesystem::path& root = "/");

// The CPUs of `allowed` that --cores means: those of a class by name; for nothing, those of the fastest class, since
// cores of different speed wait for each other at every barrier. Empty when nothing needs to be bound: "all", or all
// cores alike. Throws Failure 2 for a name that no machine has, Failure 4 for one that this machine lacks or may not
// use.
std::vector<unsigned> choose_cpus(const std::vector<CoreClass>& classes, const std::vector<unsigned>& allowed,
                                  const std::optional<std::string>& cores);

// Binds this thread, and so the threads and processes it will start, as choose_cpus() says, and probes the machine as
// it is from there. To be called before any thread is started. Throws as choose_cpus(), and Failure 4 when the system
// refuses.
Machine bind_and_probe(const std::optional<std::string>& cores);

}  // namespace sluice::tuner
