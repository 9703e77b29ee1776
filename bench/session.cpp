#include "bench/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "tuner/failure.hpp"
#include "tuner/interruption.hpp"

namespace sluice::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// What a sample of the cell costs, in arbitrary units: time at the roof of an assumed 40 FLOPs per byte.
double weight(const tuner::Cell& cell) {
  return std::max(flops(cell.kind, cell.shape, cell.m) / 4, bytes(cell.kind, cell.shape, cell.m) * 10) / cell.threads;
}

bool same_group(const tuner::Cell& a, const tuner::Cell& b) {
  return a.shape.d_model == b.shape.d_model && a.m == b.m && a.threads == b.threads;
}

}  // namespace

Session::Session(const std::vector<tuner::Cell>& cells, const tuner::UsableRows& rows, const tuner::Machine& machine,
                 tuner::Clocks& clocks, const SessionOptions& options)
    : options_(options),
      rows_(rows),
      caches_(machine.cache_sizes()),
      clocks_(clocks),
      random_(options.seed),
      wanted_(cells.size(), true),
      end_(SteadyClock::now() +
           std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(options.budget_seconds))) {
  caches_.hold_weights = !options.cold;
  for (const tuner::Cell& cell : cells) {
    Measurement measurement;
    measurement.cell = cell;
    measurement.name = fmt::format("ffn/{}/{}/{}/M{}/t{}", sluice::name(cell.kind), sluice::name(options.isa),
                                   tuner::shape_name(cell.shape), cell.m, cell.threads);
    measurements_.push_back(std::move(measurement));
    max_m_ = std::max(max_m_, cell.m);
  }
}

void Session::keep_only(const std::vector<bool>& wanted) { wanted_ = wanted; }

double Session::seconds_for(const std::vector<Measurement*>& group) const {
  if (options_.budget_seconds <= 0) return std::numeric_limits<double>::infinity();
  const double left = std::chrono::duration<double>(end_ - SteadyClock::now()).count();
  double open = 0;
  double mine = 0;
  for (std::size_t i = 0; i < measurements_.size(); ++i)
    if (wanted_[i] && !measurements_[i].done) open += weight(measurements_[i].cell);
  for (const Measurement* member : group) mine += weight(member->cell);
  return std::max(0.0, left) * mine / open;
}

const Measurement& Session::measure(std::size_t index) {
  Measurement& first = measurements_[index];
  if (first.done || tuner::interrupted()) return first;
  std::vector<Measurement*> group;
  for (std::size_t i = 0; i < measurements_.size(); ++i)
    if (wanted_[i] && !measurements_[i].done && same_group(measurements_[i].cell, first.cell))
      group.push_back(&measurements_[i]);
  // Layers of other shapes make room first.
  std::erase_if(places_, [&](const Place& p) {
    return std::none_of(group.begin(), group.end(), [&](const Measurement* member) {
      return p.layer->shape() == member->cell.shape && p.layer->gated() == member->cell.kind.gated;
    });
  });
  measure_group(group);
  return first;
}

void Session::measure_group(const std::vector<Measurement*>& group) {
  const auto seconds = seconds_for(group);
  std::vector<Turn> turns;
  for (Measurement* member : group) {
    member->done = true;
    try {
      add_turns(*member, turns);
    } catch (const tuner::Failure& failure) {
      member->error = failure.message;
    }
  }
  if (turns.empty()) return;

  tuner::Clock& clock = clocks_[group.front()->cell.threads];
  const auto begin = SteadyClock::now();
  constexpr std::size_t fewest_rounds = 3;
  std::uint32_t qualifying_rounds = 6;
  for (std::uint32_t round = 0; round < 3 * options_.samples && !tuner::interrupted(); ++round) {
    if (round >= fewest_rounds) {
      if (std::chrono::duration<double>(SteadyClock::now() - begin).count() > seconds) break;
      const bool enough = std::all_of(turns.begin(), turns.end(), [&](const Turn& turn) {
        return turn.resting || calm_rounds(turns, turn, clock) >= options_.samples;
      });
      if (enough) break;
    }
    if (round == qualifying_rounds) {
      rest_slow_peers(turns, clock, round);
      qualifying_rounds *= 2;
    }
    shuffle(turns);
    for (Turn& turn : turns)
      if (!turn.resting) take(turn, round, clock);
    std::erase_if(turns, [](const Turn& turn) { return turn.contender == nullptr && turn.peer != nullptr; });
  }
  // The level is known best at the end: only now are the samples told apart.
  for (const Turn& turn : turns) {
    const auto sort_into = [&](auto& taker) {
      for (const tuner::Sample& sample : turn.samples)
        (clock.contended(sample) ? taker.contended : taker.calm).push_back(sample);
    };
    if (turn.rival != nullptr) {
      sort_into(*turn.rival);
    } else if (turn.peer != nullptr) {
      sort_into(*turn.peer);
    } else {
      sort_into(*turn.measurement);
    }
  }
  if (!options_.phases) return;
  constexpr std::size_t forwards = 10;
  for (Measurement* member : group) {
    if (!member->error.empty()) continue;
    if (tuner::interrupted()) return;
    const tuner::Cell& cell = member->cell;
    tuner::Layer& weights = *place(cell, rows_.table()).layer;
    const tuner::Roof roof = make_ready(clock, cell, weights, member->plan);
    member->phases =
        measure_phases(clock, roof, bytes(cell.kind, cell.shape, cell.m), forwards, [&](detail::Phases& phases) {
          weights.forward(cell.kind.activation, cell.m, member->plan, clocks_.executor(), &phases);
        });
  }
}

std::size_t Session::wanted() const { return static_cast<std::size_t>(std::ranges::count(wanted_, true)); }

std::vector<const Measurement*> Session::measured() const {
  std::vector<const Measurement*> found;
  for (const Measurement& measurement : measurements_)
    if (!measurement.counted().empty()) found.push_back(&measurement);
  return found;
}

double Session::contended_share() const {
  std::size_t contended = 0;
  std::size_t all = 0;
  for (const Measurement& measurement : measurements_) {
    contended += measurement.contended.size();
    all += measurement.contended.size() + measurement.calm.size();
  }
  return all == 0 ? 0 : static_cast<double>(contended) / static_cast<double>(all);
}

}  // namespace sluice::bench
