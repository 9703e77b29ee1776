// Owns: what pairs of samples say of two plans: how many are enough, and the outcome. Does not own: taking the samples.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tuner/measurement/measurement_backend.hpp"
#include "tuner/measurement/statistics.hpp"

namespace sluice::tuner {

// The pairs that a comparison of a plan with itself takes.
inline constexpr std::size_t self_check_pairs = 30;

class PairedComparison {
 public:
  // Is over after `pairs` if the ratio is known to 1 % by then, else after `most_pairs` at the latest.
  explicit PairedComparison(std::size_t pairs, std::size_t most_pairs = 0)
      : wanted_(pairs), most_(std::max(pairs, most_pairs)) {}

  void add(const TimedPair& pair) { pairs_.push_back(pair); }
  [[nodiscard]] std::size_t size() const noexcept { return pairs_.size(); }
  [[nodiscard]] bool over() const;
  // Fewer than three pairs say nothing.
  [[nodiscard]] bool conclusive() const noexcept { return pairs_.size() >= 3; }

  struct Outcome {
    Ratio ratio;  // a over b
    double roof_fraction_a = 0;
    double roof_fraction_b = 0;
    double contended_share = 0;
  };
  // The outcome of all pairs. Which of the two a neighbour disturbed is as random as their order, so none is left out.
  [[nodiscard]] Outcome outcome() const;

 private:
  std::size_t wanted_;
  std::size_t most_;
  std::vector<TimedPair> pairs_;
};

}  // namespace sluice::tuner
