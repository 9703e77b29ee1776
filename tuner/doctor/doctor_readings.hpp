// Owns: what a measurement depends on, as plain values: what the system says below a root folder, its counters at two
// moments, and the probes of the window. Does not own: taking the probes (doctor_window.hpp), what the values mean
// (doctor_findings.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tuner/machine/limits.hpp"
#include "tuner/machine/machine.hpp"
#include "tuner/machine/power.hpp"
#include "tuner/measurement/clock.hpp"

namespace sluice::tuner {

// Times summed over CPUs since the system started, in seconds.
struct CpuTimes {
  double busy = 0;   // of all processes, without steal
  double steal = 0;  // a virtual CPU was ready, but its host ran something else
  double all = 0;    // idle included
};

// Values that only grow. Those that are unknown are empty.
struct Counters {
  std::optional<CpuTimes> cpus;  // of the CPUs that this process may use
  double own_seconds = 0;        // CPU time of this process
  std::optional<Throttling> throttling;
  std::optional<std::int64_t> swapped_pages;  // in and out
};

// Reads proc below `root`, except for own_seconds, which is always of this process.
Counters read_counters(const std::filesystem::path& root, const std::vector<unsigned>& cpus);

struct Timer {
  double resolution_ns = 0;  // the least step between two readings
  double cost_ns = 0;        // of one reading
};

struct Probe {
  double begin = 0;  // in seconds since the window began
  double end = 0;
  double speed = 0;  // FLOP/s or B/s
};

// The probes of one roof and thread count, over the whole window.
struct ProbeSeries {
  Roof roof = Roof::fma;
  std::uint32_t threads = 1;
  double calm_bound = 0;  // the fraction of the level below which a probe counts as contended
  double peak = 0;        // the roof of the clock that took them
  std::vector<Probe> probes;
};

struct IsaPeak {
  Isa isa;
  double flops;  // per second, one thread, on registers alone
};

// Of the dot products of the ISA that is measured, over its FMAs; weights of `bits` bits.
struct DotGain {
  Arithmetic arithmetic;
  std::uint32_t bits;
  double over_fma;
};

// Everything that a diagnosis uses. Values that are unknown are empty.
struct Readings {
  Machine machine;
  Power power;
  std::vector<unsigned> allowed_cpus;
  std::optional<std::uint32_t> threads_per_core;  // hardware threads of the widest core in use
  std::uint32_t siblings_outside = 0;             // hardware threads of our cores that are not ours
  std::optional<std::uint32_t> nodes_used;        // NUMA nodes that the allowed CPUs belong to
  std::optional<bool> numa_balancing;
  std::optional<std::string> huge_pages;  // always, madvise, never
  std::optional<std::string> clocksource;
  std::optional<double> load_average;  // of the last minute
  Memory memory;

  // Of the window.
  double seconds = 0;
  Counters before, after;
  Timer timer;
  std::vector<ProbeSeries> series;
  std::vector<IsaPeak> peaks;  // worst ISA to best
  std::vector<DotGain> dots;
};

// Reads the first part of the readings from sys and proc below `root`. Never fails.
Readings read_system(const Machine& machine, const std::filesystem::path& root = "/");

}  // namespace sluice::tuner
