#include "bench/rival_comparison.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bench/peer_comparison.hpp"
#include "tuner/borrowing.hpp"

namespace sluice::bench {
namespace {

std::string plan_line(std::string_view whose, PlanOrigin origin, const std::string& plan) {
  return fmt::format("  {:<6} {:<10} {}\n", whose, name(origin), plan);
}

std::optional<Promise> promise_for(const Measurement& measurement, Isa isa, double roof_fraction,
                                   const std::vector<tuner::ProfilePlan>& plans) {
  if (measurement.origin != PlanOrigin::exact) return std::nullopt;
  const tuner::Cell& cell = measurement.cell;
  const PlanRow asked{isa, cell.kind, cell.shape, static_cast<std::uint32_t>(cell.m), cell.threads, measurement.plan};
  const auto found =
      std::ranges::find_if(plans, [&](const tuner::ProfilePlan& plan) { return tuner::same_cell(plan.row, asked); });
  if (found == plans.end() || !found->measured || !(found->measured->roof_fraction > 0)) return std::nullopt;
  const tuner::Measured& promised = *found->measured;
  return Promise{promised.roof_fraction, promised.ratio_to_default, roof_fraction / promised.roof_fraction};
}

}  // namespace

RivalComparison compare_with_rival(const Measurement& measurement, Isa isa, double roof_fraction,
                                   const std::vector<tuner::ProfilePlan>& plans) {
  const RivalMeasurement& rival = *measurement.rival;
  const tuner::Cell& cell = measurement.cell;
  const tuner::Call call{isa, cell.kind, cell.shape, cell.m, cell.threads};
  RivalComparison comparison;
  comparison.name = measurement.name;
  comparison.plan = tuner::plan_words(measurement.plan, call);
  comparison.origin = measurement.origin;
  comparison.rivals_plan = tuner::plan_words(rival.plan, call);
  comparison.rivals_origin = rival.origin;
  comparison.same = rival.same;
  comparison.promise = promise_for(measurement, isa, roof_fraction, plans);
  if (rival.same) {
    comparison.ratio = {1, 1, 1, 0};
    comparison.verdict = "same plan";
  } else {
    comparison.ratio = ratio_by_round(measurement.calm, rival.calm);
    comparison.verdict = name(tuner::judge(comparison.ratio));
  }
  return comparison;
}

std::string rival_table(const std::vector<RivalComparison>& comparisons, const std::string& rival) {
  if (comparisons.empty()) return "";
  std::string table = fmt::format("\n{:<44} {:>6}  {:<15} {:>5}  {:<12} {:>8}  {}\n", "cell", "ratio", "95 % interval",
                                  "pairs", "verdict", "promised", "in place / promised");
  // What was promised is a ratio to the default.
  const bool promised_here = rival == default_rival;
  std::vector<double> ratios;
  std::vector<double> kept;
  for (const RivalComparison& one : comparisons) {
    std::string promised = "-";
    std::string in_place = "-";
    if (one.promise) {
      if (promised_here) promised = fmt::format("{:.3f}", one.promise->ratio_to_default);
      in_place = fmt::format("{:.3f}", one.promise->in_place);
      kept.push_back(one.promise->in_place);
    }
    std::string ratio = "-";
    std::string interval = "-";
    if (one.has_ratio()) {
      ratio = fmt::format("{:.3f}", one.ratio.value);
      if (!one.same) interval = fmt::format("{:>6.3f} … {:<6.3f}", one.ratio.low, one.ratio.high);
      ratios.push_back(one.ratio.value);
    }
    table += fmt::format("{:<44} {:>6}  {:<15} {:>5}  {:<12} {:>8}  {}\n", one.name, ratio, interval, one.ratio.pairs,
                         one.verdict, promised, in_place);
    table += plan_line("own", one.origin, one.plan);
    if (!one.same) table += plan_line("rival", one.rivals_origin, one.rivals_plan);
  }
  if (!ratios.empty())
    table += fmt::format("geometric mean of {} cells: {:.3f}\n", ratios.size(), tuner::geometric_mean(ratios));
  if (!kept.empty())
    table += fmt::format("in place / promised, geometric mean of {} cells: {:.3f}\n", kept.size(),
                         tuner::geometric_mean(kept));
  return table + fmt::format(
                     "ratio: own time / the time with the plan of {}, of samples taken in turns; of the same "
                     "plan exactly 1, not measured\n",
                     promised_here ? "the analytical default" : rival);
}

}  // namespace sluice::bench
