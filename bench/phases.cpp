#include "bench/phases.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "tuner/interruption.hpp"
#include "tuner/statistics.hpp"

namespace sluice::bench {

PhaseShares shares_of(const detail::Phases& phases) {
  PhaseShares shares{};
  for (const detail::ThreadPhases& thread : phases.threads.first(phases.used)) {
    std::uint64_t inside = 0;
    for (const std::uint64_t ticks : thread.ticks) inside += ticks;
    // The counters of two processors may differ by some ticks.
    const auto whole = static_cast<double>(std::max({phases.total, inside, std::uint64_t{1}}));
    for (std::size_t i = 0; i < detail::phase_count; ++i) shares[i] += static_cast<double>(thread.ticks[i]) / whole;
    shares.back() += 1 - static_cast<double>(inside) / whole;
  }
  for (double& share : shares) share /= std::max(1U, phases.used);
  return shares;
}

PhaseShares measure_phases(tuner::Clock& clock, tuner::Roof roof, double bytes, std::size_t wanted,
                           const std::function<void(detail::Phases&)>& forward) {
  std::vector<detail::ThreadPhases> threads(clock.threads());
  std::vector<std::pair<tuner::Sample, PhaseShares>> all;
  std::size_t calm = 0;
  for (std::size_t i = 0; (i == 0 || !tuner::interrupted()) && i < 3 * wanted && calm < wanted; ++i) {
    detail::Phases phases{.threads = threads};
    const tuner::Sample sample = clock.measure(roof, bytes, [&] { forward(phases); });
    all.emplace_back(sample, shares_of(phases));
    calm += clock.contended(sample) ? 0 : 1;
  }
  PhaseShares shares{};
  for (std::size_t phase = 0; phase < shares.size(); ++phase) {
    std::vector<double> values;
    for (const auto& [sample, mine] : all)
      if (calm == 0 || !clock.contended(sample)) values.push_back(mine[phase]);
    // A level that rose during the last forwards may leave none undisturbed.
    if (values.empty()) values.push_back(all.back().second[phase]);
    shares[phase] = tuner::median(std::move(values));
  }
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace sluice::bench
