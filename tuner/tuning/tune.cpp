#include "tuner/tuning/tune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "tuner/measurement/paired_comparison.hpp"
#include "tuner/search/search.hpp"
#include "tuner/tuning/plan_validation.hpp"
#include "tuner/tuning/recording.hpp"

namespace sluice::tuner {
namespace {

// The number of pairs, if the time suffices.
constexpr std::size_t width_pairs = 60;
constexpr std::size_t thorough_width_pairs = 300;  // single pairs of 2 ms scatter by 16 % among loud neighbours
constexpr std::size_t start_pairs = 30;            // of the plan found and the analytical one of its width
// The pairs of a validation's first stretch.
constexpr std::size_t first_pairs = 6;
// Of cells whose search found another plan, one in so many has its plan compared with itself.
constexpr std::size_t self_check_interval = 4;
// The part of a cell's time that is for its search; the rest is for validating the winner.
constexpr double search_share = 0.55;

// Trials run a slice of d_ff, on which the gain of a plan shows as well. With few rows a trial is about how weights
// stream from memory, so the slice is as large as several last-level caches: a slice that takes 15 ms at M = 256 has 19
// MB of weights (2048x5632), which an L3 of 32 MB holds. With more rows it takes about 15 ms at an assumed 100 GFLOP/s
// per thread, and has a few panels for each thread at least.
Shape trial_shape(const Cell& cell, const CacheSizes& caches) {
  constexpr std::size_t few_rows = 16;  // up to here a modest core waits for memory at least as long as it computes
  const Shape column{cell.shape.d_model, 1};
  const double columns = cell.m <= few_rows ? 4 * static_cast<double>(caches.l3) / bytes(cell.kind, column, 0)
                                            : 1.5e9 * cell.threads / flops(cell.kind, column, cell.m);
  const std::size_t whole = static_cast<std::size_t>(std::min(columns, 1e9)) / 64 * 64;
  return {cell.shape.d_model, std::min(cell.shape.d_ff, std::max<std::size_t>(whole, 768))};
}

class Tuner {
 public:
  Tuner(const std::vector<Cell>& cells, const TuneOptions& options, MeasurementBackend& backend, Journal* journal)
      : options_(options),
        backend_(backend),
        recording_(options.isa, backend, journal),
        budget_(options.budget_seconds, cells) {}

  void run(const CellGroup& group) {
    backend_.enter(group);
    found_.clear();
    random_.seed(options_.seed);
    const std::uint32_t nr = choose_width(group);
    const bool known = all_finished_before(group);
    for (const Cell& cell : group.cells) {
      if (backend_.interrupted()) break;
      const FinishedCell* finished = known ? recording_.finished(cell) : nullptr;
      if (finished != nullptr) {
        for (const double cost_ns : recording_.count_as_spent(cell)) budget_.learn(cell, slice(cell), cost_ns * 1e-9);
        report_finished(*finished);
      } else if (budget_.affords(cell, recording_.spent() + kept_)) {
        run_cell(cell, nr);
      } else {
        report_.untuned.push_back(cell);
      }
      budget_.finish(cell);
      ++cells_begun_;
    }
    validate_in_turns();
  }

  TuneReport end() {
    report_.interrupted = backend_.interrupted();
    if (!report_.interrupted && report_.untuned.empty()) recording_.finish_all();
    return std::move(report_);
  }

 private:
  // Finished cells are not measured again if all cells that were begun with them were finished as well. The validations
  // of a group take turns, so the pairs of one cell depend on the others.
  [[nodiscard]] bool all_finished_before(const CellGroup& group) const {
    return std::ranges::none_of(
        group.cells, [&](const Cell& cell) { return recording_.finished(cell) == nullptr && recording_.begun(cell); });
  }

  [[nodiscard]] Shape slice(const Cell& cell) const { return trial_shape(cell, options_.caches); }

  [[nodiscard]] Setting setting(const Cell& cell, Shape shape, std::uint32_t nr) const {
    return {options_.caches, options_.isa, cell.kind, shape, cell.m, cell.threads, nr};
  }

  void show(const Cell& cell) {
    const double spent = recording_.spent();
    options_.progress(
        budget_.share_done(spent),
        fmt::format("{} {} M={} t={}", kind_name(cell.kind), shape_name(cell.shape), cell.m, cell.threads),
        options_.budget_seconds ? budget_.left(spent) : -1);
  }

  // Returns the plan that won in the nearest cell that was finished before (of another shape, gate or kind), if it is
  // not the analytical one. Two of twelve cells missed at M = 1 what the searches of the other ten had found (Zen 3).
  [[nodiscard]] std::optional<Plan> found_elsewhere(const Cell& cell, std::uint32_t nr) const {
    const Setting here = setting(cell, cell.shape, nr);
    const PlanChoice choice =
        choose_plan({finished_rows_}, options_.caches, options_.isa, cell.kind, cell.shape, cell.m, cell.threads, nr);
    const bool other = choice.row != nullptr && clipped(here, choice.plan) != clipped(here, first_candidate(here));
    return other ? std::optional(choice.plan) : std::nullopt;
  }

  // What a search found for a cell at one panel width.
  struct Found {
    Plan plan;
    std::size_t trials;
    bool searched;  // false: the search was stopped before its first trial
  };

  // Chooses the panel width, which all plans of the group share. The cells with the most threads decide: by their
  // analytical plans or, from Rigor::patient on, by the plans that a search finds at each width.
  std::uint32_t choose_width(const CellGroup& group) {
    // Plans of the profile keep their width, or the weights could not be packed once for all of them.
    for (const KeptWidth& kept : options_.kept_widths)
      if (kept.shape == group.shape && same_packing(kept.kind, group.kind)) return kept.nr;
    const auto tiles = register_tiles(options_.isa);
    std::uint32_t best = tiles.front().nr;
    if (options_.rigor == Rigor::estimate || tiles.size() == 1) return best;

    std::uint32_t most_threads = 1;
    for (const Cell& cell : group.cells) most_threads = std::max(most_threads, cell.threads);
    std::vector<const Cell*> deciding;
    double share = 0;
    for (const Cell& cell : group.cells) {
      if (cell.threads == most_threads) deciding.push_back(&cell);
      share += budget_.share(cell, recording_.spent());
    }
    const bool thorough = options_.rigor >= Rigor::patient;
    if (thorough) {
      const double begin = recording_.spent();
      for (const RegisterTile& tile : tiles) {
        for (const Cell* cell : deciding) {
          const double seconds = search_share / static_cast<double>(tiles.size()) * budget_.share(*cell, begin);
          found_.emplace(std::pair(cell, tile.nr), search(*cell, tile.nr, seconds));
        }
      }
    }
    // All comparisons together have a seventh of the group's time, and each no more than it needs among loud
    // neighbours.
    const double seconds =
        std::min(thorough ? 10.0 : 2.0, share / 7 / static_cast<double>((tiles.size() - 1) * deciding.size()));
    for (const RegisterTile& tile : tiles.subspan(1)) {
      std::vector<Ratio> ratios;
      bool slower = false;
      for (const Cell* cell : deciding) {
        show(*cell);
        const PairedComparison compared =
            compare(PairedComparison(thorough ? thorough_width_pairs : width_pairs), PairPurpose::width, *cell,
                    slice(*cell), known_plan(*cell, tile.nr), known_plan(*cell, best), seconds);
        ratios.push_back(compared.outcome().ratio);
        slower = slower || judge(ratios.back()) == Verdict::slower;
      }
      // Another width is chosen only if it is proven better over all M and slower for none.
      if (!slower && judge(mean_ratio(ratios)) == Verdict::faster) best = tile.nr;
    }
    // Cells that were finished before decide for those that were not.
    for (const Cell& cell : group.cells)
      if (const FinishedCell* finished = recording_.finished(cell)) return finished->plan.row.plan.tiling.nr;
    return best;
  }

  [[nodiscard]] Plan known_plan(const Cell& cell, std::uint32_t nr) const {
    const auto found = found_.find({&cell, nr});
    return found != found_.end() ? found->second.plan : first_candidate(setting(cell, slice(cell), nr));
  }

  Found search(const Cell& cell, std::uint32_t nr, double seconds) {
    const Shape shape = slice(cell);
    const double end = recording_.spent() + seconds;
    Search search(setting(cell, shape, nr),
                  {.seed = options_.seed, .strategy = options_.strategy, .rigor = options_.rigor});
    for (auto plan = search.next(); plan && recording_.spent() < end && !backend_.interrupted(); plan = search.next()) {
      show(cell);
      const Timed timed = recording_.time(cell, shape, *plan);
      budget_.learn(cell, shape, timed.cost_ns * 1e-9);
      search.report(timed.cost_ns);
    }
    return {search.best(), search.trials(), search.trials() != 0 || !search.next()};
  }

  // Takes pairs in random order until the comparison is over or the time is up, but at least three.
  PairedComparison compare(PairedComparison comparison, PairPurpose purpose, const Cell& cell, Shape shape,
                           const Plan& a, const Plan& b, double seconds) {
    const double end = recording_.spent() + seconds;
    while (!comparison.over() && (!comparison.conclusive() || recording_.spent() < end) && !backend_.interrupted()) {
      const bool b_first = (random_() & 1U) != 0;
      comparison.add(recording_.time_pair(purpose, cell, shape, a, b, b_first));
    }
    return comparison;
  }

  // Searches, and validates until there is a result. The rest of the cell's time is kept for more pairs of the
  // validation.
  void run_cell(const Cell& cell, std::uint32_t nr) {
    // The order of pairs does not depend on what was measured before, so that reusing other cells changes nothing here.
    random_.seed(options_.seed + cells_begun_);
    const double begin = recording_.spent();
    const double end = begin + budget_.share(cell, begin + kept_);
    const Plan start = first_candidate(setting(cell, cell.shape, nr));
    if (options_.rigor == Rigor::estimate) {
      return finish(cell, {{options_.isa, cell.kind, cell.shape, m_bucket(cell.m), cell.threads, start}, std::nullopt},
                    std::nullopt);
    }
    const auto known = found_.find({&cell, nr});
    Found searched = known != found_.end() ? known->second : search(cell, nr, search_share * (end - begin));
    if (backend_.interrupted()) return;
    // The search may have had no time, or bad luck. The validation will compare the plan with the analytical one.
    if (const std::optional<Plan> elsewhere = found_elsewhere(cell, nr); elsewhere && *elsewhere != searched.plan) {
      const double quarter = std::max(0.0, end - recording_.spent()) / 4;
      if (searched.plan == start || judge(compare(PairedComparison(start_pairs), PairPurpose::validation, cell,
                                                  cell.shape, *elsewhere, searched.plan, quarter)
                                              .outcome()
                                              .ratio) == Verdict::faster)
        searched.plan = *elsewhere;
      if (backend_.interrupted()) return;
    }
    const Plan baseline = first_candidate(setting(cell, cell.shape, 0));
    ValidationTask task{searched.plan, baseline, start == baseline, searched.trials, searched.searched};
    task.verified = verify(cell, task, start);
    if (task.chosen != start && !task.baseline_usable) {
      const double half = std::max(0.0, end - recording_.spent()) / 2;
      const PairedComparison comparison =
          compare(PairedComparison(start_pairs), PairPurpose::validation, cell, cell.shape, task.chosen, start, half);
      if (judge(comparison.outcome().ratio) != Verdict::faster) task.chosen = start;
    }
    PlanValidation validation(options_.isa, cell, task, options_.seed + cells_begun_);
    const double first_end = recording_.spent() + (end - recording_.spent()) / 4;
    while (!validation.conclusive() || (validation.pairs() < first_pairs && recording_.spent() < first_end)) {
      if (backend_.interrupted()) break;
      validation.add_pair(recording_);
    }
    if (!validation.conclusive()) return;
    // The best plan so far is kept in case the tuning ends here.
    if (validation.verified()) options_.done(validation.result(), false);
    if (!validation.same() && cells_begun_ % self_check_interval == 0 && recording_.spent() < end)
      validation.checked(self_check(cell, start));
    kept_ += std::max(0.0, end - recording_.spent());
    validations_.push_back(std::move(validation));
  }

  // A plan of which the journal holds a pair was verified then. It is verified again at the end, so that the time of
  // its validation is not spent on it here.
  bool verify(const Cell& cell, const ValidationTask& task, const Plan& start) {
    const bool twice = task.chosen != start && !task.baseline_usable;
    const PairPurpose purpose = task.chosen == task.baseline ? PairPurpose::self_check : PairPurpose::validation;
    if (recording_.holds(purpose, cell, cell.shape, task.chosen, twice ? start : task.baseline)) return false;
    backend_.verify(cell, task.chosen);
    if (task.chosen != start) backend_.verify(cell, start);
    return true;
  }

  // Compares a plan with itself, which tells how often the tuner finds a difference where there is none.
  std::optional<Verdict> self_check(const Cell& cell, const Plan& plan) {
    const PairedComparison check =
        compare(PairedComparison(self_check_pairs), PairPurpose::self_check, cell, cell.shape, plan, plan, 0.3);
    if (!check.conclusive()) return std::nullopt;
    return judge(check.outcome().ratio);
  }

  // Takes one pair of each cell in turn, so that every validation is spread over all the time there is for them. A
  // machine's speed drifts by several percent between one window of five seconds and the next, which the pairs of one
  // stretch do not see.
  void validate_in_turns() {
    const double end = recording_.spent() + kept_;
    const auto goes_on = [&] { return !backend_.interrupted() && recording_.spent() < end; };
    while (goes_on() && !std::ranges::all_of(validations_, &PlanValidation::over)) {
      for (PlanValidation& validation : validations_) {
        if (validation.over() || !goes_on()) continue;
        show(validation.cell());
        validation.add_pair(recording_);
      }
    }
    for (const PlanValidation& validation : validations_) conclude(validation);
    validations_.clear();
    kept_ = 0;
  }

  void conclude(const PlanValidation& validation) {
    if (!validation.verified() && backend_.interrupted()) return;
    if (!validation.verified()) backend_.verify(validation.cell(), validation.result().row.plan);
    // If the tuning was interrupted, the comparison goes on when it is resumed. A cell without a search is not recorded
    // as finished, or it would never be searched; its pairs are recorded and count when there is more time.
    if (!backend_.interrupted() && validation.searched())
      return finish(validation.cell(), validation.result(), validation.self_check());
    if (!validation.searched()) report_.untuned.push_back(validation.cell());
    options_.done(validation.result(), !backend_.interrupted());
  }

  void finish(const Cell& cell, const ProfilePlan& plan, std::optional<Verdict> self_check) {
    recording_.finish(cell, plan, self_check);
    report_finished({cell, plan, self_check, 0});
  }

  void report_finished(const FinishedCell& finished) {
    if (finished.self_check) {
      ++report_.self_checks;
      const bool differs = *finished.self_check == Verdict::faster || *finished.self_check == Verdict::slower;
      report_.false_alarms += differs ? 1 : 0;
    }
    finished_rows_.push_back(finished.plan.row);
    options_.done(finished.plan, true);
  }

  const TuneOptions& options_;
  MeasurementBackend& backend_;
  Recording recording_;
  Budget budget_;
  TuneReport report_;
  std::mt19937_64 random_;
  std::size_t cells_begun_ = 0;
  std::vector<PlanValidation> validations_;                       // of the group, not yet concluded
  std::vector<PlanRow> finished_rows_;                            // of all groups so far
  double kept_ = 0;                                               // seconds for them
  std::map<std::pair<const Cell*, std::uint32_t>, Found> found_;  // of the group, by cell and panel width
};

}  // namespace

TuneReport tune(const std::vector<Cell>& cells, const TuneOptions& options, MeasurementBackend& backend,
                Journal* journal) {
  Tuner tuner(cells, options, backend, journal);
  const std::vector<CellGroup> groups = grouped(cells);
  for (const CellGroup& group : groups) {
    if (backend.interrupted()) break;
    tuner.run(group);
  }
  return tuner.end();
}

}  // namespace sluice::tuner
