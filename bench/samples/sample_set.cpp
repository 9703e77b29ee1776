#include "bench/samples/sample_set.hpp"

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

std::vector<double> times(const std::vector<tuner::Sample>& samples) {
  std::vector<double> ns;
  ns.reserve(samples.size());
  for (const tuner::Sample& sample : samples) ns.push_back(sample.ns);
  return ns;
}

double SampleSet::median_ns() const { return tuner::median(times(samples)); }

double SampleSet::share_of_probes(double work) const {
  constexpr std::size_t block = 20;
  const std::size_t blocks = std::max<std::size_t>(1, samples.size() / block);
  std::vector<double> shares;
  for (std::size_t i = 0; i < blocks; ++i) {
    std::vector<double> speeds;
    std::vector<double> probes;
    for (std::size_t j = samples.size() * i / blocks; j < samples.size() * (i + 1) / blocks; ++j) {
      speeds.push_back(work / (samples[j].ns * 1e-9));
      probes.insert(probes.end(), {samples[j].before, samples[j].after});
    }
    shares.push_back(tuner::quantile(std::move(speeds), tuner::fast_quantile) /
                     tuner::quantile(std::move(probes), tuner::fast_quantile));
  }
  return tuner::median(std::move(shares));
}

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
