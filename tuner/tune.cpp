#include "tuner/tune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "tuner/duel.hpp"
#include "tuner/recording.hpp"
#include "tuner/search.hpp"

namespace sluice::tuner {
namespace {

// Calm pairs, where the time suffices.
constexpr std::size_t width_pairs = 60;
constexpr std::size_t thorough_width_pairs = 300;  // single pairs of 2 ms scatter by 16 % among loud neighbours
constexpr std::size_t proof_pairs = 30;
constexpr std::size_t most_proof_pairs = 120;  // where neighbours are loud: the gain is a promise, to be known to 1 %
constexpr std::size_t self_check_pairs = 15;
// A cell whose search found another plan is checked against itself only now and then, for which it keeps some time.
constexpr std::size_t self_check_interval = 4;
constexpr double self_check_share = 0.1;
// Of a cell's time: for its search; the rest is for proving the winner.
constexpr double search_share = 0.55;

// Trials need not run all of a long problem: what a plan gains shows on a slice of d_ff as well. About 15 ms at an
// assumed 100 GFLOP/s per thread, never below what gives each thread a few panels.
Shape trial_shape(const CellGroup& group) {
  std::size_t max_m = 1;
  for (const Cell& cell : group.cells) max_m = std::max(max_m, cell.m);
  const double column = flops({Activation::silu, group.gated}, {group.shape.d_model, 1}, max_m);
  const auto columns = static_cast<std::size_t>(1.5e9 / column) / 64 * 64;
  return {group.shape.d_model, std::min(group.shape.d_ff, std::max<std::size_t>(columns, 768))};
}

class Tuner {
 public:
  Tuner(const std::vector<Cell>& cells, const TuneOptions& options, Rig& rig, Journal* journal)
      : options_(options), rig_(rig), recording_(options.isa, rig, journal), budget_(options.budget_seconds, cells) {}

  void run(const CellGroup& group) {
    rig_.enter(group);
    found_.clear();
    random_.seed(options_.seed);
    const Shape slice = trial_shape(group);
    const std::uint32_t nr = choose_width(group, slice);
    for (const Cell& cell : group.cells) {
      if (rig_.interrupted()) return;
      if (const FinishedCell* finished = recording_.finished(cell)) {
        for (const double cost_ns : recording_.take_over(cell)) budget_.learn(cell, slice, cost_ns * 1e-9);
        settle(*finished);
      } else if (budget_.affords(cell, recording_.spent())) {
        run_cell(cell, slice, nr);
      } else {
        report_.untuned.push_back(cell);
      }
      budget_.settle(cell);
      ++cells_begun_;
    }
  }

  TuneReport end() {
    report_.interrupted = rig_.interrupted();
    if (!report_.interrupted && report_.untuned.empty()) recording_.finish_all();
    return std::move(report_);
  }

 private:
  [[nodiscard]] Setting setting(const Cell& cell, Shape shape, std::uint32_t nr) const {
    return {options_.caches, options_.isa, cell.kind, shape, cell.m, cell.threads, nr};
  }

  void show(const Cell& cell) {
    const double spent = recording_.spent();
    options_.progress(budget_.share_done(),
                      fmt::format("{} {} M={} t={}", name(cell.kind), shape_name(cell.shape), cell.m, cell.threads),
                      options_.budget_seconds ? budget_.left(spent) : -1);
  }

  // What a search found for a cell at one panel width.
  struct Found {
    Plan plan;
    std::size_t trials;
    bool searched;  // else it was stopped before its first trial
  };

  // The panel width that serves all M best: the one choice that all plans of the group share. The cells with the
  // most threads decide: by their analytical plans, or, where the rigor is for it, by what a search finds at each
  // width.
  std::uint32_t choose_width(const CellGroup& group, Shape slice) {
    // Plans that are in the profile already keep their width, or the weights could not be packed for all of them.
    for (const KeptWidth& kept : options_.kept_widths)
      if (kept.shape == group.shape && kept.gated == group.gated) return kept.nr;
    const auto tiles = register_tiles(options_.isa);
    std::uint32_t best = tiles.front().nr;
    if (options_.rigor == Rigor::estimate || tiles.size() == 1) return best;

    std::uint32_t most_threads = 1;
    for (const Cell& cell : group.cells) most_threads = std::max(most_threads, cell.threads);
    std::vector<const Cell*> judges;
    double share = 0;
    for (const Cell& cell : group.cells) {
      if (cell.threads == most_threads) judges.push_back(&cell);
      share += budget_.share(cell, recording_.spent());
    }
    const bool thorough = options_.rigor >= Rigor::patient;
    if (thorough) {
      const double begin = recording_.spent();
      for (const RegisterTile& tile : tiles) {
        for (const Cell* cell : judges) {
          const double seconds = search_share / static_cast<double>(tiles.size()) * budget_.share(*cell, begin);
          found_.emplace(std::pair(cell, tile.nr), search(*cell, slice, tile.nr, seconds));
        }
      }
    }
    // A seventh of the group's time for all of its duels, and of each no more than settles it among loud neighbours.
    const double seconds =
        std::min(thorough ? 10.0 : 2.0, share / 7 / static_cast<double>((tiles.size() - 1) * judges.size()));
    for (const RegisterTile& tile : tiles.subspan(1)) {
      std::vector<Ratio> ratios;
      bool slower = false;
      for (const Cell* cell : judges) {
        show(*cell);
        const Duel fought = fight(Duel(thorough ? thorough_width_pairs : width_pairs), PairPurpose::width, *cell, slice,
                                  known_plan(*cell, slice, tile.nr), known_plan(*cell, slice, best), seconds);
        ratios.push_back(fought.outcome().ratio);
        slower = slower || judge(ratios.back()) == Verdict::slower;
      }
      // A width is left for one that is proven better over all M, and worse for none.
      if (!slower && judge(mean_ratio(ratios)) == Verdict::faster) best = tile.nr;
    }
    // What was finished before decides for what was not.
    for (const Cell& cell : group.cells)
      if (const FinishedCell* finished = recording_.finished(cell)) return finished->plan.row.plan.tiling.nr;
    return best;
  }

  [[nodiscard]] Plan known_plan(const Cell& cell, Shape slice, std::uint32_t nr) const {
    const auto found = found_.find({&cell, nr});
    return found != found_.end() ? found->second.plan : first_candidate(setting(cell, slice, nr));
  }

  Found search(const Cell& cell, Shape slice, std::uint32_t nr, double seconds) {
    const double end = recording_.spent() + seconds;
    Search search(setting(cell, slice, nr),
                  {.seed = options_.seed, .strategy = options_.strategy, .rigor = options_.rigor});
    for (auto plan = search.next(); plan && recording_.spent() < end && !rig_.interrupted(); plan = search.next()) {
      show(cell);
      const Timed timed = recording_.time(cell, slice, *plan);
      budget_.learn(cell, slice, timed.cost_ns * 1e-9);
      search.report(timed.cost_ns);
    }
    return {search.best(), search.trials(), search.trials() != 0 || !search.next()};
  }

  // Pairs in random order until the duel is over or the time is up, three at least.
  Duel fight(Duel duel, PairPurpose purpose, const Cell& cell, Shape shape, const Plan& a, const Plan& b,
             double seconds) {
    const double end = recording_.spent() + seconds;
    while (!duel.over() && (!duel.conclusive() || recording_.spent() < end) && !rig_.interrupted()) {
      const bool b_first = (random_() & 1U) != 0;
      duel.add(recording_.time_pair(purpose, cell, shape, a, b, b_first));
    }
    return duel;
  }

  void run_cell(const Cell& cell, Shape slice, std::uint32_t nr) {
    // The same order of pairs whatever was measured before, so that taking over other cells changes nothing here.
    random_.seed(options_.seed + cells_begun_);
    const double begin = recording_.spent();
    const double share = budget_.share(cell, begin);
    const Plan start = first_candidate(setting(cell, cell.shape, nr));
    ProfilePlan result{{options_.isa, cell.kind, cell.shape, m_bucket(cell.m), cell.threads, start}, std::nullopt};
    if (options_.rigor == Rigor::estimate) return conclude(cell, result, std::nullopt);

    const auto known = found_.find({&cell, nr});
    const Found searched = known != found_.end() ? known->second : search(cell, slice, nr, search_share * share);
    if (rig_.interrupted()) return;
    // The default of everybody, beside that of the group's width: the same but where another width was chosen.
    const Plan usual = first_candidate(setting(cell, cell.shape, 0));
    const double end = begin + share;
    const double proof_end = end - (cells_begun_ % self_check_interval == 0 ? self_check_share * share : 0);
    Plan chosen = searched.plan;
    rig_.verify(cell, chosen);
    if (chosen != start) rig_.verify(cell, start);
    if (chosen != start && start != usual) {
      const double half = std::max(0.0, proof_end - recording_.spent()) / 2;
      const Duel proof = fight(Duel(proof_pairs), PairPurpose::proof, cell, cell.shape, chosen, start, half);
      if (judge(proof.outcome().ratio) != Verdict::faster) chosen = start;
    }
    const bool same = chosen == usual;
    const Duel proof = fight(same ? Duel(self_check_pairs) : Duel(proof_pairs, most_proof_pairs),
                             same ? PairPurpose::self_check : PairPurpose::proof, cell, cell.shape, chosen, usual,
                             std::max(0.0, proof_end - recording_.spent()));
    if (!proof.conclusive()) return;  // interrupted
    const Duel::Outcome outcome = proof.outcome();
    Measured measured{1,
                      1,
                      1,
                      Verdict::default_won,
                      static_cast<std::uint32_t>(outcome.ratio.pairs),
                      static_cast<std::uint32_t>(searched.trials),
                      outcome.roof_fraction_b,
                      outcome.contended_share};
    // Only what is proven faster replaces the default; where the width is another, the default is not to be had.
    if (!same && (start != usual || judge(outcome.ratio) == Verdict::faster)) {
      result.row.plan = chosen;
      measured.roof_fraction = outcome.roof_fraction_a;
      measured.verdict = judge(outcome.ratio);
      measured.ratio_to_default = outcome.ratio.value;
      measured.ratio_low = outcome.ratio.low;
      measured.ratio_high = outcome.ratio.high;
    }
    result.measured = measured;
    // Recorded as finished it would never be searched; its pairs are, and serve when there is more time.
    if (searched.searched) return conclude(cell, result, self_check(cell, start, same ? &proof : nullptr, end));
    report_.untuned.push_back(cell);
    options_.done(result);
  }

  // Whether the tuner takes a plan for another than itself.
  std::optional<Verdict> self_check(const Cell& cell, const Plan& plan, const Duel* fought, double end) {
    if (fought != nullptr) return judge(fought->outcome().ratio);
    if (cells_begun_ % self_check_interval != 0 || recording_.spent() >= end) return std::nullopt;
    const Duel check = fight(Duel(self_check_pairs), PairPurpose::self_check, cell, cell.shape, plan, plan, 0.3);
    if (!check.conclusive()) return std::nullopt;
    return judge(check.outcome().ratio);
  }

  void conclude(const Cell& cell, const ProfilePlan& plan, std::optional<Verdict> self_check) {
    // Interrupted: the best so far is worth having; its duel goes on when the tuning is resumed.
    if (rig_.interrupted()) return options_.done(plan);
    recording_.finish(cell, plan, self_check);
    settle({cell, plan, self_check, 0});
  }

  void settle(const FinishedCell& finished) {
    if (finished.self_check) {
      ++report_.self_checks;
      const bool differs = *finished.self_check == Verdict::faster || *finished.self_check == Verdict::slower;
      report_.false_alarms += differs ? 1 : 0;
    }
    options_.done(finished.plan);
  }

  const TuneOptions& options_;
  Rig& rig_;
  Recording recording_;
  Budget budget_;
  TuneReport report_;
  std::mt19937_64 random_;
  std::size_t cells_begun_ = 0;
  std::map<std::pair<const Cell*, std::uint32_t>, Found> found_;  // of the group, by cell and panel width
};

}  // namespace

TuneReport tune(const std::vector<Cell>& cells, const TuneOptions& options, Rig& rig, Journal* journal) {
  Tuner tuner(cells, options, rig, journal);
  const std::vector<CellGroup> groups = grouped(cells);
  for (const CellGroup& group : groups) {
    if (rig.interrupted()) break;
    tuner.run(group);
  }
  return tuner.end();
}

}  // namespace sluice::tuner
