// Owns: the search for a fast plan as a state machine: next() says what to try, report() takes its cost. No clock, no
// I/O: it runs on recorded or made-up costs as well. Does not own: which plans there are (candidates.hpp), in which
// order they are tried (strategy.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "tuner/search/candidates.hpp"
#include "tuner/search/strategy.hpp"

namespace sluice::tuner {

class Search {
 public:
  struct Options {
    std::uint64_t seed = 1;
    Strategy strategy = Strategy::halving;
    Rigor rigor = Rigor::measure;  // exhaustive: whatever the strategy
  };

  Search(const Setting& setting, const Options& options);
  // For many searches of one space.
  Search(std::shared_ptr<const JointSpace> space, const Options& options);

  // The plan to try now; nothing when the search is over. Stays the same until report().
  [[nodiscard]] std::optional<Plan> next() const;
  // The cost of what next() gave: positive, in any unit that does not change from one trial to the next. Infinity: it
  // cannot run; so does anything that no time can be: zero, less, not a number.
  void report(double cost);

  // The best plan so far; the analytical one until another is ahead of it.
  [[nodiscard]] const Plan& best() const;
  [[nodiscard]] std::size_t trials() const noexcept { return trials_; }
  [[nodiscard]] const JointSpace& space() const noexcept { return *space_; }

 private:
  std::shared_ptr<const JointSpace> space_;
  std::unique_ptr<Searcher> searcher_;  // none: the analytical plan stands
  std::size_t trials_ = 0;
};

}  // namespace sluice::tuner
