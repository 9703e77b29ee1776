// The doctor's findings from given readings, without a clock or a machine.
#include <algorithm>

#include "tests/tuner/support.hpp"
#include "tuner/commands/doctor_command.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

// A series of probes of 1 ms each. In each ten of them the last `slow` have `depth` of the speed.
ProbeSeries series_of(std::size_t tens, std::size_t slow, double depth, std::uint32_t threads = 1,
                      Roof roof = Roof::fma) {
  ProbeSeries series{roof, threads, Clock::calm_bound(roof), 1e11 * threads, {}};
  for (std::size_t i = 0; i < 10 * tens; ++i) {
    const double begin = 1e-3 * static_cast<double>(i);
    series.probes.push_back({begin, begin + 1e-3, 1e11 * threads * (i % 10 >= 10 - slow ? depth : 1)});
  }
  return series;
}

// The readings of a machine without any finding.
Readings calm_readings() {
  Readings readings;
  readings.machine = example_machine();
  readings.machine.isas = {Isa::scalar, Isa::avx2, Isa::avx512};
  readings.machine.cpus = 8;
  readings.machine.available_threads = 8;
  readings.machine.cgroup_quota.reset();
  readings.machine.hypervisor = false;
  readings.machine.available_memory = std::uint64_t{16} << 30U;
  readings.power = {"performance", "intel_pstate", std::nullopt, 3000000, 3000000, true, false};
  readings.allowed_cpus = {0, 1, 2, 3, 4, 5, 6, 7};
  readings.threads_per_core = 1;
  readings.nodes_used = 1;
  readings.numa_balancing = false;
  readings.huge_pages = "madvise";
  readings.clocksource = "tsc";
  readings.load_average = 0.5;
  readings.memory = {std::uint64_t{32} << 30U, std::uint64_t{16} << 30U, 0};
  readings.seconds = 20;
  readings.before = {CpuTimes{100, 0, 1000}, 1, Throttling{7, 0.5}, 40};
  readings.after = {CpuTimes{120, 0, 1160}, 21, Throttling{7, 0.5}, 40};
  readings.timer = {1, 20};
  readings.series = {series_of(100, 0, 1), series_of(100, 0, 1, 8)};
  readings.peaks = {{Isa::scalar, 4e9}, {Isa::avx2, 6e10}, {Isa::avx512, 1e11}};
  readings.dots = {{Arithmetic::int8, 8, 3.9}, {Arithmetic::bf16, 16, 1.0}};
  return readings;
}

const Finding& about(const std::vector<Finding>& findings, std::string_view subject) {
  const auto found = std::ranges::find(findings, subject, &Finding::subject);
  if (found == findings.end()) throw std::runtime_error("no finding about " + std::string(subject));
  return *found;
}

// The findings that are not ok after a change to the calm readings.
template <class Change>
std::vector<Finding> complaints(Change change) {
  Readings readings = calm_readings();
  change(readings);
  std::vector<Finding> findings = diagnose(readings);
  std::erase_if(findings, [](const Finding& finding) { return finding.severity == Severity::ok; });
  return findings;
}

template <class Change>
void expect_one(Severity severity, std::string_view subject, std::string_view value, Change change) {
  const std::vector<Finding> found = complaints(change);
  ASSERT_EQ(found.size(), 1U) << subject;
  EXPECT_EQ(found[0].subject, subject);
  EXPECT_EQ(found[0].severity, severity) << subject;
  EXPECT_NE(found[0].value.find(value), std::string::npos) << found[0].value;
  EXPECT_FALSE(found[0].effect.empty()) << subject;
  EXPECT_FALSE(found[0].advice.empty()) << subject;
  EXPECT_EQ(fit(found), severity != Severity::bad);
}

TEST(Contention, IsShareDepthAndLongestBurst) {
  const Contention found = contention(series_of(100, 3, 0.6));
  EXPECT_EQ(found.probes, 1000U);
  EXPECT_DOUBLE_EQ(found.level, 1e11);
  EXPECT_DOUBLE_EQ(found.share, 0.3);
  EXPECT_DOUBLE_EQ(found.depth, 0.6);
  EXPECT_DOUBLE_EQ(found.middle, 1);
  EXPECT_DOUBLE_EQ(found.low, 0.6);
  EXPECT_NEAR(found.longest_seconds, 3e-3, 1e-9);
}

TEST(Contention, OfNoProbesOrCalmOnesIsNone) {
  EXPECT_EQ(contention({}).share, 0);
  const Contention calm = contention(series_of(10, 5, 0.96));
  EXPECT_EQ(calm.share, 0);
  EXPECT_EQ(calm.longest_seconds, 0);
  EXPECT_EQ(contention(series_of(10, 5, 0.9, 1, Roof::read)).share, 0);  // streaming reads scatter more
  EXPECT_EQ(contention(series_of(10, 5, 0.8, 1, Roof::read)).share, 0.5);
}

TEST(Drift, ComparesTheEndsOfTheWindow) {
  ProbeSeries falling = series_of(10, 0, 1);
  for (std::size_t i = 0; i < falling.probes.size(); ++i) falling.probes[i].speed = i < 50 ? 1e11 : 0.9e11;
  ASSERT_TRUE(drift(falling).has_value());
  EXPECT_NEAR(drift(falling).value_or(0), -0.1, 1e-12);
  EXPECT_EQ(drift(series_of(2, 0, 1)), std::nullopt);
}

TEST(Diagnosis, OfACalmMachineIsFitWithNothingToNote) {
  for (const Finding& finding : diagnose(calm_readings())) {
    EXPECT_EQ(finding.severity, Severity::ok) << finding.subject << ": " << finding.value;
    EXPECT_TRUE(finding.effect.empty() && finding.advice.empty()) << finding.subject;
  }
}

TEST(Diagnosis, GradesContention) {
  expect_one(Severity::note, "FMA, 1 thread", "20.0 %", [](Readings& r) { r.series[0] = series_of(100, 2, 0.6); });
  expect_one(Severity::bad, "FMA, 8 threads", "60.0 %", [](Readings& r) { r.series[1] = series_of(100, 6, 0.6, 8); });
  expect_one(Severity::note, "frequency, 1 thread", "-10.0 %", [](Readings& r) {
    for (std::size_t i = 960; i < 1000; ++i) r.series[0].probes[i].speed = 0.96e11;
    for (Probe& probe : r.series[0].probes) probe.speed *= probe.begin < 0.5 ? 1 : 0.9;
    r.series[0].calm_bound = 0.5;
  });
}

TEST(Diagnosis, SeesThreadsThatShareACoreAndANeighbourThatNeverLeaves) {
  expect_one(Severity::note, "scaling", "8 threads do 4.00 times", [](Readings& r) {
    for (Probe& probe : r.series[1].probes) probe.speed /= 2;
  });
  expect_one(Severity::note, "FMA with loads", "50 %", [](Readings& r) { r.series[0].peak *= 2; });
}

TEST(Diagnosis, SeesWhatTheSystemTakes) {
  expect_one(Severity::note, "steal", "5.0 %", [](Readings& r) { r.after.cpus->steal = 8; });
  expect_one(Severity::bad, "steal", "20.0 %", [](Readings& r) { r.after.cpus->steal = 32; });
  expect_one(Severity::note, "other processes", "25.0 %", [](Readings& r) { r.after.cpus->busy += 40; });
  expect_one(Severity::bad, "other processes", "75.0 %", [](Readings& r) { r.after.cpus->busy += 120; });
  expect_one(Severity::note, "swap", "1 pages", [](Readings& r) { *r.after.swapped_pages += 20; });
  expect_one(Severity::bad, "swap", "1000 pages", [](Readings& r) { *r.after.swapped_pages += 20000; });
}

TEST(Diagnosis, SeesQuotas) {
  expect_one(Severity::bad, "cgroup quota", "throttled in 3 periods",
             [](Readings& r) { r.after.throttling->periods = 10; });
  expect_one(Severity::bad, "cgroup quota", "0.5 CPUs", [](Readings& r) {
    r.machine.cgroup_quota = 0.5;
    r.before.throttling = r.after.throttling = std::nullopt;
  });
  expect_one(Severity::note, "cgroup quota", "1.5 CPUs", [](Readings& r) {
    r.machine.cgroup_quota = 1.5;
    r.machine.available_threads = 2;
  });
  expect_one(Severity::note, "cgroup quota", "4 CPUs", [](Readings& r) {
    r.machine.cgroup_quota = 4;
    r.machine.available_threads = 4;
  });
}

TEST(Diagnosis, SeesPowerSaving) {
  expect_one(Severity::note, "governor", "schedutil", [](Readings& r) { r.power.governor = "schedutil"; });
  expect_one(Severity::note, "governor", "powersave", [](Readings& r) { r.power.governor = "powersave"; });
  expect_one(Severity::bad, "governor", "powersave (acpi-cpufreq)", [](Readings& r) {
    r.power.governor = "powersave";
    r.power.driver = "acpi-cpufreq";
  });
  expect_one(Severity::note, "power", "battery", [](Readings& r) { r.power.on_battery = true; });
  expect_one(Severity::note, "frequency limit", "2.00 of 3.00 GHz", [](Readings& r) { r.power.limit_khz = 2000000; });
}

TEST(Diagnosis, SeesWhichCpusThereAre) {
  expect_one(Severity::note, "affinity", "2 of 8", [](Readings& r) { r.allowed_cpus = {0, 1}; });
  expect_one(Severity::note, "SMT", "2 hardware threads per core", [](Readings& r) {
    r.threads_per_core = 2;
    r.siblings_outside = 8;
  });
  expect_one(Severity::note, "NUMA", "2 nodes", [](Readings& r) { r.nodes_used = 2; });
  expect_one(Severity::note, "core classes", "8 performance, 16 efficiency", [](Readings& r) {
    r.machine.core_classes = {{"performance", 8, {0}, {}}, {"efficiency", 16, {1}, {}}};
    r.machine.core_class = "all";
  });
  expect_one(Severity::note, "hypervisor", "virtual", [](Readings& r) { r.machine.hypervisor = true; });
}

TEST(Diagnosis, SeesTimerMemoryAndIsa) {
  expect_one(Severity::bad, "timer", "4000000 ns", [](Readings& r) { r.timer.resolution_ns = 4e6; });
  expect_one(Severity::note, "timer", "hpet", [](Readings& r) { r.clocksource = "hpet"; });
  expect_one(Severity::note, "huge pages", "never", [](Readings& r) { r.huge_pages = "never"; });
  expect_one(Severity::note, "memory", "1.0 GiB", [](Readings& r) { r.machine.available_memory = 1U << 30U; });
  expect_one(Severity::note, "peaks", "avx512 over avx2: 1.00", [](Readings& r) { r.peaks[2].flops = 6e10; });
  expect_one(Severity::note, "dot products", "int8 by 8 bits 3.9, bf16 by 16 bits 1.0",
             [](Readings& r) { r.machine.features.emplace_back("amx_int8"); });
  EXPECT_TRUE(complaints([](Readings& r) {
                r.machine.features.emplace_back("amx_int8");
                r.dots.front().over_fma = 30;
              }).empty());
  expect_one(Severity::note, "ISA", "scalar", [](Readings& r) { r.machine.isas = {Isa::scalar}; });
  expect_one(Severity::bad, "ISA", "none", [](Readings& r) { r.machine.isas.clear(); });
}

TEST(Diagnosis, OfAnUnknownMachineComplainsOfNothingItCannotSee) {
  Readings unknown;
  unknown.machine.isas = {Isa::scalar, Isa::neon};
  unknown.timer = {1, 20};
  for (const Finding& finding : diagnose(unknown)) EXPECT_EQ(finding.severity, Severity::ok) << finding.subject;
  EXPECT_EQ(about(diagnose(unknown), "governor").value, "unknown, as in most virtual machines");
  EXPECT_TRUE(Json::parse(diagnosis_json(unknown, diagnose(unknown)))["fit"].get<bool>());
}

TEST(Diagnosis, IsWrittenIn120ColumnsAndAsJson) {
  Readings readings = calm_readings();
  readings.series[0] = series_of(100, 6, 0.5);
  readings.machine.hypervisor = true;
  const std::vector<Finding> findings = diagnose(readings);
  const std::string text = diagnosis_text(readings, findings);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    EXPECT_LE(end - begin, 120U) << text.substr(begin, end - begin);
    begin = end + 1;
  }
  EXPECT_NE(text.find("Unfit for measuring: 1 bad, 1 to note"), std::string::npos) << text;
  const Json json = Json::parse(diagnosis_json(readings, findings));
  EXPECT_EQ(json["schema"], "sluice-doctor");
  EXPECT_FALSE(json["fit"].get<bool>());
  EXPECT_EQ(json["findings"].size(), findings.size());
  EXPECT_EQ(json["probes"][0]["contended_share"], 0.6);
  EXPECT_EQ(json["counters"]["busy_seconds"], 20.0);
  EXPECT_EQ(json["counters"]["throttled_periods"], 0);
}

TEST(VisibleUnfitness, IsOneLineWithWhatToDo) {
  Machine machine = example_machine();
  EXPECT_EQ(visible_unfitness(machine, {}, 3), "");
  EXPECT_NE(visible_unfitness(machine, {}, 4).find("3.5 CPUs will throttle 4 threads (use --threads 3"),
            std::string::npos);
  machine.cgroup_quota = 0.5;
  const Power poor{"powersave", "acpi-cpufreq", {}, {}, {}, {}, true};
  const std::string text = visible_unfitness(machine, poor, 1);
  for (const char* part : {"0.5 CPUs", "raise it", "powersave", "battery", "sluice doctor"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace sluice::tuner
