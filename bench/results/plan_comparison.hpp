// Owns: comparing a cell's plan with the baseline's: the paired ratio, the verdict, how far the profile's promise is
// kept in place, and the table of all cells.
// Does not own: the samples (session.hpp), the statistics (tuner/measurement/statistics.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/session/session.hpp"
#include "tuner/measurement/statistics.hpp"
#include "tuner/profile/profile.hpp"

namespace sluice::bench {

// The ratio to the default measured here over the promised one.
struct InPlace {
  tuner::Ratio ratio;
  // "kept": the whole interval is within 3 % of 1; "broken": none of it is; "inconclusive": it is too wide to tell.
  std::string_view verdict;
};

// What a profile promises for a cell that it was tuned for, and how much of it was measured here. The verdict is on the
// ratio to the default, since both plans meet the same machine at the same time. The share of the roof moves with
// neighbours that a probe does not feel (M = 16 in one process: 79 to 90 % from one five seconds to the next).
struct Promise {
  double roof_fraction;
  double roof_in_place;             // the roof fraction measured here / the promised one
  tuner::Ratio ratio_to_default;    // 1 exactly, where the default won
  std::optional<InPlace> in_place;  // where the baseline is the default and was measured
};

struct PlanComparison {
  std::string name;                  // of the cell
  std::string plan, baselines_plan;  // as text
  PlanOrigin origin = PlanOrigin::analytical, baselines_origin = PlanOrigin::analytical;
  bool same = false;         // the same work in the same order: the ratio is 1 without a measurement
  tuner::Ratio ratio;        // own time / the baseline's, over the rounds that both have
  std::string_view verdict;  // "same plan", or for the own plan "faster", "slower", "tied" or "inconclusive"
  std::optional<Promise> promise;

  // Whether there is an interval, which takes two pairs.
  [[nodiscard]] bool has_ratio() const { return same || ratio.pairs >= 2; }
};

// For a cell that was measured against a baseline of that name. `roof_fraction` is of its samples, `plans` are those of
// the profile its plan is from. Nothing is promised for another machine, by other cells, or for a plan that was not
// measured.
PlanComparison compare_with_baseline(const Measurement& measurement, std::string_view baseline_name, Isa isa,
                                     double roof_fraction, const std::vector<tuner::ProfilePlan>& plans);

// Returns two or three lines for each cell, and the geometric means; empty without cells.
std::string plan_comparison_table(const std::vector<PlanComparison>& comparisons, const std::string& baseline);

}  // namespace sluice::bench
