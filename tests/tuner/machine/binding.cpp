// Hybrid, SMT and many-core machines: their classes of cores, the threads to use, and which CPUs to bind to.
#include "tuner/machine/binding.hpp"

#include <fmt/format.h>
#include <hwloc.h>

#include <algorithm>
#include <numeric>

#include "tests/tuner/support.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

std::vector<unsigned> range(unsigned begin, unsigned end) {
  std::vector<unsigned> cpus(end - begin);
  std::iota(cpus.begin(), cpus.end(), begin);
  return cpus;
}

// hwloc's XML of 8 performance cores of two threads (CPUs 0-15) and 16 efficiency cores of one (16-31): hwloc's
// synthetic notation knows cores of one kind only.
std::string hybrid_xml() {
  hwloc_topology_t topology = nullptr;
  hwloc_topology_init(&topology);
  hwloc_topology_set_synthetic(topology,
                               "pack:1 l3:1(size=31457280) l2:24(size=2097152) l1d:1(size=49152) core:1 pu:2");
  hwloc_topology_load(topology);
  hwloc_bitmap_t set = hwloc_bitmap_alloc();
  hwloc_bitmap_set_range(set, 0, 15);
  for (unsigned cpu = 16; cpu < 48; cpu += 2) hwloc_bitmap_set(set, cpu);
  hwloc_topology_restrict(topology, set, 0);
  hwloc_bitmap_zero(set);
  hwloc_bitmap_set_range(set, 0, 15);
  hwloc_cpukinds_register(topology, set, 2, 0, nullptr, 0);
  hwloc_bitmap_zero(set);
  for (unsigned cpu = 16; cpu < 48; cpu += 2) hwloc_bitmap_set(set, cpu);
  hwloc_cpukinds_register(topology, set, 1, 0, nullptr, 0);
  char* text = nullptr;
  int length = 0;
  hwloc_topology_export_xmlbuffer(topology, &text, &length, 0);
  std::string xml(text);
  hwloc_free_xmlbuffer(topology, text);
  hwloc_bitmap_free(set);
  hwloc_topology_destroy(topology);
  return xml;
}

TEST(CoreClasses, OfAHybridAsHwlocSeesIt) {
  const Topology found = hwloc_topology(hybrid_xml());
  EXPECT_EQ(found.cores, 24U);
  EXPECT_EQ(found.cpus, 32U);
  ASSERT_EQ(found.classes.size(), 2U);
  EXPECT_EQ(found.classes[0].name, "performance");
  EXPECT_EQ(found.classes[0].cores, 8U);
  EXPECT_EQ(found.classes[0].cpus, range(0, 16));
  EXPECT_EQ(found.classes[1].name, "efficiency");
  EXPECT_EQ(found.classes[1].cores, 16U);
  EXPECT_EQ(found.classes[1].cpus.size(), 16U);
}

TEST(CoreClasses, AreNoneWhereCoresAreAlike) {
  const Topology servers = hwloc_topology("pack:2 numa:1 l3:8(size=33554432) l2:8(size=1048576) core:1 pu:2");
  EXPECT_EQ(servers.cores, 128U);
  EXPECT_EQ(servers.cpus, 256U);
  EXPECT_EQ(servers.core_of.size(), 256U);
  EXPECT_TRUE(servers.classes.empty());
}

// Describes a CPU; `siblings` lists the CPUs of its core.
void write_cpu(const TemporaryDirectory& root, unsigned cpu, unsigned core, const std::string& siblings,
               unsigned capacity = 0) {
  const std::string base = fmt::format("sys/devices/system/cpu/cpu{}", cpu);
  place_cpu(root, cpu, core);
  root.write(base + "/topology/thread_siblings_list", siblings + "\n");
  if (capacity != 0) root.write(base + "/cpu_capacity", fmt::format("{}\n", capacity));
}

void write_intel_hybrid(const TemporaryDirectory& root) {
  for (unsigned cpu = 0; cpu < 16; ++cpu)
    write_cpu(root, cpu, cpu / 2, fmt::format("{}-{}", cpu / 2 * 2, cpu / 2 * 2 + 1));
  for (unsigned cpu = 16; cpu < 32; ++cpu) write_cpu(root, cpu, cpu, fmt::format("{}", cpu));
  root.write("sys/devices/cpu_core/cpus", "0-15\n");
  root.write("sys/devices/cpu_atom/cpus", "16-31\n");
}

TEST(CoreClasses, OfAnIntelHybridAsSysfsSeesIt) {
  const TemporaryDirectory root;
  write_intel_hybrid(root);
  const Topology found = sysfs_topology(root.path(), 0);
  EXPECT_EQ(found.cores, 24U);
  ASSERT_EQ(found.classes.size(), 2U);
  EXPECT_EQ(found.classes[0], (CoreClass{"performance", 8, range(0, 16), {}}));
  EXPECT_EQ(found.classes[1], (CoreClass{"efficiency", 16, range(16, 32), {}}));
}

TEST(CoreClasses, OfBigLittleByCapacity) {
  const TemporaryDirectory root;
  // Both clusters number their cores from 0; the small ones come first, as on most boards.
  for (unsigned cpu = 0; cpu < 8; ++cpu) write_cpu(root, cpu, cpu % 4, fmt::format("{}", cpu), cpu < 4 ? 446 : 1024);
  const Topology found = sysfs_topology(root.path(), 0);
  EXPECT_EQ(found.cores, 8U);
  ASSERT_EQ(found.classes.size(), 2U);
  EXPECT_EQ(found.classes[0], (CoreClass{"performance", 4, range(4, 8), 1.0}));
  EXPECT_EQ(found.classes[1], (CoreClass{"efficiency", 4, range(0, 4), 446.0 / 1024}));
}

TEST(CoreClasses, OfThreeClustersAndOfSlightlyUnequalCores) {
  const TemporaryDirectory three;
  for (unsigned cpu = 0; cpu < 8; ++cpu)
    write_cpu(three, cpu, cpu, fmt::format("{}", cpu), cpu < 4 ? 300 : cpu < 7 ? 800 : 1024);
  const Topology found = sysfs_topology(three.path(), 0);
  ASSERT_EQ(found.classes.size(), 3U);
  EXPECT_EQ(found.classes[0].cpus, (std::vector<unsigned>{7}));
  EXPECT_EQ(found.classes[1].name, "middle");
  EXPECT_EQ(found.classes[2].cpus, range(0, 4));

  const TemporaryDirectory alike;  // turbo favours two cores by a few per cent
  for (unsigned cpu = 0; cpu < 8; ++cpu) write_cpu(alike, cpu, cpu, fmt::format("{}", cpu), cpu < 2 ? 1024 : 980);
  EXPECT_TRUE(sysfs_topology(alike.path(), 0).classes.empty());
}

TEST(CoreClasses, TakeTheirSpeedFromSysfsWhereHwlocRanksThem) {
  Topology ranked;
  ranked.classes = {{"performance", 4, range(4, 8), {}}, {"efficiency", 4, range(0, 4), {}}};
  Topology measured = ranked;
  measured.classes[0].relative_speed = 1;
  measured.classes[1].relative_speed = 0.4;
  EXPECT_EQ(merged(ranked, measured).classes, measured.classes);
  EXPECT_EQ(merged({}, measured).classes, measured.classes);
  EXPECT_EQ(merged(ranked, {}).classes, ranked.classes);
}

TEST(CpuList, IsReadAsTheKernelWritesIt) {
  EXPECT_EQ(parse_cpu_list("0-3,8,10-11\n"), (std::vector<unsigned>{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list("7"), (std::vector<unsigned>{7}));
  for (const char* nonsense : {"", "\n", "a", "-1", "1-", "0-99999999999", "1;2", "0-4294967295", "3-1", "0,5-4"})
    EXPECT_TRUE(parse_cpu_list(nonsense).empty()) << nonsense;
}

TEST(ChooseCpus, PrefersTheFastestClassThatMayBeUsed) {
  const std::vector<CoreClass> classes{{"performance", 8, range(0, 16), {}}, {"efficiency", 16, range(16, 32), {}}};
  EXPECT_EQ(choose_cpus(classes, range(0, 32), std::nullopt), range(0, 16));
  EXPECT_EQ(choose_cpus(classes, range(8, 32), std::nullopt), range(8, 16));
  EXPECT_EQ(choose_cpus(classes, range(16, 20), std::nullopt), range(16, 20));
  EXPECT_EQ(choose_cpus(classes, range(0, 32), "efficiency"), range(16, 32));
  EXPECT_TRUE(choose_cpus(classes, range(0, 32), "all").empty());
  EXPECT_TRUE(choose_cpus({}, range(0, 32), "all").empty());
  EXPECT_TRUE(choose_cpus({}, range(0, 32), std::nullopt).empty());
}

TEST(ChooseCpus, RefusesWhatIsNotThere) {
  const std::vector<CoreClass> classes{{"performance", 1, {0}, {}}, {"efficiency", 1, {1}, {}}};
  const auto refusal = [](const std::vector<CoreClass>& all, std::vector<unsigned> allowed, const char* word) {
    return failure_of([&] { (void)choose_cpus(all, allowed, word); });
  };
  expect_message(refusal(classes, {0, 1}, "fast"), exit_code::usage, {"--cores fast", "performance", "all"});
  expect_message(refusal({}, {0, 1}, "fast"), exit_code::usage, {"--cores fast", "efficiency"});
  expect_message(refusal({}, {0, 1}, "efficiency"), exit_code::unsupported, {"--cores efficiency", "alike"});
  expect_message(refusal(classes, {0, 1}, "middle"), exit_code::unsupported, {"--cores middle", "performance or"});
  expect_message(refusal(classes, {0}, "efficiency"), exit_code::unsupported, {"--cores efficiency", "affinity"});
}

// The machine as a process with this affinity mask sees it.
Machine hybrid_machine(const TemporaryDirectory& root, const std::string& allowed) {
  root.write("proc/self/status", "Cpus_allowed_list:\t" + allowed + "\n");
  return probe_machine({root.path(), std::nullopt});
}

TEST(HybridMachine, IsAnotherPerClassInUse) {
  const TemporaryDirectory root;
  write_intel_hybrid(root);
  const Machine fast = hybrid_machine(root, "0-15");
  const Machine slow = hybrid_machine(root, "16-31");
  const Machine mixed = hybrid_machine(root, "0-31");
  EXPECT_EQ(fast.core_class, "performance");
  EXPECT_EQ(fast.available_threads, 16U);
  EXPECT_EQ(fast.default_threads(), 8U);  // one per core
  EXPECT_EQ(slow.core_class, "efficiency");
  EXPECT_EQ(slow.default_threads(), 16U);
  EXPECT_EQ(mixed.core_class, "all");
  EXPECT_EQ(mixed.default_threads(), 24U);
  EXPECT_NE(fast.fingerprint(), slow.fingerprint());
  EXPECT_NE(fast.fingerprint(), mixed.fingerprint());
  EXPECT_EQ(differences(fast, slow), (std::vector<std::string>{"core_class (performance, here efficiency)"}));
  // A container that leaves only a part of a class does not change the class.
  EXPECT_EQ(hybrid_machine(root, "2-3").fingerprint(), fast.fingerprint());
  EXPECT_EQ(hybrid_machine(root, "2-3").default_threads(), 1U);
}

TEST(HybridMachine, ComesBackFromAProfile) {
  const TemporaryDirectory root;
  write_intel_hybrid(root);
  Machine machine = hybrid_machine(root, "0-15");
  const Machine read = parse_profile(profile_text(make_profile(machine, {})), "p.json").machine;
  EXPECT_EQ(read.core_classes, machine.core_classes);
  EXPECT_EQ(read.core_class, machine.core_class);
  EXPECT_EQ(read.fingerprint(), machine.fingerprint());
}

TEST(DefaultThreads, AreOnePerCoreWithinTheQuota) {
  const TemporaryDirectory root;
  for (unsigned cpu = 0; cpu < 128; ++cpu)
    write_cpu(root, cpu, cpu % 64, fmt::format("{},{}", cpu % 64, cpu % 64 + 64));
  EXPECT_EQ(hybrid_machine(root, "0-127").default_threads(), 64U);
  EXPECT_EQ(hybrid_machine(root, "0-127").available_threads, 128U);
  EXPECT_EQ(hybrid_machine(root, "0-3,64-67").default_threads(), 4U);
  join_group(root, "/");
  root.write("sys/fs/cgroup/cpu.max", "250000 100000\n");
  EXPECT_EQ(hybrid_machine(root, "0-127").default_threads(), 3U);
}

TEST(AllowedCpus, AreThoseOfThisThread) {
  const std::vector<unsigned> cpus = allowed_cpus();
  EXPECT_FALSE(cpus.empty());
  EXPECT_TRUE(std::is_sorted(cpus.begin(), cpus.end()));
}

}  // namespace
}  // namespace sluice::tuner
