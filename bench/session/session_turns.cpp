// Owns: the turns of a session: who is measured in a cell, with which weights and plan, and what a turn does.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <span>
#include <utility>

#include "bench/session/session.hpp"
#include "tuner/base/interruption.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/measurement/statistics.hpp"
#include "tuner/search/candidates.hpp"

namespace sluice::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Returns the width of the panels that the weights of the cell are packed in for these plans.
std::uint32_t width(PlanTable plans, Isa isa, const tuner::Cell& cell) {
  const std::uint32_t tuned = tuned_nr(plans, isa, cell.kind, cell.shape);
  return tuned != 0 ? tuned : register_tiles(isa).front().nr;
}

std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

}  // namespace

Session::ShapeWeights& Session::weights_for(const tuner::Cell& cell, PlanTable plans) {
  const std::uint32_t nr = width(plans, options_.isa, cell);
  const auto same = std::find_if(weights_.begin(), weights_.end(), [&](const ShapeWeights& p) {
    return p.layer->shape() == cell.shape && same_packing(p.layer->kind(), cell.kind) && p.layer->nr() == nr;
  });
  if (same != weights_.end()) return *same;
  ShapeWeights& made = weights_.emplace_back();
  made.layer = std::make_unique<tuner::Layer>(cell.shape, cell.kind, options_.isa, nr, max_m_,
                                              options_.cold ? clocks_.cold_bytes() : 0);
  if (!options_.peers.empty()) made.shared = std::make_unique<SharedLayer>(*made.layer);
  made.layer->release_unpacked();
  return made;
}

void Session::add_turns(Measurement& measurement, std::vector<Turn>& turns) {
  const tuner::Cell& cell = measurement.cell;
  tuner::Layer& weights = *weights_for(cell, rows_.table()).layer;
  const PlanChoice choice =
      choose_plan(rows_.table(), caches_, options_.isa, cell.kind, cell.shape, cell.m, cell.threads, weights.nr());
  measurement.plan = choice.plan;
  measurement.origin = rows_.origin(choice);
  const auto touch = [&](tuner::Layer& layer, const Plan& plan) {  // the first forward, which is not counted
    layer.prepare(cell.m, plan);
    layer.forward(cell.kind.activation, cell.m, plan, clocks_.executor());
  };
  touch(weights, measurement.plan);
  tuner::Layer* baselines_weights = nullptr;
  if (options_.baseline) {
    measurement.baseline = plan_baseline(measurement);
    if (!measurement.baseline->same) {
      baselines_weights = weights_for(cell, options_.baseline->rows.table()).layer.get();
      touch(*baselines_weights, measurement.baseline->plan);
    }
  }
  Turn& own = turns.emplace_back();
  own.measurement = &measurement;
  own.layer = &weights;
  own.plan = &measurement.plan;
  own.samples = &measurement;
  if (baselines_weights != nullptr) {
    Turn& other = turns.emplace_back();
    other.measurement = &measurement;
    other.layer = baselines_weights;
    other.plan = &measurement.baseline->plan;
    other.samples = &*measurement.baseline;
  }
  if (!options_.peers.empty()) add_peers(measurement, turns);
}

BaselineMeasurement Session::plan_baseline(const Measurement& measurement) {
  const tuner::Cell& cell = measurement.cell;
  const tuner::UsableRows& rows = options_.baseline->rows;
  const std::uint32_t nr = width(rows.table(), options_.isa, cell);
  const PlanChoice choice =
      choose_plan(rows.table(), caches_, options_.isa, cell.kind, cell.shape, cell.m, cell.threads, nr);
  const tuner::Setting setting{caches_, options_.isa, cell.kind, cell.shape, cell.m, cell.threads, nr};
  BaselineMeasurement baseline;
  baseline.plan = choice.plan;
  baseline.origin = rows.origin(choice);
  baseline.same = clipped(setting, choice.plan) == clipped(setting, measurement.plan);
  return baseline;
}

bool Session::takes_part(const Turn& turn, const Group& group) {
  if (turn.resting) return false;
  // These are as long as what they check, and take a sixth of the headline's time beside it.
  if (turn.whole) return group.rounds % (2 * other_turns_every * group.portions) == 0;
  return turn.headline || group.rounds % other_turns_every == 0;
}

double Session::take_round(Group& group) {
  double ns = 0;
  tuner::Clock& clock = clocks_[group.members.front()->cell.threads];
  shuffle(group.turns);
  for (Turn& turn : group.turns) {
    if (!takes_part(turn, group)) continue;
    ns += take(turn, group.rounds, clock);
    turn.resting = !turn.whole && turn.samples->samples.size() >= samples_;
  }
  std::erase_if(group.turns, [](const Turn& turn) { return turn.prepared == nullptr && turn.peer != nullptr; });
  ++group.rounds;
  constexpr std::uint32_t qualifying_rounds = 6;
  for (std::uint32_t rounds = qualifying_rounds; rounds <= group.rounds; rounds *= 2)
    if (rounds == group.rounds) rest_slow_peers(group.turns, rounds);
  return ns * 1e-9;
}

void Session::shuffle(std::vector<Turn>& turns) {
  std::shuffle(turns.begin(), turns.end(), random_);
  // A block is placed where its first member was drawn.
  const bool by_cell = options_.baseline.has_value();
  for (auto first = turns.begin(); first != turns.end();) {
    const Measurement* const cell = first->measurement;
    const bool headline = first->headline;
    first = std::stable_partition(std::next(first), turns.end(), [&](const Turn& turn) {
      return by_cell ? turn.measurement == cell : headline && turn.headline;
    });
  }
}

namespace {

// Whether the report compares the cells: a gated kind with a plain one of the same type of weights, or a kind with
// itself with float32 weights.
bool compared(const tuner::Cell& cell, const tuner::Cell& other) {
  if (cell.kind.weights == other.kind.weights && cell.kind.arithmetic == other.kind.arithmetic)
    return cell.kind.gated && !other.kind.gated;
  return other.kind.weights == WeightType::f32 && same_function(cell.kind, other.kind) && cell.shape == other.shape;
}

}  // namespace

double Session::half_width(const Group& group) const {
  const auto own = [](const Turn& turn) { return turn.peer == nullptr && turn.samples == turn.measurement; };
  const auto half_width_of = [](const SampleSet& a, const SampleSet& b) {
    return ratio_by_round(a.samples, b.samples).half_width();
  };
  double widest = 0;
  for (const Turn& turn : group.turns) {
    if (!turn.headline || !own(turn)) continue;
    const Measurement& cell = *turn.measurement;
    if (cell.baseline && !cell.baseline->same) widest = std::max(widest, half_width_of(cell, *cell.baseline));
    for (const Turn& other : group.turns)
      if (other.headline && own(other) && compared(cell.cell, other.measurement->cell))
        widest = std::max(widest, half_width_of(cell, *other.measurement));
  }
  return widest;
}

void Session::add_peers(Measurement& measurement, std::vector<Turn>& turns) {
  const tuner::Cell& cell = measurement.cell;
  const ShapeWeights& ours = weights_for(cell, rows_.table());
  const auto expected =
      std::make_shared<ExpectedAnswer>(cell.shape, cell.kind, ours.shared->weights(), ours.shared->x(), cell.m,
                                       std::span(ours.layer->y()).first(cell.m * cell.shape.d_model));
  measurement.peers.reserve(options_.peers.size());  // turns keep pointers to the elements
  for (const PeerProgram& program : options_.peers) {
    if (tuner::interrupted()) return;
    PeerMeasurement& peer = measurement.peers.emplace_back();
    peer.peer = program.name;
    try {
      Turn turn;
      turn.measurement = &measurement;
      turn.layer = ours.layer.get();
      turn.plan = &measurement.plan;
      turn.samples = &peer;
      turn.peer = &peer;
      turn.expected = expected;
      turn.prepared = std::make_unique<PreparedPeer>(program, cell, *ours.shared, ours.layer->copies(), *expected);
      peer.version = turn.prepared->version();
      peer.note = turn.prepared->note();
      peer.variant = turn.prepared->form();
      peer.arithmetic = describe(turn.prepared->rounding());
      peer.distance = turn.prepared->error();
      peer.tolerance = turn.prepared->tolerance();
      peer.left_out = turn.prepared->left_out();
      for (const LeftOut& out : peer.left_out)
        if (!out.refused)
          tuner::write_stderr("sluice bench: warning: {} at {}: without the form {}: {}\n", peer.peer, measurement.name,
                              out.form, one_line(out.reason));
      turns.push_back(std::move(turn));
    } catch (const PeerError& error) {
      fail(measurement, peer, error);
    }
  }
}

// A peer this far behind will not turn out to be the best: three standard errors of a median whose samples scatter by a
// tenth. Without it, the turns of the other peers and of Sluice come closer together.
void Session::rest_slow_peers(std::vector<Turn>& turns, std::uint32_t rounds) {
  const double hopeless = 1 + 0.37 / std::sqrt(static_cast<double>(rounds));
  for (Turn& turn : turns) {
    if (turn.peer == nullptr || turn.resting) continue;
    turn.resting = std::any_of(turns.begin(), turns.end(), [&](const Turn& other) {
      return other.peer != nullptr && other.measurement == turn.measurement &&
             turn.samples->median_ns() > hopeless * other.samples->median_ns();
    });
  }
}

tuner::Roof Session::make_ready(tuner::Clock& clock, const tuner::Cell& cell, tuner::Layer& layer, const Plan& plan) {
  if (!options_.cold) {
    // The probe then reads the memory that stays in the cache, and the cells of a group do not evict each other's
    // weights.
    clock.read_from(layer.packed_memory());
    layer.forward(cell.kind.activation, cell.m, plan, clocks_.executor());
  }
  return clock.binding_roof(flops(cell.kind, cell.shape, cell.m), bytes(cell.kind, cell.shape, cell.m), cell.kind);
}

double Session::take(Turn& turn, std::uint32_t round, tuner::Clock& clock) {
  if (tuner::interrupted()) return 0;
  const tuner::Cell& cell = turn.measurement->cell;
  const tuner::Roof binding = make_ready(clock, cell, *turn.layer, *turn.plan);
  if (!turn.measurement->roof) turn.measurement->roof = binding;
  const tuner::Roof roof = *turn.measurement->roof;
  const double traffic = bytes(cell.kind, cell.shape, cell.m);
  const std::uint32_t portions = turn.whole ? 1 : turn.measurement->portions;
  double work = 1;
  const auto forward = [&] {
    if (portions == 1)
      turn.layer->forward(cell.kind.activation, cell.m, *turn.plan, clocks_.executor());
    else
      work = turn.layer->forward_portion(cell.kind.activation, cell.m, *turn.plan, clocks_.executor(), portions);
  };
  tuner::Sample sample;
  try {
    if (turn.prepared != nullptr) {
      sample = clock.measure_reported(roof, traffic, [&] { return turn.prepared->run(); });
      turn.prepared->check();
    } else if (options_.peers.empty()) {
      sample = clock.measure(roof, traffic / portions, forward);
    } else {
      // As in a peer's turn, the second of two forwards counts, with the threads awake and x in the cache.
      sample = clock.measure_reported(roof, traffic, [&] {
        forward();
        const auto begin = SteadyClock::now();
        forward();
        return std::chrono::duration<double, std::nano>(SteadyClock::now() - begin).count();
      });
    }
  } catch (const PeerError& error) {
    turn.prepared.reset();
    fail(*turn.measurement, *turn.peer, error);
    return 0;
  }
  const double taken = sample.ns;
  sample.ns /= work;
  sample.round = round;
  turn.samples->samples.push_back(sample);
  return taken;
}

void Session::fail(const Measurement& measurement, PeerMeasurement& peer, const PeerError& error) {
  if (tuner::interrupted()) return;  // the run was ended; the peer did not fail
  peer.error = one_line(error.message);
  tuner::write_stderr("sluice bench: warning: {} at {}: {}\n", peer.peer, measurement.name, peer.error);
}

}  // namespace sluice::bench
