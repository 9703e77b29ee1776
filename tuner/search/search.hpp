// Owns: the search for a fast plan as a state machine: next() says what to try, report() takes its cost. It has no
// clock and does no I/O, so that it runs on recorded or made-up costs as well. Does not own: which plans there are
// (candidates.hpp), in which order they are tried (strategy.hpp).
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
    Rigor rigor = Rigor::measure;  // Rigor::exhaustive overrides the strategy
  };

  Search(const Setting& setting, const Options& options);
  // Shares a space among many searches.
  Search(std::shared_ptr<const JointSpace> space, const Options& options);

  // Returns the plan to try now, the same one until report() is called; nothing when the search is over.
  [[nodiscard]] std::optional<Plan> next() const;
  // Takes the cost of the plan that next() returned, in any unit that stays the same. Infinity says that the plan
  // cannot run; zero, negative values and NaN are taken for infinity.
  void report(double cost);

  // Returns the best plan so far: the analytical one until another is ahead of it.
  [[nodiscard]] const Plan& best() const;
  [[nodiscard]] std::size_t trials() const noexcept { return trials_; }
  [[nodiscard]] const JointSpace& space() const noexcept { return *space_; }

 private:
  std::shared_ptr<const JointSpace> space_;
  std::unique_ptr<Searcher> searcher_;  // null: nothing is tried, the analytical plan is the result
  std::size_t trials_ = 0;
};

}  // namespace sluice::tuner
