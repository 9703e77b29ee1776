// Owns: the validation of one cell's plan: its paired comparison with the baseline on the whole problem, which goes on
// as long as there is time, and the profile's entry that follows from it. Does not own: which plan, when (tune.hpp),
// what pairs say (paired_comparison.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>

#include "tuner/measurement/paired_comparison.hpp"
#include "tuner/profile/profile.hpp"
#include "tuner/tuning/recording.hpp"

namespace sluice::tuner {

struct ValidationTask {
  Plan chosen;
  Plan baseline;         // the analytical plan in the panel width that the shape usually has
  bool baseline_usable;  // whether its panel width is that of the group, so that the cell may fall back on it
  std::size_t trials = 0;
  bool searched = true;  // false: there was no time for a search, and the plan is the analytical one
  bool verified = true;  // in this run; false: only by the run that wrote the journal
};

class PlanValidation {
 public:
  // `seed`: of the order within pairs.
  PlanValidation(Isa isa, Cell cell, const ValidationTask& task, std::uint64_t seed);

  [[nodiscard]] const Cell& cell() const noexcept { return cell_; }
  [[nodiscard]] bool searched() const noexcept { return task_.searched; }
  [[nodiscard]] bool verified() const noexcept { return task_.verified; }
  // Whether the plan is the baseline. Then it is compared with itself, and no difference is the right answer.
  [[nodiscard]] bool same() const { return task_.chosen == task_.baseline; }
  [[nodiscard]] PairPurpose purpose() const { return same() ? PairPurpose::self_check : PairPurpose::validation; }
  [[nodiscard]] std::size_t pairs() const noexcept { return comparison_.size(); }
  [[nodiscard]] bool over() const { return comparison_.over(); }
  [[nodiscard]] bool conclusive() const noexcept { return comparison_.conclusive(); }

  // Takes one more pair.
  void add_pair(Recording& recording);
  // Takes the verdict of a plan's comparison with itself that was made beside this validation.
  void checked(std::optional<Verdict> self_check) { self_check_ = self_check; }

  // The result of a conclusive comparison. Only a plan that is proven faster replaces the baseline.
  [[nodiscard]] ProfilePlan result() const;
  [[nodiscard]] std::optional<Verdict> self_check() const;

 private:
  Isa isa_;
  Cell cell_;
  ValidationTask task_;
  PairedComparison comparison_;
  std::mt19937_64 random_;
  std::optional<Verdict> self_check_;
};

}  // namespace sluice::tuner
