// Owns: the findings that rest on the probes of the window: contention, scaling, frequency, peaks.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tuner/doctor/doctor_judgement.hpp"
#include "tuner/measurement/clock.hpp"
#include "tuner/measurement/statistics.hpp"

namespace sluice::tuner {
namespace {

constexpr double ordinary_contention = 0.05;
constexpr double hopeless_contention = 0.5;
constexpr double ordinary_drift = 0.03;
constexpr double poor_scaling = 0.8;  // of the number of threads

void judge_contention(Findings& findings, const ProbeSeries& series) {
  const Contention found = contention(series);
  const bool bad = found.share > hopeless_contention;
  const bool fma = series.roof == Roof::fma;
  std::string value =
      fmt::format("{:.1f} % of {} below {:.0f} % of the level ({:.1f} {})", 100 * found.share,
                  plural(found.probes, "probe"), 100 * series.calm_bound, found.level / 1e9, fma ? "GFLOP/s" : "GB/s");
  if (found.share > 0) {
    value += fmt::format("; these reach {:.0f} % of it, the longest burst lasts {:.0f} ms", 100 * found.depth,
                         1000 * found.longest_seconds);
  }
  add(findings, grade(found.share, ordinary_contention, hopeless_contention),
      fmt::format("{}, {}", fma ? "FMA" : "reads", plural(series.threads, "thread")), std::move(value),
      bad ? "More samples are disturbed than not. Ratios of pairs stay right with wider intervals; shares of a roof "
            "become uncertain, since hardly a probe shows what the machine can do."
          : "Disturbed samples are marked and kept: every pair counts, and intervals become wider.",
      bad ? "Stop other work on this machine, try another hour, or use a machine with dedicated cores."
          : "Give --budget more room, or measure when the machine is quieter.");
  // The portable kernels are not made to reach their peak.
  if (fma && found.level < 0.8 * series.peak && series.probes.size() >= 25 && series.threads == 1) {
    add(findings, Severity::note, "FMA with loads",
        fmt::format("{:.0f} % of the peak on registers at the best of times", 100 * found.level / series.peak),
        "A neighbour on the same physical core may be there all the time: it takes load ports, not FMA units.",
        "Compare with another hour or machine before trusting fractions of the peak.");
  }
}

// Two virtual CPUs may be one physical core. Then all threads together are hardly faster than one.
void judge_scaling(Findings& findings, const std::vector<ProbeSeries>& all) {
  const auto of = [&](bool one_thread) {
    return std::ranges::find_if(
        all, [&](const ProbeSeries& s) { return s.roof == Roof::fma && (s.threads == 1) == one_thread; });
  };
  const auto one = of(true), many = of(false);
  if (one == all.end() || many == all.end()) return;
  const double single = contention(*one).level;
  if (single <= 0) return;
  const double speedup = contention(*many).level / single;
  add(findings, speedup < poor_scaling * many->threads ? Severity::note : Severity::ok, "scaling",
      fmt::format("{} do {:.2f} times the FMAs of one", plural(many->threads, "thread"), speedup),
      "The threads do not have a core each, even at the best of times: other processes run on them, or the hypervisor "
      "gives out hardware threads of one core as CPUs, or the clock falls.",
      "Compare --threads 1 with all; tune for what the program will have.");
}

void judge_frequency(Findings& findings, const Readings& readings) {
  for (const ProbeSeries& series : readings.series) {
    if (series.roof != Roof::fma) continue;
    const std::optional<double> change = drift(series);
    if (!change) continue;
    add(findings, std::abs(*change) > ordinary_drift ? Severity::note : Severity::ok,
        fmt::format("frequency, {}", plural(series.threads, "thread")),
        fmt::format("FMA speed {:+.1f} % from the first to the last fifth of {:.0f} s", 100 * *change,
                    readings.seconds),
        "The clock wanders (heat, power limit, turbo, or neighbours): times of different moments do not compare.",
        "Compare within one run only; Sluice measures in turns for that. A fixed clock (boost off) steadies it.");
  }
}

// Judges what the widest vectors gain over the next narrower ones. The gain is less than their width promises if the
// clock is lower for them or the units have half their width.
void judge_licence(Findings& findings, const std::vector<IsaPeak>& peaks) {
  if (peaks.empty()) return;
  std::string value;
  for (const IsaPeak& peak : peaks)
    value += fmt::format("{}{} {:.1f}", value.empty() ? "" : ", ", name(peak.isa), peak.flops / 1e9);
  value += " GFLOP/s, one thread";
  Severity severity = Severity::ok;
  const IsaPeak& best = peaks.back();
  if (peaks.size() >= 2 && peaks[peaks.size() - 2].isa != Isa::scalar) {
    const IsaPeak& next = peaks[peaks.size() - 2];
    const double gain = best.flops / next.flops;
    value += fmt::format("; {} over {}: {:.2f}", name(best.isa), name(next.isa), gain);
    if (gain < 1.05) severity = Severity::note;
  }
  add(findings, severity, "peaks", std::move(value),
      fmt::format("{} has no higher peak here: units of half the width, a lower clock for wide vectors, or a neighbour "
                  "during the test.",
                  name(best.isa)),
      "Try --isa with the narrower set as well; wide vectors may still need fewer instructions.");
}

// Judges what smaller arithmetic gains over FMAs on registers. Registers that hold a matrix multiply many times as fast
// as vectors do; a kernel or a hypervisor may keep them back although the processor says that it has them.
void judge_dots(Findings& findings, const Readings& readings) {
  if (readings.dots.empty()) return;
  std::string value;
  double best = 0;
  for (const DotGain& dot : readings.dots) {
    value +=
        fmt::format("{}{} by {} bits {:.1f}", value.empty() ? "" : ", ", name(dot.arithmetic), dot.bits, dot.over_fma);
    best = std::max(best, dot.over_fma);
  }
  const auto& features = readings.machine.features;
  const bool matrix = std::ranges::find(features, "amx_int8") != features.end();
  constexpr double beyond_vectors = 6;  // VNNI does four times the products of an FMA
  add(findings, matrix && best < beyond_vectors ? Severity::note : Severity::ok, "dot products",
      value + " times the FMA peak, one thread",
      "The processor has AMX, but the kernels do without: they are those of a narrower ISA, or the operating system "
      "did "
      "not give its registers, or a neighbour on the same core used them during the test.",
      "Leave --isa out, and ask whoever runs the machine for a kernel that has AMX (Linux 5.16).");
}

}  // namespace

Contention contention(const ProbeSeries& series) {
  Contention found;
  found.probes = series.probes.size();
  if (series.probes.empty()) return found;
  std::vector<double> speeds;
  speeds.reserve(series.probes.size());
  for (const Probe& probe : series.probes) speeds.push_back(probe.speed);
  found.level = quantile(speeds, fast_quantile);
  if (found.level <= 0) return found;
  found.low = quantile(speeds, 0.05) / found.level;
  found.middle = median(speeds) / found.level;
  std::vector<double> slow;
  const Probe* burst = nullptr;  // its first probe
  for (const Probe& probe : series.probes) {
    if (probe.speed >= series.calm_bound * found.level) {
      burst = nullptr;
      continue;
    }
    slow.push_back(probe.speed);
    if (burst == nullptr) burst = &probe;
    found.longest_seconds = std::max(found.longest_seconds, probe.end - burst->begin);
  }
  found.share = static_cast<double>(slow.size()) / static_cast<double>(speeds.size());
  if (!slow.empty()) found.depth = median(slow) / found.level;
  return found;
}

std::optional<double> drift(const ProbeSeries& series) {
  const std::size_t fifth = series.probes.size() / 5;
  if (fifth < 5) return std::nullopt;
  std::vector<double> first, last;
  for (std::size_t i = 0; i < fifth; ++i) {
    first.push_back(series.probes[i].speed);
    last.push_back(series.probes[series.probes.size() - 1 - i].speed);
  }
  const double begin = quantile(first, fast_quantile);
  return begin > 0 ? std::optional(quantile(last, fast_quantile) / begin - 1) : std::nullopt;
}

void judge_probes(Findings& findings, const Readings& readings) {
  for (const ProbeSeries& series : readings.series) judge_contention(findings, series);
  judge_scaling(findings, readings.series);
  judge_frequency(findings, readings);
  judge_licence(findings, readings.peaks);
  judge_dots(findings, readings);
}

}  // namespace sluice::tuner
