#include "tuner/measurement/paired_comparison.hpp"

namespace sluice::tuner {

bool PairedComparison::over() const {
  return pairs_.size() >= most_ || (pairs_.size() >= wanted_ && outcome().ratio.half_width() <= 0.01);
}

PairedComparison::Outcome PairedComparison::outcome() const {
  std::vector<double> times_a, times_b, fractions_a, fractions_b;
  std::size_t contended = 0;
  for (const TimedPair& pair : pairs_) {
    times_a.push_back(pair.a.cost_ns);
    times_b.push_back(pair.b.cost_ns);
    fractions_a.push_back(pair.a.roof_fraction);
    fractions_b.push_back(pair.b.roof_fraction);
    contended += pair.a.contended || pair.b.contended ? 1 : 0;
  }
  const auto all = static_cast<double>(pairs_.size());
  return {paired_ratio(times_a, times_b), quantile(fractions_a, fast_quantile), quantile(fractions_b, fast_quantile),
          pairs_.empty() ? 0 : static_cast<double>(contended) / all};
}

}  // namespace sluice::tuner
