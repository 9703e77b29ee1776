// The doctor's readings, from files that stand for other machines.
#include "tuner/doctor/doctor_readings.hpp"

#include <unistd.h>

#include "tests/tuner/support.hpp"
#include "tuner/doctor/doctor_window.hpp"

namespace sluice::tuner {
namespace {

TEST(SystemReadings, AreReadBelowARoot) {
  const TemporaryDirectory root;
  const std::string cpus = "sys/devices/system/cpu/cpu";
  for (unsigned cpu = 0; cpu < 4; ++cpu) place_cpu(root, cpu, cpu % 2);
  root.write("proc/self/status", "Name:\tx\nCpus_allowed:\t7\nCpus_allowed_list:\t0-2\n");
  root.write(cpus + "0/cpufreq/scaling_governor", "powersave\n");
  root.write(cpus + "0/cpufreq/scaling_driver", "intel_pstate\n");
  root.write(cpus + "0/cpufreq/scaling_max_freq", "2000000\n");
  root.write(cpus + "0/cpufreq/cpuinfo_max_freq", "4000000\n");
  root.write("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  root.write("sys/class/power_supply/AC/type", "Mains\n");
  root.write("sys/class/power_supply/AC/online", "0\n");
  root.write("sys/class/power_supply/BAT0/type", "Battery\n");
  root.write("sys/class/power_supply/BAT0/status", "Discharging\n");
  root.write("sys/devices/system/node/node0/cpulist", "0-1\n");
  root.write("sys/devices/system/node/node1/cpulist", "2-3\n");
  root.write("sys/devices/system/node/node2/cpulist", "\n");
  root.write("proc/sys/kernel/numa_balancing", "1\n");
  root.write("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  root.write("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
  root.write("proc/loadavg", "1.25 0.5 0.25 2/300 4242\n");
  root.write("proc/meminfo", "MemTotal: 4096 kB\nMemAvailable: 2048 kB\nSwapTotal: 1024 kB\nSwapFree: 256 kB\n");
  const Readings found = read_system(probe_machine({root.path(), std::nullopt}), root.path());
  EXPECT_EQ(found.allowed_cpus, (std::vector<unsigned>{0, 1, 2}));
  EXPECT_EQ(found.machine.available_threads, 3U);
  EXPECT_EQ(found.machine.usable_cores, 2U);
  EXPECT_EQ(found.machine.default_threads(), 2U);
  EXPECT_EQ(found.threads_per_core, 2U);
  EXPECT_EQ(found.siblings_outside, 1U);
  EXPECT_EQ(found.power.governor, "powersave");
  EXPECT_FALSE(found.power.held_down());
  EXPECT_EQ(found.power.limit_khz, 2000000U);
  EXPECT_EQ(found.power.boost, false);
  EXPECT_EQ(found.power.on_battery, true);
  EXPECT_EQ(found.nodes_used, 2U);
  EXPECT_EQ(found.numa_balancing, true);
  EXPECT_EQ(found.huge_pages, "never");
  EXPECT_EQ(found.clocksource, "hpet");
  EXPECT_EQ(found.load_average, 1.25);
  EXPECT_EQ(found.memory.swap_used, 768U << 10U);
}

TEST(SystemReadings, AreUnknownBelowAnEmptyRoot) {
  const TemporaryDirectory root;
  const Readings found = read_system(Machine{}, root.path());
  EXPECT_TRUE(found.allowed_cpus.empty());
  EXPECT_EQ(found.power.governor, std::nullopt);
  EXPECT_EQ(found.power.on_battery, std::nullopt);
  EXPECT_EQ(found.threads_per_core, std::nullopt);
  EXPECT_EQ(found.nodes_used, std::nullopt);
  EXPECT_EQ(found.huge_pages, std::nullopt);
  EXPECT_EQ(read_counters(root.path(), {0}).cpus, std::nullopt);
  EXPECT_EQ(read_counters(root.path(), {0}).swapped_pages, std::nullopt);
}

TEST(Counters, AreOfTheAllowedCpus) {
  const TemporaryDirectory root;
  root.write("proc/stat",
             "cpu  1000 0 0 1000 0 0 0 0 0 0\ncpu0 100 20 30 400 50 6 4 40 7 0\ncpu1 1 1 1 1 1 1 1 1 1 1\n"
             "cpu10 100 0 0 0 0 0 0 0 0 0\nintr 1 2 3\n");
  root.write("proc/vmstat", "nr_free_pages 7\npswpin 5\npswpout 6\n");
  const double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
  const Counters found = read_counters(root.path(), {0, 10});
  ASSERT_TRUE(found.cpus.has_value());
  EXPECT_NEAR(found.cpus->busy, 260 * tick, 1e-9);
  EXPECT_NEAR(found.cpus->steal, 40 * tick, 1e-9);
  EXPECT_NEAR(found.cpus->all, 750 * tick, 1e-9);
  EXPECT_EQ(found.swapped_pages, 11);
  EXPECT_GE(found.own_seconds, 0);
}

TEST(Timer, StepsAndCostsSomething) {
  const Timer timer = measure_timer();
  EXPECT_GT(timer.resolution_ns, 0);
  EXPECT_GT(timer.cost_ns, 0);
}

}  // namespace
}  // namespace sluice::tuner
