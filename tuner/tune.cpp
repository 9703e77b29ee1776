#include "tuner/tune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "tuner/failure.hpp"
#include "tuner/interruption.hpp"
#include "tuner/layer.hpp"
#include "tuner/progress.hpp"
#include "tuner/search.hpp"
#include "tuner/statistics.hpp"

namespace sluice::tuner {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Cells that share packed weights: one shape, gated or not.
struct Group {
  Shape shape;
  bool gated;
  std::vector<Cell> cells;
};

std::vector<Group> group(const std::vector<Cell>& cells) {
  std::vector<Group> groups;
  for (const Cell& cell : cells) {
    auto same = std::find_if(groups.begin(), groups.end(),
                             [&](const Group& g) { return g.shape == cell.shape && g.gated == cell.kind.gated; });
    if (same == groups.end()) same = groups.insert(groups.end(), Group{cell.shape, cell.kind.gated, {}});
    same->cells.push_back(cell);
  }
  return groups;
}

// Trials need not run all of a long problem: what a plan gains shows on a slice of d_ff as well. About 15 ms at an
// assumed 100 GFLOP/s per thread, never below what gives each thread a few panels.
Shape trial_shape(const Group& g) {
  std::size_t max_m = 1;
  for (const Cell& cell : g.cells) max_m = std::max(max_m, cell.m);
  const double column = flops({Activation::silu, g.gated}, {g.shape.d_model, 1}, max_m);
  const auto columns = static_cast<std::size_t>(1.5e9 / column) / 64 * 64;
  return {g.shape.d_model, std::min(g.shape.d_ff, std::max<std::size_t>(columns, 768))};
}

class Tuner {
 public:
  Tuner(const Machine& machine, const TuneOptions& options, Clocks& clocks, std::size_t cell_count,
        const std::function<void(const ProfilePlan&)>& done)
      : caches_(machine.cache_sizes()),
        options_(options),
        clocks_(clocks),
        done_(done),
        random_(options.seed),
        cells_left_(cell_count),
        cell_count_(cell_count),
        end_(SteadyClock::now() +
             std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(options.budget_seconds))) {
  }

  void run(const Group& g) {
    std::size_t max_m = 1;
    std::uint32_t max_threads = 1;
    for (const Cell& cell : g.cells) {
      max_m = std::max(max_m, cell.m);
      max_threads = std::max(max_threads, cell.threads);
    }
    progress_.show(share_done(), fmt::format("packing {}", shape_name(g.shape)), seconds_left());
    const Shape slice = trial_shape(g);
    std::unique_ptr<Layer> trial = choose_width(g, slice, max_m, max_threads);
    std::unique_ptr<Layer> own;  // the whole problem, where the slice is not that already
    if (!(slice == g.shape))
      own = std::make_unique<Layer>(g.shape, g.gated, options_.isa, trial->nr(), max_m, clocks_.cold_bytes());
    Layer& whole = own != nullptr ? *own : *trial;
    for (const Cell& cell : g.cells) {
      if (interrupted()) return;
      run_cell(cell, slice, *trial, whole);
      --cells_left_;
    }
  }

 private:
  [[nodiscard]] double seconds_left() const {
    return std::max(0.0, std::chrono::duration<double>(end_ - SteadyClock::now()).count());
  }
  [[nodiscard]] double share_done() const {
    return 1 - static_cast<double>(cells_left_) / static_cast<double>(cell_count_);
  }

  // The panel width that is faster over all M by the analytical plans: the one choice that all plans of the group
  // share.
  std::unique_ptr<Layer> choose_width(const Group& g, Shape slice, std::size_t max_m, std::uint32_t max_threads) {
    const auto tiles = register_tiles(options_.isa);
    const auto pack = [&](std::uint32_t nr) {
      return std::make_unique<Layer>(slice, g.gated, options_.isa, nr, max_m, clocks_.cold_bytes());
    };
    // Plans that are in the profile already keep their width, or the weights could not be packed for all of them.
    for (const PlanRow& row : options_.kept_rows)
      if (row.isa == options_.isa && row.shape == g.shape && row.kind.gated == g.gated) return pack(row.plan.tiling.nr);
    std::unique_ptr<Layer> best = pack(tiles.front().nr);
    for (std::size_t i = 1; i < tiles.size(); ++i) {
      std::unique_ptr<Layer> other = pack(tiles[i].nr);
      // The geometric mean over M: no M decides alone.
      double log_ratio = 0;
      int compared = 0;
      for (const Cell& cell : g.cells) {
        if (cell.threads != max_threads) continue;
        const Plan a = first_candidate(setting(cell, slice, other->nr()));
        const Plan b = first_candidate(setting(cell, slice, best->nr()));
        const Ratio ratio = duel(cell, slice, {other.get(), a}, {best.get(), b}, 12, 1.0).ratio;
        log_ratio += std::log(ratio.value);
        ++compared;
      }
      if (log_ratio < -0.01 * compared) best = std::move(other);  // a gain worth leaving the preferred width for
    }
    return best;
  }

  [[nodiscard]] Setting setting(const Cell& cell, Shape shape, std::uint32_t nr) const {
    return {caches_, options_.isa, cell.kind, shape, cell.m, cell.threads, nr};
  }

  struct Side {
    Layer* layer;
    Plan plan;
  };
  struct Duel {
    Ratio ratio;  // a over b
    double roof_fraction_a = 0;
    double roof_fraction_b = 0;
    double contended_share = 0;
    std::size_t pairs = 0;
  };

  Sample sample(const Cell& cell, Shape shape, const Side& side) {
    Clock& clock = clocks_[cell.threads];
    const Roof roof = clock.binding_roof(flops(cell.kind, shape, cell.m), bytes(cell.kind, shape, cell.m));
    return clock.measure(roof,
                         [&] { side.layer->forward(cell.kind.activation, cell.m, side.plan, clocks_.executor()); });
  }

  // Pairs of samples in random order, until `pairs` calm ones or the time is up; then contended pairs stand in.
  Duel duel(const Cell& cell, Shape shape, Side a, Side b, std::size_t pairs, double seconds) {
    Clock& clock = clocks_[cell.threads];
    a.layer->prepare(cell.m, a.plan);
    b.layer->prepare(cell.m, b.plan);
    std::vector<std::pair<Sample, Sample>> all;
    std::size_t calm = 0;
    const auto end = SteadyClock::now() + std::chrono::duration<double>(seconds);
    while (calm < pairs && all.size() < 3 * pairs && (all.size() < 3 || SteadyClock::now() < end) && !interrupted()) {
      std::pair<Sample, Sample> pair;
      if ((random_() & 1U) != 0) {
        pair.first = sample(cell, shape, a);
        pair.second = sample(cell, shape, b);
      } else {
        pair.second = sample(cell, shape, b);
        pair.first = sample(cell, shape, a);
      }
      all.push_back(pair);
      calm += clock.contended(pair.first) || clock.contended(pair.second) ? 0 : 1;
    }
    Duel result;
    std::vector<double> times_a;
    std::vector<double> times_b;
    std::vector<double> fractions_a;
    std::vector<double> fractions_b;
    const double work = flops(cell.kind, shape, cell.m);
    const double traffic = bytes(cell.kind, shape, cell.m);
    const auto fraction = [&](const Sample& s) {
      return s.roof == Roof::fma ? clock.fma_fraction(s, work) : clock.read_fraction(s, traffic);
    };
    std::size_t contended_pairs = 0;
    for (const auto& [first, second] : all) {
      const bool contended = clock.contended(first) || clock.contended(second);
      contended_pairs += contended ? 1 : 0;
      if (contended && calm >= 3) continue;
      times_a.push_back(clock.calm_ns(first));
      times_b.push_back(clock.calm_ns(second));
      fractions_a.push_back(fraction(first));
      fractions_b.push_back(fraction(second));
    }
    result.contended_share = all.empty() ? 0 : static_cast<double>(contended_pairs) / static_cast<double>(all.size());
    result.ratio = paired_ratio(times_a, times_b);
    result.roof_fraction_a = median(fractions_a);
    result.roof_fraction_b = median(fractions_b);
    result.pairs = times_a.size();
    return result;
  }

  void run_cell(const Cell& cell, Shape slice, Layer& trial, Layer& whole) {
    const auto begin = SteadyClock::now();
    const double mine = seconds_left() / static_cast<double>(cells_left_);
    const std::string what =
        fmt::format("{} {} M={} t={}", name(cell.kind), shape_name(cell.shape), cell.m, cell.threads);
    Clock& clock = clocks_[cell.threads];

    // Half of the cell's time for the search, the rest for proving its winner.
    Search search(setting(cell, slice, trial.nr()), {.seed = options_.seed});
    const auto search_end = begin + std::chrono::duration<double>(mine * 0.55);
    for (auto plan = search.next(); plan && SteadyClock::now() < search_end && !interrupted(); plan = search.next()) {
      progress_.show(share_done(), what, seconds_left());
      trial.prepare(cell.m, *plan);
      // A contended sample is taken again, twice at most: more often would not end on a busy machine.
      Sample one;
      for (int attempt = 0; attempt < 3; ++attempt) {
        one = sample(cell, slice, {&trial, *plan});
        if (!clock.contended(one)) break;
      }
      search.report(clock.calm_ns(one));
    }

    const Plan start = first_candidate(setting(cell, cell.shape, whole.nr()));
    Plan found = search.best();
    ProfilePlan result{{options_.isa, cell.kind, cell.shape, m_bucket(cell.m), cell.threads, start}, std::nullopt};
    PlanVerification verification = whole.verification(cell.kind.activation, cell.m);
    if (!verification.status().ok()) throw Failure(exit_code::verification_failed, verification.status().message());
    if (const Status status = verification.verify(found, &clocks_.executor()); !status.ok())
      throw Failure(exit_code::verification_failed, fmt::format("{}: {}", what, status.message()));
    const double duel_seconds = std::max(0.3, mine - std::chrono::duration<double>(SteadyClock::now() - begin).count());
    Measured measured{1, 1, 1, Verdict::default_won, 0, static_cast<std::uint32_t>(search.trials()), 0, 0};
    const bool same = found == start;
    const Duel proof = duel(cell, cell.shape, {&whole, found}, {&whole, start}, same ? 4 : 30, duel_seconds);
    measured.roof_fraction = proof.roof_fraction_b;
    measured.contended_share = proof.contended_share;
    measured.pairs = static_cast<std::uint32_t>(proof.pairs);
    // Only what is proven faster replaces the default.
    if (!same && judge(proof.ratio) == Verdict::faster) {
      result.row.plan = found;
      measured.roof_fraction = proof.roof_fraction_a;
      measured.verdict = Verdict::faster;
      measured.ratio_to_default = proof.ratio.value;
      measured.ratio_low = proof.ratio.low;
      measured.ratio_high = proof.ratio.high;
    }
    if (interrupted() && proof.pairs < 3) return;
    result.measured = measured;
    done_(result);
  }

  CacheSizes caches_;
  const TuneOptions& options_;
  Clocks& clocks_;
  const std::function<void(const ProfilePlan&)>& done_;
  std::mt19937_64 random_;
  Progress progress_{"tune"};
  std::size_t cells_left_;
  std::size_t cell_count_;
  SteadyClock::time_point end_;
};

}  // namespace

Clocks::Clocks(Isa isa, const Machine& machine, std::uint32_t max_threads)
    : isa_(isa),
      cold_bytes_(std::min<std::size_t>(3 * machine.cache_sizes().l3, std::size_t{1} << 30U)),
      pool_(max_threads),
      buffer_(std::max<std::size_t>(cold_bytes_, std::size_t{128} << 20U)) {}

Clock& Clocks::operator[](std::uint32_t threads) {
  std::unique_ptr<Clock>& clock = clocks_[threads];
  if (clock == nullptr) clock = std::make_unique<Clock>(isa_, threads, pool_, buffer_);
  return *clock;
}

Roofs Clocks::roofs() const {
  Roofs roofs;
  for (const auto& [threads, clock] : clocks_) {
    roofs.fma.push_back({isa_, threads, clock->fma_peak()});
    for (const std::size_t footprint : clock->footprints())
      roofs.read.push_back({threads, clock->read_bandwidth(footprint), footprint});
  }
  return roofs;
}

void tune(const std::vector<Cell>& cells, const Machine& machine, const TuneOptions& options, Clocks& clocks,
          const std::function<void(const ProfilePlan&)>& done) {
  Tuner tuner(machine, options, clocks, cells.size(), done);
  for (const Group& g : group(cells)) {
    if (interrupted()) return;
    tuner.run(g);
  }
}

}  // namespace sluice::tuner
