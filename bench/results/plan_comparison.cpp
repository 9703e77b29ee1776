#include "bench/results/plan_comparison.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tuner/profile/borrowing.hpp"

namespace sluice::bench {
namespace {

std::string plan_line(std::string_view whose, PlanOrigin origin, const std::string& plan) {
  return fmt::format("  {:<8} {:<11} {}\n", whose, name(origin), plan);
}

std::string interval_words(const tuner::Ratio& ratio) {
  return fmt::format("{:>6.3f} … {:<6.3f}", ratio.low, ratio.high);
}

constexpr double tolerance = 1.03;

InPlace in_place(const tuner::Ratio& here, const tuner::Ratio& promised) {
  const tuner::Ratio ratio = tuner::quotient(here, promised);
  if (ratio.high <= tolerance && ratio.low >= 1 / tolerance) return {ratio, "kept"};
  const bool apart = ratio.low > tolerance || ratio.high < 1 / tolerance;
  return {ratio, apart ? "broken" : "inconclusive"};
}

// Returns what the profile promises for exactly this cell.
std::optional<Promise> promise_for(const Measurement& measurement, Isa isa, double roof_fraction,
                                   const std::vector<tuner::ProfilePlan>& plans) {
  if (measurement.origin != PlanOrigin::exact) return std::nullopt;
  const tuner::Cell& cell = measurement.cell;
  const PlanRow asked{isa, cell.kind, cell.shape, static_cast<std::uint32_t>(cell.m), cell.threads, measurement.plan};
  const auto found =
      std::ranges::find_if(plans, [&](const tuner::ProfilePlan& plan) { return tuner::same_cell(plan.row, asked); });
  if (found == plans.end() || !found->measured || !(found->measured->roof_fraction > 0)) return std::nullopt;
  const tuner::Measured& promised = *found->measured;
  return Promise{promised.roof_fraction,
                 roof_fraction / promised.roof_fraction,
                 {promised.ratio_to_default, promised.ratio_low, promised.ratio_high, promised.pairs},
                 std::nullopt};
}

}  // namespace

PlanComparison compare_with_baseline(const Measurement& measurement, std::string_view baseline_name, Isa isa,
                                     double roof_fraction, const std::vector<tuner::ProfilePlan>& plans) {
  const BaselineMeasurement& baseline = *measurement.baseline;
  const tuner::Cell& cell = measurement.cell;
  const tuner::Call call{isa, cell.kind, cell.shape, cell.m, cell.threads};
  PlanComparison comparison;
  comparison.name = measurement.name;
  comparison.plan = tuner::plan_words(measurement.plan, call);
  comparison.origin = measurement.origin;
  comparison.baselines_plan = tuner::plan_words(baseline.plan, call);
  comparison.baselines_origin = baseline.origin;
  comparison.same = baseline.same;
  comparison.promise = promise_for(measurement, isa, roof_fraction, plans);
  if (baseline.same) {
    comparison.ratio = {1, 1, 1, 0};
    comparison.verdict = "same plan";
  } else {
    comparison.ratio = ratio_by_round(measurement.samples, baseline.samples);
    comparison.verdict = name(tuner::judge(comparison.ratio));
  }
  if (comparison.promise && comparison.has_ratio() && baseline_name == default_baseline)
    comparison.promise->in_place = in_place(comparison.ratio, comparison.promise->ratio_to_default);
  return comparison;
}

std::string plan_comparison_table(const std::vector<PlanComparison>& comparisons, const std::string& baseline) {
  if (comparisons.empty()) return "";
  std::string table =
      fmt::format("\n{:<44} {:>6}  {:<15} {:>5}  {:<12} {:>8}  {:<36} {}\n", "cell", "ratio", "95 % interval", "pairs",
                  "verdict", "promised", "in place / promised", "roof / promised");
  std::vector<double> ratios;
  std::vector<double> in_place;
  for (const PlanComparison& one : comparisons) {
    std::string ratio = "-";
    std::string interval = "-";
    if (one.has_ratio()) {
      ratio = fmt::format("{:.3f}", one.ratio.value);
      if (!one.same) interval = interval_words(one.ratio);
      ratios.push_back(one.ratio.value);
    }
    std::string promised = "-";
    std::string kept = "-";
    std::string roof = "-";
    if (one.promise) {
      roof = fmt::format("{:.3f}", one.promise->roof_in_place);
      // A ratio to the default says nothing about another baseline.
      if (baseline == default_baseline) promised = fmt::format("{:.3f}", one.promise->ratio_to_default.value);
    }
    if (one.promise && one.promise->in_place) {
      const InPlace& here = *one.promise->in_place;
      kept = fmt::format("{:.3f} {} {}", here.ratio.value, interval_words(here.ratio), here.verdict);
      in_place.push_back(here.ratio.value);
    }
    table += fmt::format("{:<44} {:>6}  {:<15} {:>5}  {:<12} {:>8}  {:<36} {}\n", one.name, ratio, interval,
                         one.ratio.pairs, one.verdict, promised, kept, roof);
    table += plan_line("own", one.origin, one.plan);
    if (!one.same) table += plan_line("baseline", one.baselines_origin, one.baselines_plan);
  }
  if (!ratios.empty())
    table += fmt::format("geometric mean of {} cells: {:.3f}\n", ratios.size(), tuner::geometric_mean(ratios));
  if (!in_place.empty())
    table += fmt::format("in place / promised, geometric mean of {} cells: {:.3f}\n", in_place.size(),
                         tuner::geometric_mean(in_place));
  return table + fmt::format(
                     "ratio: own time / the time with the plan of {}, of samples taken in turns; of the same "
                     "plan exactly 1, not measured\n",
                     baseline == default_baseline ? "the analytical default" : baseline);
}

}  // namespace sluice::bench
