// Owns: a race between plans: rounds in which each runs once, in random order, and plans that fall behind drop out.
// Does not own: which plans enter (strategy.hpp).
//
// On a shared machine costs drift, and some are far too high. So plans are compared within a round, where all meet the
// same drift: a cost counts as a ratio to the median of its round, and a plan's score is a quantile of its ratios.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace sluice::tuner {

// The quantile of a plan's ratios that is its score. Neighbours only ever slow a plan down, so a quantile below the
// median scatters less: by a fifth on the recorded landscapes of the tests. The minimum scatters five times as much.
inline constexpr double typical = 0.35;

class Race {
 public:
  struct Rules {
    std::size_t rounds;          // at most
    double keep_share = 1;       // the largest part of the entrants that goes on to the next round
    std::size_t keep_least = 2;  // entrants that go on whatever keep_share says
    bool drop_slow = true;       // entrants that are clearly behind the leader drop out
  };

  Race() = default;  // a race that is over
  // The first plan is the incumbent, which stays to the end.
  Race(const std::vector<std::size_t>& plans, const Rules& rules, std::mt19937_64& random);

  [[nodiscard]] bool over() const noexcept { return turn_ == order_.size(); }
  // Returns the plan whose turn it is. Must not be called when the race is over.
  [[nodiscard]] std::size_t next() const { return entrants_[order_[turn_]].plan; }
  void report(double cost, std::mt19937_64& random);

  // Whether there were enough rounds for a winner other than the incumbent.
  [[nodiscard]] bool decided() const noexcept { return round_ >= 3; }
  // Returns up to `most` of the plans that are still racing, the best first.
  [[nodiscard]] std::vector<std::size_t> leaders(std::size_t most) const;
  // Returns the best plan if, after three rounds or more, it is ahead of the incumbent by the margin; else the
  // incumbent.
  [[nodiscard]] std::size_t winner(double margin) const;

 private:
  struct Entrant {
    std::size_t plan;
    std::vector<double> costs;  // per round
    bool racing = true;
  };

  void begin_round(std::mt19937_64& random);
  void end_round();
  // The score of each entrant that is still racing, in units of the median cost of a round.
  [[nodiscard]] std::vector<double> scores() const;

  Rules rules_{};
  std::vector<Entrant> entrants_;
  std::vector<std::size_t> order_;  // of this round
  std::size_t turn_ = 0;
  std::size_t round_ = 0;  // completed rounds
};

}  // namespace sluice::tuner
