#include "tuner/doctor/doctor_findings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tuner/doctor/doctor_judgement.hpp"

namespace sluice::tuner {
namespace {

// Up to `ordinary` a value is ok, and above `hopeless` measuring makes no sense.
constexpr double ordinary_steal = 0.01;
constexpr double hopeless_steal = 0.1;
constexpr double ordinary_company = 0.05;
constexpr double hopeless_company = 0.5;
constexpr double hopeless_swapping = 256;  // pages per second: 1 MiB/s
constexpr double coarse_timer_ns = 1000;
constexpr double slow_timer_ns = 200;
constexpr double small_memory = 2.0 * (1U << 30U);

double gibibytes(double bytes) { return bytes / (1U << 30U); }

void judge_isas(Findings& findings, const Machine& machine) {
  std::string list;
  for (const Isa isa : machine.isas) list += (list.empty() ? "" : ", ") + std::string(name(isa));
  const bool vectors = std::ranges::any_of(machine.isas, [](Isa isa) { return isa != Isa::scalar; });
  add(findings,
      machine.isas.empty() ? Severity::bad
      : vectors            ? Severity::ok
                           : Severity::note,
      "ISA", machine.isas.empty() ? "none that can run" : list,
      "Without vector instructions only the portable kernels run: correct, and tens of times slower.",
      "Use a CPU with AVX2, AVX-512 or NEON, and a kernel or hypervisor that lets programs use them.");
}

void judge_power(Findings& findings, const Readings& readings) {
  const Power& power = readings.power;
  if (!power.governor) {
    add(findings, Severity::ok, "governor", "unknown, as in most virtual machines");
  } else {
    const bool steady = power.governor == "performance";
    std::string value = *power.governor;
    if (power.driver) value += fmt::format(" ({})", *power.driver);
    if (power.preference) value += fmt::format(", preference {}", *power.preference);
    add(findings,
        power.held_down() ? Severity::bad
        : steady          ? Severity::ok
                          : Severity::note,
        "governor", std::move(value),
        power.held_down() ? "The clock is held at its lowest: this is the speed of another machine."
                          : "The clock follows the load with a delay: short or first calls run slower.",
        "sudo cpupower frequency-set --governor performance");
  }
  if (power.limit_khz && power.hardware_khz && *power.limit_khz < *power.hardware_khz) {
    add(findings, Severity::note, "frequency limit",
        fmt::format("{:.2f} of {:.2f} GHz allowed", static_cast<double>(*power.limit_khz) / 1e6,
                    static_cast<double>(*power.hardware_khz) / 1e6),
        "The CPU may not run as fast as it could: roofs and times are those of the limit.",
        fmt::format("sudo cpupower frequency-set --max {}, unless the limit is meant", *power.hardware_khz));
  }
  add(findings, Severity::ok, "boost",
      power.boost ? (*power.boost ? "on: the clock depends on heat and on the cores in use" : "off: a steady clock")
                  : "unknown");
  if (power.on_battery) {
    add(findings, *power.on_battery ? Severity::note : Severity::ok, "power", *power.on_battery ? "battery" : "mains",
        "On battery most machines lower their clock, and more so as it empties.", "Plug it in.");
  }
}

void judge_company(Findings& findings, const Readings& readings) {
  const auto& before = readings.before;
  const auto& after = readings.after;
  const double all = before.cpus && after.cpus ? after.cpus->all - before.cpus->all : 0;
  const std::string load =
      readings.load_average ? fmt::format("; load average {:.2f}", *readings.load_average) : std::string();
  if (all <= 0) {
    add(findings, Severity::ok, "steal", "unknown");
    add(findings, Severity::ok, "other processes", "unknown" + load);
    return;
  }
  const double steal = std::max(0.0, after.cpus->steal - before.cpus->steal) / all;
  add(findings, grade(steal, ordinary_steal, hopeless_steal), "steal",
      fmt::format("{:.1f} % of the time the host ran something else on our CPUs", 100 * steal),
      "The hypervisor takes the CPU away in the middle of a sample.",
      "Use an instance that does not share or overcommit its cores (dedicated, not burstable).");
  const double busy = after.cpus->busy - before.cpus->busy - (after.own_seconds - before.own_seconds);
  const double others = std::clamp(busy / all, 0.0, 1.0);
  add(findings, grade(others, ordinary_company, hopeless_company), "other processes",
      fmt::format("took {:.1f} % of the time of our {}{}", 100 * others, plural(readings.allowed_cpus.size(), "CPU"),
                  load),
      "They push our threads aside, and with a barrier one late thread delays all.",
      "Stop them, or keep them away: taskset, a cpuset, isolcpus. `top` shows who they are.");
}

void judge_quota(Findings& findings, const Readings& readings) {
  const auto& before = readings.before.throttling;
  const auto& after = readings.after.throttling;
  const Machine& machine = readings.machine;
  const std::int64_t periods = before && after ? after->periods - before->periods : 0;
  const double waited = before && after ? after->seconds - before->seconds : 0;
  std::string value =
      machine.cgroup_quota ? fmt::format("{:g} CPUs", *machine.cgroup_quota) : std::string("none is set or seen");
  if (before && after)
    value += fmt::format("; throttled in {} of the window",
                         plural(static_cast<std::uint64_t>(std::max<std::int64_t>(0, periods)), "period"));
  if (waited > 0) value += fmt::format(", {:.2f} s", waited);
  const bool starved = machine.cgroup_quota && *machine.cgroup_quota < 1;
  const bool fractional = machine.cgroup_quota && *machine.cgroup_quota < machine.default_threads();
  const bool limits = machine.cgroup_quota && *machine.cgroup_quota < static_cast<double>(readings.allowed_cpus.size());
  const Severity severity = periods > 0 || starved ? Severity::bad
                            : fractional || limits ? Severity::note
                                                   : Severity::ok;
  add(findings, severity, "cgroup quota", std::move(value),
      severity == Severity::bad
          ? "The kernel stops all threads until the next period: samples are of the quota, not of "
            "the kernels."
      : fractional ? "That many threads use the quota up before the period ends, and then wait."
                   : "Only so many threads can run: plans are tuned for fewer threads than there are CPUs.",
      machine.cgroup_quota && *machine.cgroup_quota >= 1
          ? fmt::format("Use --threads {} at most, or raise the quota (cpu.max, docker --cpus).",
                        static_cast<std::uint32_t>(*machine.cgroup_quota))
          : "Raise the quota to whole CPUs (cpu.max, docker --cpus), or measure outside the container.");
}

void judge_cpus(Findings& findings, const Readings& readings) {
  const Machine& machine = readings.machine;
  const std::size_t allowed = readings.allowed_cpus.size();
  const bool bound = machine.cpus && allowed != 0 && allowed < *machine.cpus;
  add(findings, bound ? Severity::note : Severity::ok, "affinity",
      allowed == 0   ? "unknown"
      : machine.cpus ? fmt::format("{} of {} CPUs may be used", allowed, *machine.cpus)
                     : fmt::format("{} may be used", plural(allowed, "CPU")),
      fmt::format("Plans are tuned for at most {}; work on the other CPUs shares memory and caches with ours.",
                  plural(machine.default_threads(), "thread")),
      "Widen the mask (taskset --cpu-list, the container's cpuset) if the program to tune for will have more.");

  if (!machine.core_classes.empty()) {
    std::string value;
    for (const CoreClass& one : machine.core_classes)
      value += fmt::format("{}{} {}", value.empty() ? "" : ", ", one.cores, one.name);
    const bool mixed = machine.core_class == "all";
    add(findings, mixed ? Severity::note : Severity::ok, "core classes",
        fmt::format("{}; in use: {}", value, machine.core_class.value_or("unknown")),
        "Threads of different speed wait for the slowest at every barrier.",
        "Use --cores performance or --cores efficiency, and tune each class into a profile of its own.");
  }

  const std::uint32_t width = readings.threads_per_core.value_or(0);
  add(findings, readings.siblings_outside > 0 ? Severity::note : Severity::ok, "SMT",
      width == 0   ? "unknown"
      : width == 1 ? std::string("one hardware thread per core")
                   : fmt::format("{} hardware threads per core; by default one thread runs per core: {}", width,
                                 machine.default_threads()),
      fmt::format("{} of our cores {} not ours: whoever runs there takes half of the core.",
                  plural(readings.siblings_outside, "hardware thread"), readings.siblings_outside == 1 ? "is" : "are"),
      "Take whole cores into the mask, or switch SMT off (/sys/devices/system/cpu/smt/control).");

  const bool spread = readings.nodes_used.value_or(1) > 1;
  add(findings, spread ? Severity::note : Severity::ok, "NUMA",
      (readings.nodes_used ? plural(*readings.nodes_used, "node") + " in use" : std::string("unknown")) +
          (readings.numa_balancing.value_or(false) ? "; pages are moved between nodes automatically" : ""),
      "Bandwidth depends on which node the pages lie on, and differs from run to run.",
      "Measure one node: numactl --cpunodebind=0 --membind=0 sluice ...");
}

void judge_memory(Findings& findings, const Readings& readings) {
  add(findings, readings.huge_pages == "never" ? Severity::note : Severity::ok, "huge pages",
      readings.huge_pages.value_or("unknown"), "Streaming reads of weights miss the TLB more often: a few per cent.",
      "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");

  const auto& available = readings.machine.available_memory;
  add(findings, available && static_cast<double>(*available) < small_memory ? Severity::note : Severity::ok, "memory",
      available ? fmt::format("{:.1f} GiB available", gibibytes(static_cast<double>(*available))) : "unknown",
      "The weights of large models will not fit, and cold weights need copies.",
      "Free memory, or choose smaller models.");

  const double pages = static_cast<double>(readings.after.swapped_pages.value_or(0)) -
                       static_cast<double>(readings.before.swapped_pages.value_or(0));
  const double rate = readings.seconds > 0 ? std::max(0.0, pages) / readings.seconds : 0;
  add(findings, grade(rate, 0, hopeless_swapping), "swap",
      fmt::format("{}; {:.0f} pages per second",
                  readings.memory.swap_used
                      ? fmt::format("{:.1f} GiB used", gibibytes(static_cast<double>(*readings.memory.swap_used)))
                      : "unknown",
                  rate),
      "The system is short of memory: a page that was swapped out costs a sample milliseconds.",
      "Free memory before measuring.");
}

void judge_timer(Findings& findings, const Readings& readings) {
  const Timer& timer = readings.timer;
  constexpr std::array<std::string_view, 4> slow{"hpet", "acpi_pm", "jiffies", "refined-jiffies"};
  const bool poor = readings.clocksource && std::ranges::find(slow, *readings.clocksource) != slow.end();
  add(findings,
      timer.resolution_ns > coarse_timer_ns   ? Severity::bad
      : poor || timer.cost_ns > slow_timer_ns ? Severity::note
                                              : Severity::ok,
      "timer",
      fmt::format("steps of {:.0f} ns, {:.0f} ns per reading, clock source {}", timer.resolution_ns, timer.cost_ns,
                  readings.clocksource.value_or("unknown")),
      "Samples of a few microseconds drown in the timer's own error.",
      "Let the kernel use the CPU's own counter: clocksource=tsc on its command line, where that is stable.");
}

void judge_hypervisor(Findings& findings, const Machine& machine) {
  const bool guest = machine.hypervisor.value_or(false);
  add(findings, guest ? Severity::note : Severity::ok, "hypervisor",
      !machine.hypervisor ? "unknown"
      : guest             ? "a virtual machine"
                          : "none",
      "Neighbours, SMT siblings and the real clock are out of sight: only the probes above show them.",
      "Prefer dedicated cores or bare metal for figures that are to be published.");
}

}  // namespace

std::string_view name(Severity severity) noexcept {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::note:
      return "note";
    case Severity::bad:
      return "bad";
  }
  return "";
}

std::vector<Finding> diagnose(const Readings& readings) {
  Findings findings;
  judge_isas(findings, readings.machine);
  judge_probes(findings, readings);
  judge_power(findings, readings);
  judge_company(findings, readings);
  judge_quota(findings, readings);
  judge_cpus(findings, readings);
  judge_memory(findings, readings);
  judge_timer(findings, readings);
  judge_hypervisor(findings, readings.machine);
  return findings;
}

bool fit(const std::vector<Finding>& findings) {
  return std::ranges::none_of(findings, [](const Finding& finding) { return finding.severity == Severity::bad; });
}

std::string visible_unfitness(const Machine& machine, const Power& power, std::uint32_t threads) {
  std::vector<std::string> faults;
  if (machine.cgroup_quota && *machine.cgroup_quota < threads) {
    const auto whole = static_cast<std::uint32_t>(*machine.cgroup_quota);
    faults.push_back(fmt::format("the cgroup quota of {:g} CPUs will throttle {} ({})", *machine.cgroup_quota,
                                 plural(threads, "thread"),
                                 whole > 0 ? fmt::format("use --threads {}, or raise it", whole) : "raise it"));
  }
  if (power.held_down()) faults.emplace_back("the powersave governor holds the clock down (set performance)");
  if (power.on_battery.value_or(false)) faults.emplace_back("it runs on battery (plug it in)");
  return faults.empty() ? "" : fmt::format("{}; `sluice doctor` tells more", fmt::join(faults, ", "));
}

}  // namespace sluice::tuner
