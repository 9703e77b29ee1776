#include "tuner/duel.hpp"

namespace sluice::tuner {
namespace {

bool contended(const TimedPair& pair) { return pair.a.contended || pair.b.contended; }

}  // namespace

void Duel::add(const TimedPair& pair) {
  pairs_.push_back(pair);
  calm_ += contended(pair) ? 0 : 1;
}

bool Duel::over() const {
  const auto enough = [&](std::size_t pairs) { return calm_ >= pairs || pairs_.size() >= 3 * pairs; };
  return enough(most_) || (enough(wanted_) && outcome().ratio.half_width() <= 0.01);
}

Duel::Outcome Duel::outcome() const {
  std::vector<double> times_a, times_b, fractions_a, fractions_b;
  for (const TimedPair& pair : pairs_) {
    if (contended(pair) && calm_ >= 3) continue;
    times_a.push_back(pair.a.cost_ns);
    times_b.push_back(pair.b.cost_ns);
    fractions_a.push_back(pair.a.roof_fraction);
    fractions_b.push_back(pair.b.roof_fraction);
  }
  const auto all = static_cast<double>(pairs_.size());
  return {paired_ratio(times_a, times_b), median(fractions_a), median(fractions_b),
          pairs_.empty() ? 0 : 1 - static_cast<double>(calm_) / all};
}

}  // namespace sluice::tuner
