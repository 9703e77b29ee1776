#include "bench/sample_set.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bench {

void SampleSet::mark(const tuner::Clock& clock) {
  contended.clear();
  for (const tuner::Sample& sample : samples) contended.push_back(clock.contended(sample));
}

std::size_t SampleSet::contended_count() const {
  return static_cast<std::size_t>(std::count(contended.begin(), contended.end(), true));
}

namespace {

std::vector<double> times(const std::vector<tuner::Sample>& samples) {
  std::vector<double> ns;
  ns.reserve(samples.size());
  for (const tuner::Sample& sample : samples) ns.push_back(sample.ns);
  return ns;
}

}  // namespace

double SampleSet::median_ns() const { return tuner::median(times(samples)); }

double SampleSet::fast_ns() const { return tuner::quantile(times(samples), 1 - tuner::fast_quantile); }

tuner::Ratio ratio_by_round(const std::vector<tuner::Sample>& a, const std::vector<tuner::Sample>& b) {
  std::vector<double> times_a;
  std::vector<double> times_b;
  auto other = b.begin();
  for (const tuner::Sample& one : a) {
    while (other != b.end() && other->round < one.round) ++other;
    if (other == b.end()) break;
    if (other->round != one.round) continue;
    times_a.push_back(one.ns);
    times_b.push_back(other->ns);
  }
  return tuner::paired_ratio(times_a, times_b);
}

}  // namespace sluice::bench
