// Owns: measuring micro benchmarks: how often one is repeated in a sample, and the samples.
// Does not own: the list (micro.hpp), the clock (tuner/measurement/clock.hpp).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bench/micro/micro.hpp"
#include "bench/samples/sample_set.hpp"
#include "tuner/measurement/clocks.hpp"

namespace sluice::bench {

struct MicroMeasurement : SampleSet {
  Micro micro;
  std::size_t runs = 1;  // in each sample
  std::string error;     // not empty: it could not be measured
};

class MicroSession {
 public:
  MicroSession(std::vector<Micro> list, tuner::Clocks& clocks, std::size_t samples);

  [[nodiscard]] const std::vector<MicroMeasurement>& measurements() const { return measurements_; }
  // Takes `samples` samples. Stops early when interrupted().
  const MicroMeasurement& measure(std::size_t index);

 private:
  std::vector<MicroMeasurement> measurements_;
  tuner::Clocks& clocks_;
  std::size_t samples_;
};

}  // namespace sluice::bench
