// Owns: reading the landscapes out of a journal.
#include <fmt/format.h>

#include <algorithm>

#include "tuner/base/failure.hpp"
#include "tuner/tuning/landscape.hpp"

namespace sluice::tuner {
namespace {

struct TimedPlan {
  Plan plan;
  std::vector<double> costs;
};

// A cell, on the slice of it that was timed, with one panel width.
struct TimedCell {
  PlanRow row;
  std::vector<TimedPlan> plans;
};

bool same(const PlanRow& a, const PlanRow& b) {
  return a.isa == b.isa && a.kind == b.kind && a.shape == b.shape && a.m == b.m && a.max_threads == b.max_threads &&
         a.plan.tiling.nr == b.plan.tiling.nr;
}

std::vector<TimedCell> group(const std::vector<Trial>& trials) {
  std::vector<TimedCell> cells;
  for (const Trial& trial : trials) {
    auto cell = std::find_if(cells.begin(), cells.end(), [&](const TimedCell& c) { return same(c.row, trial.row); });
    if (cell == cells.end()) cell = cells.insert(cells.end(), TimedCell{trial.row, {}});
    auto& plans = cell->plans;
    auto timed = std::find_if(plans.begin(), plans.end(), [&](const TimedPlan& p) { return p.plan == trial.row.plan; });
    if (timed == plans.end()) timed = plans.insert(plans.end(), TimedPlan{trial.row.plan, {}});
    timed->costs.push_back(trial.cost_ns);
  }
  return cells;
}

}  // namespace

std::vector<Landscape> landscapes(const JournalContents& journal) {
  std::vector<Landscape> found;
  const CacheSizes caches = journal.header ? journal.header->caches : CacheSizes{};
  for (const TimedCell& cell : group(journal.trials)) {
    const PlanRow& row = cell.row;
    std::vector<Plan> plans;
    std::vector<std::vector<double>> costs;
    plans.reserve(cell.plans.size());
    costs.reserve(cell.plans.size());
    for (const TimedPlan& timed : cell.plans) {
      plans.push_back(timed.plan);
      costs.push_back(timed.costs);
    }
    // If a run was cut short, only some plans were timed in its last round.
    std::size_t rounds = costs.front().size();
    for (const std::vector<double>& mine : costs) rounds = std::min(rounds, mine.size());
    if (rounds < Landscape::least_rounds) continue;
    for (std::vector<double>& mine : costs) mine.resize(rounds);
    found.emplace_back(Setting{caches, row.isa, row.kind, row.shape, row.m, row.max_threads, row.plan.tiling.nr}, plans,
                       costs);
  }
  return found;
}

std::vector<Landscape> load_landscapes(const std::filesystem::path& path) {
  const JournalContents journal = read_journal(path);
  if (!journal.header) return {load_landscape(path)};
  std::vector<Landscape> found = landscapes(journal);
  if (found.empty())
    throw Failure(exit_code::file, fmt::format("{}: no cell has all its plans timed {} times; record it with "
                                               "`sluice tune --rigor exhaustive --journal`",
                                               path.string(), Landscape::least_rounds));
  return found;
}

}  // namespace sluice::tuner
