// Owns: the validation of one cell's plan: its comparison in place against the default, taken up as often as there is
// time, and what the profile says of the plan by it. Does not own: which plan, when (tune.hpp), what pairs say
// (paired_comparison.hpp).
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
  Plan baseline;         // the default of everybody, in the panel width that the shape usually has
  bool baseline_usable;  // whether the cell may fall back on it: the width of its group is the usual one
  std::size_t trials = 0;
  bool searched = true;  // else there was no time to: the plan is analytical for want of a better one
  bool verified = true;  // in this run; else by the one that wrote the journal
};

class PlanValidation {
 public:
  // `seed`: of the order within pairs.
  PlanValidation(Isa isa, Cell cell, const ValidationTask& task, std::uint64_t seed);

  [[nodiscard]] const Cell& cell() const noexcept { return cell_; }
  [[nodiscard]] bool searched() const noexcept { return task_.searched; }
  [[nodiscard]] bool verified() const noexcept { return task_.verified; }
  // Whether the plan is the default: then it is compared with itself, and no difference is the right answer.
  [[nodiscard]] bool same() const { return task_.chosen == task_.baseline; }
  [[nodiscard]] PairPurpose purpose() const { return same() ? PairPurpose::self_check : PairPurpose::validation; }
  [[nodiscard]] std::size_t pairs() const noexcept { return comparison_.size(); }
  [[nodiscard]] bool over() const { return comparison_.over(); }
  [[nodiscard]] bool conclusive() const noexcept { return comparison_.conclusive(); }

  // One pair more.
  void add_pair(Recording& recording);
  // What came of another plan's comparison with itself beside this validation.
  void checked(std::optional<Verdict> self_check) { self_check_ = self_check; }

  // Of a conclusive comparison: only what is proven faster replaces the default.
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
