#include "tuner/doctor/doctor_readings.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "tuner/base/system_file.hpp"
#include "tuner/machine/binding.hpp"
#include "tuner/machine/topology.hpp"

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

// Returns the word in brackets of "always [madvise] never".
std::optional<std::string> chosen_in(const fs::path& path) {
  const std::string line = first_line(path);
  const std::size_t begin = line.find('[');
  const std::size_t end = line.find(']', begin);
  if (begin == std::string::npos || end == std::string::npos) return std::nullopt;
  return line.substr(begin + 1, end - begin - 1);
}

// "cpu3 user nice system idle iowait irq softirq steal guest guest_nice" in ticks (proc_stat(5)); guest time is part of
// user time.
std::optional<CpuTimes> read_cpu_times(const fs::path& root, const std::vector<unsigned>& cpus) {
  std::ifstream file(root / "proc/stat");
  const double tick = 1.0 / static_cast<double>(std::max(1L, sysconf(_SC_CLK_TCK)));
  std::optional<CpuTimes> sum;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    double user = 0, nice = 0, system = 0, idle = 0, wait = 0, interrupts = 0, soft = 0, steal = 0;
    if (!(fields >> name >> user >> nice >> system >> idle >> wait >> interrupts >> soft >> steal)) continue;
    const std::vector<unsigned> cpu =
        name.starts_with("cpu") ? parse_cpu_list(name.substr(3)) : std::vector<unsigned>{};
    if (cpu.size() != 1 || !std::ranges::binary_search(cpus, cpu.front())) continue;
    CpuTimes& all = sum ? *sum : sum.emplace();
    const double busy = user + nice + system + interrupts + soft;
    all.busy += busy * tick;
    all.steal += steal * tick;
    all.all += (busy + steal + idle + wait) * tick;
  }
  return sum;
}

std::optional<std::int64_t> read_swapped_pages(const fs::path& root) {
  std::ifstream file(root / "proc/vmstat");
  std::optional<std::int64_t> sum;
  std::string key;
  for (std::int64_t value = 0; file >> key >> value;) {
    if (key == "pswpin" || key == "pswpout") sum = sum.value_or(0) + value;
  }
  return sum;
}

void read_siblings(Readings& readings, const fs::path& root) {
  const std::vector<unsigned>& ours = readings.allowed_cpus;
  const unsigned first = ours.empty() ? 0 : ours.front();
  const std::map<unsigned, unsigned> core_of = sysfs_topology(root, first).core_of;
  std::map<unsigned, std::uint32_t> threads_of;  // by core in use
  for (const unsigned cpu : ours) {
    if (const auto core = core_of.find(cpu); core != core_of.end()) threads_of.emplace(core->second, 0);
  }
  for (const auto& [cpu, core] : core_of) {
    const auto used = threads_of.find(core);
    if (used == threads_of.end()) continue;
    readings.threads_per_core = std::max(readings.threads_per_core.value_or(0), ++used->second);
    if (!std::ranges::binary_search(ours, cpu)) ++readings.siblings_outside;
  }
}

std::optional<std::uint32_t> count_nodes(const fs::path& root, const std::vector<unsigned>& cpus) {
  std::uint32_t nodes = 0;
  std::error_code error;
  for (fs::directory_iterator entry(root / "sys/devices/system/node", error), end; !error && entry != end;
       entry.increment(error)) {
    const std::vector<unsigned> its = parse_cpu_list(first_line(entry->path() / "cpulist"));
    nodes += std::ranges::find_first_of(its, cpus) != its.end() ? 1 : 0;
  }
  return nodes == 0 ? std::nullopt : std::optional(nodes);
}

}  // namespace

Counters read_counters(const fs::path& root, const std::vector<unsigned>& cpus) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return {read_cpu_times(root, cpus), seconds(usage.ru_utime) + seconds(usage.ru_stime), read_throttling(root),
          read_swapped_pages(root)};
}

Readings read_system(const Machine& machine, const fs::path& root) {
  Readings readings;
  readings.machine = machine;
  readings.allowed_cpus = allowed_cpus(root);
  readings.power = read_power(root, readings.allowed_cpus.empty() ? 0 : readings.allowed_cpus.front());
  read_siblings(readings, root);
  readings.nodes_used = count_nodes(root, readings.allowed_cpus);
  if (const auto balancing = word_in(root / "proc/sys/kernel/numa_balancing"))
    readings.numa_balancing = *balancing != "0";
  readings.huge_pages = chosen_in(root / "sys/kernel/mm/transparent_hugepage/enabled");
  readings.clocksource = word_in(root / "sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::ifstream load(root / "proc/loadavg");
  double average = 0;
  if (load >> average) readings.load_average = average;
  readings.memory = read_memory(root);
  return readings;
}

}  // namespace sluice::tuner
