// Owns: the search for a fast plan as a state machine: next() says what to try, report() takes its cost. No clock, no
// I/O: it runs on recorded or made-up costs as well. Does not own: what the candidates are (candidates.hpp).
//
// One axis after the other is raced: the plan so far against its alternatives on that axis, interleaved in a random
// order per round. Alternatives that fall behind are dropped round by round; one that is ahead at the end takes over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "tuner/candidates.hpp"

namespace sluice::tuner {

class Search {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::size_t rounds = 7;  // of each race
    double margin = 0.004;   // how much faster an alternative must be to take over
  };

  Search(const Setting& setting, const Options& options);

  // The plan to try now; nothing when the search is over. Stays the same until report().
  [[nodiscard]] std::optional<Plan> next();
  // The cost of what next() gave: positive, in any unit that does not change during a race; infinity: it cannot run.
  void report(double cost);

  // The best plan so far: the winner of the last finished race.
  [[nodiscard]] const Plan& best() const noexcept { return best_; }
  [[nodiscard]] std::size_t trials() const noexcept { return trials_; }

 private:
  struct Entrant {
    Plan plan;
    std::vector<double> costs;  // per round
    bool racing = true;
  };

  void begin_race();
  void begin_round();
  void end_round();
  [[nodiscard]] double ratio(const Entrant& entrant) const;  // to the plan so far: median over the rounds

  Setting setting_;
  Options options_;
  std::mt19937_64 random_;
  Plan best_;
  std::size_t axis_ = 0;
  std::size_t round_ = 0;
  std::vector<Entrant> entrants_;   // [0]: the plan so far
  std::vector<std::size_t> order_;  // of this round
  std::size_t turn_ = 0;
  std::size_t trials_ = 0;
};

}  // namespace sluice::tuner
