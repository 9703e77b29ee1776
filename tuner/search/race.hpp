// Owns: a race between plans: rounds in which each runs once, in random order; who falls behind drops out. Does not
// own: who enters (strategy.hpp).
//
// On a shared machine costs drift, and some are far too high. So plans are compared within a round, where all meet the
// same drift: each cost counts as a ratio to the round's median, and a plan by the typical one of its ratios.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace sluice::tuner {

// The quantile of a plan's costs that stands for it. Neighbours only ever slow a plan down, so a quantile below the
// median scatters less: on the recorded landscapes of the tests by a fifth. The least scatters five times as much.
inline constexpr double typical = 0.35;

class Race {
 public:
  struct Rules {
    std::size_t rounds;          // at most
    double keep_share = 1;       // of the entrants at most, from each round to the next
    std::size_t keep_least = 2;  // that this share never goes below
    bool drop_slow = true;       // those clearly behind the leader drop out
  };

  Race() = default;  // over before it begins
  // The first is the reference: it stays to the end.
  Race(const std::vector<std::size_t>& plans, const Rules& rules, std::mt19937_64& random);

  [[nodiscard]] bool over() const noexcept { return turn_ == order_.size(); }
  // Who runs now; not when it is over.
  [[nodiscard]] std::size_t next() const { return entrants_[order_[turn_]].plan; }
  void report(double cost, std::mt19937_64& random);

  // Enough rounds for a winner other than the reference.
  [[nodiscard]] bool decided() const noexcept { return round_ >= 3; }
  // At most so many of those still racing, the best first.
  [[nodiscard]] std::vector<std::size_t> leaders(std::size_t most) const;
  // Ahead of the reference by the margin after three rounds at least, and of all others; else the reference.
  [[nodiscard]] std::size_t winner(double margin) const;

 private:
  struct Entrant {
    std::size_t plan;
    std::vector<double> costs;  // per round
    bool racing = true;
  };

  void begin_round(std::mt19937_64& random);
  void end_round();
  // Per entrant, of those racing; in units of a round's typical cost.
  [[nodiscard]] std::vector<double> scores() const;

  Rules rules_{};
  std::vector<Entrant> entrants_;
  std::vector<std::size_t> order_;  // of this round
  std::size_t turn_ = 0;
  std::size_t round_ = 0;  // that are complete
};

}  // namespace sluice::tuner
