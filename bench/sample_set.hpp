// Owns: the samples of one piece of work, the disturbed ones apart. Does not own: which are disturbed
// (tuner/clock.hpp).
#pragma once

#include <vector>

#include "tuner/clock.hpp"

namespace sluice::bench {

struct SampleSet {
  std::vector<tuner::Sample> calm, contended;

  // The samples that figures are made from: the calm ones, or, when there are none, the contended ones.
  [[nodiscard]] const std::vector<tuner::Sample>& counted() const { return calm.empty() ? contended : calm; }
};

}  // namespace sluice::bench
