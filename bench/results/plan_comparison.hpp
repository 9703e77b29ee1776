// Owns: what samples say of a cell's plan and the baseline's: the paired ratio, the verdict, how much of the profile's
// promise is kept in place; the table of all cells.
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

// The ratio to the default that was measured here over the promised one.
struct InPlace {
  tuner::Ratio ratio;
  // "kept": the whole interval is within 3 % of 1; "broken": none of it is; "inconclusive": it is too wide to tell.
  std::string_view verdict;
};

// What a profile says of a cell that it was tuned for, and what of it was seen here. Judged is the ratio to the
// default, since both plans meet the same machine at the same time; the share of the roof moves with neighbours that a
// probe does not feel (M = 16 in one process: 79 to 90 % from one five seconds to the next).
struct Promise {
  double roof_fraction;
  double roof_in_place;             // the roof fraction measured here / the promised one
  tuner::Ratio ratio_to_default;    // 1 exactly, where the default won
  std::optional<InPlace> in_place;  // where the baseline is the default and was met
};

struct PlanComparison {
  std::string name;                  // of the cell
  std::string plan, baselines_plan;  // in words
  PlanOrigin origin = PlanOrigin::analytical, baselines_origin = PlanOrigin::analytical;
  bool same = false;         // the same work in the same order: the ratio is 1, and nothing was measured for it
  tuner::Ratio ratio;        // own time / the baseline's, over the rounds that both have
  std::string_view verdict;  // "same plan", or of the own plan: "faster", "slower", "tied" or "inconclusive"
  std::optional<Promise> promise;

  // Fewer than two pairs have no interval.
  [[nodiscard]] bool has_ratio() const { return same || ratio.pairs >= 2; }
};

// For a cell that met a baseline of that name. roof_fraction: of its samples. plans: of the profile that its plan is
// from; nothing is promised for another machine, by other cells, or for a plan that was not measured.
PlanComparison compare_with_baseline(const Measurement& measurement, std::string_view baseline_name, Isa isa,
                                     double roof_fraction, const std::vector<tuner::ProfilePlan>& plans);

// Two lines or three for each cell, and the geometric means; empty without cells.
std::string plan_comparison_table(const std::vector<PlanComparison>& comparisons, const std::string& baseline);

}  // namespace sluice::bench
