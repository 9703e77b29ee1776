// The machine from described topologies and from sysfs, procfs and cgroup files that stand for other computers.
#include "tuner/machine/machine.hpp"

#include <set>

#include "sluice/executor.hpp"
#include "tests/tuner/support.hpp"
#include "tuner/machine/processor.hpp"
#include "tuner/machine/topology.hpp"

namespace sluice::tuner {
namespace {

TEST(Topology, ReadsADescribedMachine) {
  const Topology found =
      hwloc_topology("pack:2 numa:1 l3:2(size=33554432) l2:4(size=1048576) l1d:1(size=49152) core:1 pu:2");
  EXPECT_EQ(found.cores, 16U);
  EXPECT_EQ(found.cpus, 32U);
  EXPECT_EQ(found.numa_nodes, 2U);
  EXPECT_EQ(found.l1d, 49152U);
  EXPECT_EQ(found.l2, 1048576U);
  EXPECT_EQ(found.l3, 33554432U);
}

TEST(Topology, LeavesUnknownWhatIsNotDescribed) {
  const Topology found = hwloc_topology("core:4 pu:1");
  EXPECT_EQ(found.cores, 4U);
  EXPECT_EQ(found.l1d, std::nullopt);
  EXPECT_EQ(found.l2, std::nullopt);
  EXPECT_EQ(found.l3, std::nullopt);
}

TEST(Topology, IsUnknownWhenTheDescriptionIsNone) {
  const Topology found = hwloc_topology("no topology at all");
  EXPECT_EQ(found.cores, std::nullopt);
  EXPECT_EQ(found.cpus, std::nullopt);
}

void write_cpu(const TemporaryDirectory& root, unsigned cpu, unsigned package, unsigned core) {
  const std::string base = "sys/devices/system/cpu/cpu" + std::to_string(cpu);
  place_cpu(root, cpu, core, package);
  const auto cache = [&](int index, const char* level, const char* type, const char* size) {
    const std::string directory = base + "/cache/index" + std::to_string(index);
    root.write(directory + "/level", level);
    root.write(directory + "/type", type);
    root.write(directory + "/size", size);
  };
  cache(0, "1\n", "Data\n", "48K\n");
  cache(1, "1\n", "Instruction\n", "64K\n");
  cache(2, "2\n", "Unified\n", "2048K\n");
  cache(3, "3\n", "Unified\n", "32M\n");
}

TEST(Topology, ReadsSysfs) {
  const TemporaryDirectory root;
  for (unsigned cpu = 0; cpu < 8; ++cpu) write_cpu(root, cpu, cpu / 4, cpu % 2);  // 2 packages of 2 cores of 2 threads
  root.write("sys/devices/system/cpu/cpufreq/policy0", "");
  root.write("sys/devices/system/node/node0/cpulist", "0-3\n");
  root.write("sys/devices/system/node/node1/cpulist", "4-7\n");
  const Topology found = sysfs_topology(root.path(), 0);
  EXPECT_EQ(found.cpus, 8U);
  EXPECT_EQ(found.cores, 4U);
  EXPECT_EQ(found.numa_nodes, 2U);
  EXPECT_EQ(found.l1d, 49152U);
  EXPECT_EQ(found.l2, 2097152U);
  EXPECT_EQ(found.l3, 33554432U);
}

TEST(Topology, SurvivesSysfsThatIsEmptyOrNonsense) {
  const TemporaryDirectory root;
  EXPECT_EQ(sysfs_topology(root.path(), 0).cores, std::nullopt);
  root.write("sys/devices/system/cpu/cpu0/cache/index0/level", "1\n");
  root.write("sys/devices/system/cpu/cpu0/cache/index0/type", "Data\n");
  for (const char* size : {"", "K", "-1K", "99999999999999999999K", "48X", "0K"}) {
    root.write("sys/devices/system/cpu/cpu0/cache/index0/size", size);
    EXPECT_EQ(sysfs_topology(root.path(), 0).l1d, std::nullopt) << size;
  }
  EXPECT_EQ(sysfs_topology(root.path(), 0).cpus, 1U);
  EXPECT_EQ(sysfs_topology(root.path(), 0).cores, std::nullopt);
}

TEST(Topology, TakesFromTheSecondSourceWhatTheFirstLacks) {
  const Topology first{32768, std::nullopt, std::nullopt, 4, std::nullopt, std::nullopt};
  const Topology second{49152, 1048576, std::nullopt, 8, 16, std::nullopt};
  const Topology both = merged(first, second);
  EXPECT_EQ(both.l1d, 32768U);
  EXPECT_EQ(both.l2, 1048576U);
  EXPECT_EQ(both.l3, std::nullopt);
  EXPECT_EQ(both.cores, 4U);
  EXPECT_EQ(both.cpus, 16U);
}

TEST(Processor, IsReadFromAnArmCpuinfo) {
  const TemporaryDirectory root;
  root.write("proc/cpuinfo",
             "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
             "CPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n\nprocessor\t: 1\n"
             "CPU part\t: 0xd08\n");
  const Processor found = read_processor(root.path());
  EXPECT_EQ(found.vendor, "Arm");
  EXPECT_EQ(found.name, "Neoverse-N1");
  EXPECT_EQ(found.family, 8U);
  EXPECT_EQ(found.model, 0xD0CU);
  EXPECT_EQ(found.stepping, 49U);
  EXPECT_EQ(found.hypervisor, std::nullopt);
}

TEST(Processor, IsReadFromMidrWhereCpuinfoIsSilent) {
  const TemporaryDirectory root;
  root.write("sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "0x00000000610f0220\n");
  const Processor found = read_processor(root.path());
  EXPECT_EQ(found.vendor, "Apple");
  EXPECT_EQ(found.name, "part 0x022");
  EXPECT_EQ(found.stepping, 0U);
}

TEST(Processor, IsReadFromAnX86Cpuinfo) {
  const TemporaryDirectory root;
  root.write("proc/cpuinfo",
             "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"
             "model name\t: Example   CPU @ 2.0GHz\nstepping\t: 8\n");
  const Processor found = read_processor(root.path());
  EXPECT_EQ(found.vendor, "GenuineIntel");
  EXPECT_EQ(found.name, "Example CPU @ 2.0GHz");
  EXPECT_EQ(found.family, 6U);
  EXPECT_EQ(found.model, 143U);
  EXPECT_EQ(found.stepping, 8U);
}

TEST(Processor, IsUnknownWhereNothingSaysWhich) {
  const TemporaryDirectory root;
  const Processor found = read_processor(root.path());
  EXPECT_EQ(found.vendor, std::nullopt);
  EXPECT_EQ(found.name, std::nullopt);
  EXPECT_EQ(found.family, std::nullopt);
}

TEST(Machine, ThisOneIsProbedTheSameTwice) {
  Machine first = probe_machine();
  Machine second = probe_machine();
  first.available_memory = second.available_memory = 0;
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.available_threads, available_threads());
  EXPECT_EQ(first.isas.back(), runnable_isas().back());
  EXPECT_GE(first.cpus.value_or(1), first.cores.value_or(1));
}

TEST(Machine, AnEmptyRootIsUnknownNotAFailure) {
  const TemporaryDirectory root;
  const Machine machine = probe_machine({root.path(), std::nullopt});
  EXPECT_EQ(machine.cpu, std::nullopt);
  EXPECT_EQ(machine.cores, std::nullopt);
  EXPECT_EQ(machine.memory_bytes, std::nullopt);
  EXPECT_GE(machine.available_threads, 1U);
  EXPECT_EQ(machine.fingerprint().size(), 16U);
  EXPECT_GT(machine.cache_sizes().l1d, 0U);
}

TEST(Machine, CombinesHwlocSysfsAndLimits) {
  const TemporaryDirectory root;
  write_cpu(root, 0, 0, 0);
  root.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
  root.write("proc/meminfo", "MemTotal: 4194304 kB\nMemAvailable: 2097152 kB\n");
  join_group(root, "/");
  root.write("sys/fs/cgroup/cpu.max", "20000 100000\n");
  root.write("sys/fs/cgroup/memory.max", "1073741824\n");
  const Machine machine = probe_machine({root.path(), "core:4(memory=1) l1d:1(size=65536) pu:1"});
  EXPECT_EQ(machine.l1d, 65536U);   // hwloc
  EXPECT_EQ(machine.l2, 2097152U);  // sysfs
  EXPECT_EQ(machine.cores, 4U);
  EXPECT_EQ(machine.available_threads, 1U);
  EXPECT_EQ(machine.memory_bytes, 1073741824U);
  EXPECT_EQ(machine.available_memory, 2147483648U);
  EXPECT_EQ(machine.governor, "powersave");
}

TEST(Fingerprint, IsAsDocumented) {
  // FNV-1a 64 of "vendor=Example\n…cores=8\n", computed apart.
  EXPECT_EQ(example_machine().fingerprint(), "49b9d37314fa1cd4");
}

TEST(Fingerprint, ChangesWithEachOfItsFieldsAndNoOther) {
  const Machine machine = example_machine();
  std::set<std::string> seen{machine.fingerprint()};
  const auto changed = [&](auto change) {
    Machine other = machine;
    change(other);
    EXPECT_EQ(differences(other, machine).size(), 1U);
    EXPECT_TRUE(seen.insert(other.fingerprint()).second);
  };
  changed([](Machine& m) { m.vendor = "Other"; });
  changed([](Machine& m) { m.cpu = std::nullopt; });
  changed([](Machine& m) { m.family = 7; });
  changed([](Machine& m) { m.model = 7; });
  changed([](Machine& m) { m.stepping = 7; });
  changed([](Machine& m) { m.isas = {Isa::scalar, Isa::neon}; });
  changed([](Machine& m) { m.l1d = 7; });
  changed([](Machine& m) { m.l2 = 7; });
  changed([](Machine& m) { m.l3 = std::nullopt; });
  changed([](Machine& m) { m.cores = 7; });
  changed([](Machine& m) { m.core_class = "efficiency"; });

  Machine same = machine;
  same.available_threads = 1;
  same.cgroup_quota = std::nullopt;
  same.memory_bytes = 1;
  same.os = "Linux 7";
  same.governor = "powersave";
  EXPECT_EQ(same.fingerprint(), machine.fingerprint());
  EXPECT_TRUE(differences(same, machine).empty());
}

TEST(Obstacle, TellsWhatCannotRunAndWhy) {
  Machine machine = probe_machine();
  for (const Isa isa : all_isas()) {
    EXPECT_EQ(obstacle(isa, machine).empty(), runnable(isa)) << name(isa);
  }
  machine.isas.clear();
  EXPECT_EQ(obstacle(Isa::scalar, machine), "the CPU or the operating system lacks it");
}

}  // namespace
}  // namespace sluice::tuner
