#include "bench/micro/micro_session.hpp"

#include <utility>

#include "tuner/base/failure.hpp"
#include "tuner/base/interruption.hpp"

namespace sluice::bench {

MicroSession::MicroSession(std::vector<Micro> list, tuner::Clocks& clocks, std::size_t samples)
    : clocks_(clocks), samples_(samples) {
  for (Micro& micro : list) measurements_.emplace_back().micro = std::move(micro);
}

const MicroMeasurement& MicroSession::measure(std::size_t index) {
  MicroMeasurement& mine = measurements_[index];
  if (tuner::interrupted()) return mine;
  try {
    tuner::Clock& clock = clocks_[mine.micro.threads];
    const std::function<void(std::size_t)> run = mine.micro.prepare();
    // Long enough to make the clock's own cost negligible, short enough to fit between two disturbances.
    constexpr double sample_ns = 2e5;
    constexpr std::size_t most_runs = std::size_t{1} << 24U;
    run(1);
    while (clock.measure(tuner::Roof::fma, 0, [&] { run(mine.runs); }).ns < sample_ns && mine.runs < most_runs)
      mine.runs *= 2;
    while (mine.samples.size() < samples_ && !tuner::interrupted())
      mine.samples.push_back(clock.measure(tuner::Roof::fma, 0, [&] { run(mine.runs); }));
    mine.mark(clock);
  } catch (const tuner::Failure& failure) {
    mine.error = failure.message;
  }
  return mine;
}

}  // namespace sluice::bench
