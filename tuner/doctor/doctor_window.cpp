#include "tuner/doctor/doctor_window.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "tuner/base/interruption.hpp"
#include "tuner/base/progress.hpp"
#include "tuner/tuning/tune.hpp"

namespace sluice::tuner {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

}  // namespace

Timer measure_timer() {
  constexpr int readings = 20000;
  double step = std::numeric_limits<double>::infinity();
  const auto begin = SteadyClock::now();
  auto last = begin;
  for (int i = 0; i < readings; ++i) {
    const auto now = SteadyClock::now();
    const double passed = std::chrono::duration<double, std::nano>(now - last).count();
    if (passed > 0) step = std::min(step, passed);
    last = now;
  }
  const double all = std::chrono::duration<double, std::nano>(last - begin).count();
  // If the clock never moved, its steps are longer than all readings took.
  return {std::min(step, 1e9), all / readings};
}

void measure_window(Readings& readings, Isa isa, double seconds, const std::filesystem::path& root) {
  readings.timer = measure_timer();
  Progress progress("doctor");
  progress.show(0, "the peak of each instruction set", seconds);
  const std::uint32_t all_threads = readings.machine.default_threads();
  for (const Isa one : readings.machine.isas) {
    if (one == isa || interrupted()) continue;
    Clocks clocks(one, readings.machine, 1);
    readings.peaks.push_back({one, clocks[1].fma_peak()});
  }

  Clocks clocks(isa, readings.machine, all_threads);
  for (const std::uint32_t threads : {1U, all_threads}) {
    if (threads == 1 && !readings.series.empty()) continue;  // one thread is all
    for (const Roof roof : {Roof::fma, Roof::read})
      readings.series.push_back({roof, threads, Clock::calm_bound(roof), 0, {}});
    (void)clocks[threads];  // its preparation is no part of the window
  }
  readings.before = read_counters(root, readings.allowed_cpus);
  const auto begin = SteadyClock::now();
  while (seconds_since(begin) < seconds && !interrupted()) {
    const double done = seconds_since(begin);
    progress.show(done / seconds, "probing", seconds - done);
    for (ProbeSeries& series : readings.series) {
      Probe& probe = series.probes.emplace_back();
      probe.begin = seconds_since(begin);
      probe.speed = clocks[series.threads].probe(series.roof);
      probe.end = seconds_since(begin);
    }
  }
  readings.seconds = seconds_since(begin);
  readings.after = read_counters(root, readings.allowed_cpus);
  for (ProbeSeries& series : readings.series) {
    const Clock& clock = clocks[series.threads];
    series.peak = series.roof == Roof::fma ? clock.fma_peak() : clock.read_bandwidth();
  }
  const double fma_peak = clocks[1].fma_peak();
  for (const DotRoof& dot : clocks.roofs().dot)
    if (dot.threads == 1) readings.dots.push_back({dot.arithmetic, dot.weight_bits, dot.flops / fma_peak});
  readings.peaks.push_back({isa, fma_peak});
  std::ranges::sort(readings.peaks, {}, &IsaPeak::isa);  // the order of the names: worst to best
}

}  // namespace sluice::tuner
