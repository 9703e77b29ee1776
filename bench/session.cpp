#include "bench/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>
#include <utility>

#include "tuner/failure.hpp"
#include "tuner/interruption.hpp"
#include "tuner/statistics.hpp"

namespace sluice::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// What a sample of the cell costs, in arbitrary units: time at the roof of an assumed 40 FLOPs per byte.
double weight(const tuner::Cell& cell) {
  return std::max(flops(cell.kind, cell.shape, cell.m) / 4, bytes(cell.kind, cell.shape, cell.m) * 10) / cell.threads;
}

std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
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

Session::Place& Session::place(const tuner::Cell& cell) {
  const auto same = std::find_if(places_.begin(), places_.end(), [&](const Place& p) {
    return p.layer->shape() == cell.shape && p.layer->gated() == cell.kind.gated;
  });
  if (same != places_.end()) return *same;
  Place& made = places_.emplace_back();
  made.layer = std::make_unique<tuner::Layer>(cell.shape, cell.kind.gated, options_.isa, 0, max_m_,
                                              options_.cold ? clocks_.cold_bytes() : 0, rows_.table());
  if (!options_.peers.empty()) made.shared = std::make_unique<SharedLayer>(*made.layer);
  made.layer->release_unpacked();
  return made;
}

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
    const tuner::Cell& cell = member->cell;
    try {
      tuner::Layer& weights = *place(cell).layer;
      const PlanChoice choice =
          choose_plan(rows_.table(), caches_, options_.isa, cell.kind, cell.shape, cell.m, cell.threads, weights.nr());
      member->plan = choice.plan;
      member->origin = rows_.origin(choice);
      weights.prepare(cell.m, member->plan);
      weights.forward(cell.kind.activation, cell.m, member->plan, clocks_.executor());  // first touch, uncounted
      turns.emplace_back().measurement = member;
      if (!options_.peers.empty()) add_peers(*member, turns);
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
        if (turn.resting) return true;
        const auto calm = std::count_if(turn.samples.begin(), turn.samples.end(),
                                        [&](const auto& sample) { return !clock.contended(sample); });
        return static_cast<std::size_t>(calm) >= options_.samples;
      });
      if (enough) break;
    }
    if (round == qualifying_rounds) {
      rest_slow_peers(turns, clock, round);
      qualifying_rounds *= 2;
    }
    std::shuffle(turns.begin(), turns.end(), random_);
    for (Turn& turn : turns)
      if (!turn.resting) take(turn, round, clock);
    std::erase_if(turns, [](const Turn& turn) { return turn.contender == nullptr && turn.peer != nullptr; });
  }
  // The level is known best at the end: only now are the samples told apart.
  for (const Turn& turn : turns) {
    auto& calm = turn.peer == nullptr ? turn.measurement->calm : turn.peer->calm;
    auto& contended = turn.peer == nullptr ? turn.measurement->contended : turn.peer->contended;
    for (const tuner::Sample& sample : turn.samples) (clock.contended(sample) ? contended : calm).push_back(sample);
  }
  if (!options_.phases) return;
  constexpr std::size_t forwards = 10;
  for (Measurement* member : group) {
    if (!member->error.empty()) continue;
    if (tuner::interrupted()) return;
    tuner::Layer& weights = *place(member->cell).layer;
    member->phases = measure_phases(clock, make_ready(clock, *member), forwards, [&](detail::Phases& phases) {
      weights.forward(member->cell.kind.activation, member->cell.m, member->plan, clocks_.executor(), &phases);
    });
  }
}

// Whoever is this far behind will not turn out the best: three standard errors of a median whose samples scatter by a
// tenth. Without it the others' turns, and Sluice's, come closer together.
void Session::rest_slow_peers(std::vector<Turn>& turns, const tuner::Clock& clock, std::uint32_t rounds) {
  const double hopeless = 1 + 0.37 / std::sqrt(static_cast<double>(rounds));
  const auto calm_median = [&](const Turn& turn) {
    std::vector<double> ns;
    for (const tuner::Sample& sample : turn.samples) ns.push_back(clock.calm_ns(sample));
    return tuner::median(std::move(ns));
  };
  for (Turn& turn : turns) {
    if (turn.peer == nullptr) continue;
    turn.resting = std::any_of(turns.begin(), turns.end(), [&](const Turn& other) {
      return other.peer != nullptr && other.measurement == turn.measurement &&
             calm_median(turn) > hopeless * calm_median(other);
    });
  }
}

tuner::Roof Session::make_ready(tuner::Clock& clock, const Measurement& measurement) {
  const tuner::Cell& cell = measurement.cell;
  if (!options_.cold) {
    // The probe then reads what stays in the cache, and the cells of the group do not find it full of each other.
    tuner::Layer& weights = *place(cell).layer;
    clock.read_from(weights.packed_memory());
    weights.forward(cell.kind.activation, cell.m, measurement.plan, clocks_.executor());
  }
  return clock.binding_roof(flops(cell.kind, cell.shape, cell.m), bytes(cell.kind, cell.shape, cell.m));
}

void Session::add_peers(Measurement& measurement, std::vector<Turn>& turns) {
  const tuner::Cell& cell = measurement.cell;
  const Place& ours = place(cell);
  const auto expected =
      std::make_shared<ExpectedAnswer>(cell.shape, cell.kind, ours.shared->weights(), ours.shared->x(), cell.m,
                                       std::span(ours.layer->y()).first(cell.m * cell.shape.d_model));
  measurement.peers.reserve(options_.peers.size());  // turns point to them
  for (const PeerProgram& program : options_.peers) {
    if (tuner::interrupted()) return;
    PeerMeasurement& peer = measurement.peers.emplace_back();
    peer.peer = program.name;
    try {
      Turn turn{&measurement, &peer, expected, nullptr, {}};
      turn.contender = std::make_unique<Contender>(program, cell, *ours.shared, ours.layer->copies(), *expected);
      peer.version = turn.contender->version();
      peer.note = turn.contender->note();
      peer.variant = turn.contender->variant();
      turns.push_back(std::move(turn));
    } catch (const PeerError& error) {
      fail(measurement, peer, error);
    }
  }
}

void Session::take(Turn& turn, std::uint32_t round, tuner::Clock& clock) {
  if (tuner::interrupted()) return;
  const tuner::Cell& cell = turn.measurement->cell;
  const tuner::Roof roof = make_ready(clock, *turn.measurement);
  const auto forward = [&] {
    place(cell).layer->forward(cell.kind.activation, cell.m, turn.measurement->plan, clocks_.executor());
  };
  tuner::Sample sample;
  try {
    if (turn.contender != nullptr) {
      sample = clock.measure_reported(roof, [&] { return turn.contender->run(); });
      turn.contender->check();
    } else if (options_.peers.empty()) {
      sample = clock.measure(roof, forward);
    } else {
      // As a peer's turn: the second of two forwards counts, with the threads awake and x in the cache.
      sample = clock.measure_reported(roof, [&] {
        forward();
        const auto begin = SteadyClock::now();
        forward();
        return std::chrono::duration<double, std::nano>(SteadyClock::now() - begin).count();
      });
    }
  } catch (const PeerError& error) {
    turn.contender.reset();
    fail(*turn.measurement, *turn.peer, error);
    return;
  }
  sample.round = round;
  turn.samples.push_back(sample);
}

void Session::fail(const Measurement& measurement, PeerMeasurement& peer, const PeerError& error) {
  if (tuner::interrupted()) return;  // it was ended, it did not fail
  peer.error = one_line(error.message);
  fmt::print(stderr, "sluice bench: warning: {} at {}: {}\n", peer.peer, measurement.name, peer.error);
}

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
