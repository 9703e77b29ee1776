// Owns: what pairs of samples say of two plans: how many are enough, and the outcome. Does not own: taking the samples.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tuner/rig.hpp"
#include "tuner/statistics.hpp"

namespace sluice::tuner {

// Calm pairs that tell a plan from itself, or do not.
inline constexpr std::size_t self_check_pairs = 15;

class Duel {
 public:
  // Over after `calm_pairs` pairs without contention, or three times as many of any kind. With `most_pairs` it goes on
  // to as many, where its ratio is not known to 1 % before.
  explicit Duel(std::size_t calm_pairs, std::size_t most_pairs = 0)
      : wanted_(calm_pairs), most_(std::max(calm_pairs, most_pairs)) {}

  void add(const TimedPair& pair);
  [[nodiscard]] std::size_t size() const noexcept { return pairs_.size(); }
  [[nodiscard]] bool over() const;
  // Fewer say nothing.
  [[nodiscard]] bool conclusive() const noexcept { return pairs_.size() >= 3; }

  struct Outcome {
    Ratio ratio;  // a over b
    double roof_fraction_a = 0;
    double roof_fraction_b = 0;
    double contended_share = 0;
  };
  // Of the calm pairs; of all, where there are not three calm ones.
  [[nodiscard]] Outcome outcome() const;

 private:
  std::size_t wanted_;
  std::size_t most_;
  std::size_t calm_ = 0;
  std::vector<TimedPair> pairs_;
};

}  // namespace sluice::tuner
