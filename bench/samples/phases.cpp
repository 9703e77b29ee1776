#include "bench/samples/phases.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "tuner/measurement/statistics.hpp"

namespace sluice::bench {

PhaseShares shares_of(const detail::Phases& phases) {
  PhaseShares shares{};
  for (const detail::ThreadPhases& thread : phases.threads.first(phases.used)) {
    std::uint64_t inside = 0;
    for (const std::uint64_t ticks : thread.ticks) inside += ticks;
    // The time-stamp counters of two processors may differ by some ticks.
    const auto whole = static_cast<double>(std::max({phases.total, inside, std::uint64_t{1}}));
    for (std::size_t i = 0; i < detail::phase_count; ++i) shares[i] += static_cast<double>(thread.ticks[i]) / whole;
    shares.back() += 1 - static_cast<double>(inside) / whole;
  }
  for (double& share : shares) share /= std::max(1U, phases.used);
  return shares;
}

PhaseShares shares_of_call(std::uint32_t threads, const std::function<void(detail::Phases&)>& forward) {
  std::vector<detail::ThreadPhases> of_threads(threads);
  detail::Phases phases{.threads = of_threads};
  forward(phases);
  return shares_of(phases);
}

PhaseShares median_shares(std::span<const PhaseShares> calls) {
  PhaseShares shares{};
  for (std::size_t phase = 0; phase < shares.size(); ++phase) {
    std::vector<double> values;
    for (const PhaseShares& call : calls) values.push_back(call[phase]);
    shares[phase] = tuner::median(std::move(values));
  }
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace sluice::bench
