// Owns: the samples of one piece of work, each with its mark, and the ratio of two such sets. Does not own: which
// samples are disturbed (tuner/measurement/clock.hpp), the statistics (tuner/measurement/statistics.hpp).
#pragma once

#include <cstddef>
#include <vector>

#include "tuner/measurement/clock.hpp"
#include "tuner/measurement/statistics.hpp"

namespace sluice::bench {

// Figures and ratios are made from all samples: a mark says how loud it was, it discards nothing.
struct SampleSet {
  std::vector<tuner::Sample> samples;  // in the order they were taken
  std::vector<bool> contended;         // of each of them, once mark() was called

  // Marks the samples by the clock's present level, which is known best at the end of a run.
  void mark(const tuner::Clock& clock);
  [[nodiscard]] std::size_t contended_count() const;
  [[nodiscard]] double median_ns() const;
  // The time of the fast samples.
  [[nodiscard]] double fast_ns() const;
  // Returns the speed of the fast samples, which did `work` each, over that of the fast probes beside them: in each
  // block of about twenty samples, since a machine's bandwidth may change for seconds at a time, and then the median of
  // the blocks, since a neighbour may leave no sample of a block undisturbed.
  [[nodiscard]] double share_of_probes(double work) const;
};

// Returns the time of each sample in ns.
std::vector<double> times(const std::vector<tuner::Sample>& samples);

// Returns time(a) / time(b) over the rounds that both have; rounds ascend.
tuner::Ratio ratio_by_round(const std::vector<tuner::Sample>& a, const std::vector<tuner::Sample>& b);

}  // namespace sluice::bench
