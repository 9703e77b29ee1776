#include "bench/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

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

tuner::Layer& Session::layer(const tuner::Cell& cell) {
  const auto same = std::find_if(layers_.begin(), layers_.end(), [&](const auto& l) {
    return l->shape() == cell.shape && l->gated() == cell.kind.gated;
  });
  if (same != layers_.end()) return **same;
  layers_.push_back(std::make_unique<tuner::Layer>(cell.shape, cell.kind.gated, options_.isa, 0, max_m_,
                                                   options_.cold ? clocks_.cold_bytes() : 0, rows_.table()));
  layers_.back()->release_unpacked();
  return *layers_.back();
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
  std::erase_if(layers_, [&](const auto& l) {
    return std::none_of(group.begin(), group.end(), [&](const Measurement* member) {
      return l->shape() == member->cell.shape && l->gated() == member->cell.kind.gated;
    });
  });
  measure_group(group);
  return first;
}

void Session::measure_group(const std::vector<Measurement*>& group) {
  const auto seconds = seconds_for(group);
  std::vector<Measurement*> open;
  for (Measurement* member : group) {
    member->done = true;
    const tuner::Cell& cell = member->cell;
    try {
      tuner::Layer& weights = layer(cell);
      const PlanChoice choice =
          choose_plan(rows_.table(), caches_, options_.isa, cell.kind, cell.shape, cell.m, cell.threads, weights.nr());
      member->plan = choice.plan;
      member->origin = rows_.origin(choice);
      weights.prepare(cell.m, member->plan);
      weights.forward(cell.kind.activation, cell.m, member->plan, clocks_.executor());  // first touch, uncounted
      open.push_back(member);
    } catch (const tuner::Failure& failure) {
      member->error = failure.message;
    }
  }
  if (open.empty()) return;

  tuner::Clock& clock = clocks_[group.front()->cell.threads];
  const auto begin = SteadyClock::now();
  std::vector<std::vector<tuner::Sample>> samples(open.size());
  constexpr std::size_t fewest_rounds = 3;
  for (std::uint32_t round = 0; round < 3 * options_.samples && !tuner::interrupted(); ++round) {
    if (round >= fewest_rounds) {
      if (std::chrono::duration<double>(SteadyClock::now() - begin).count() > seconds) break;
      const bool enough = std::all_of(samples.begin(), samples.end(), [&](const auto& mine) {
        const auto calm = std::count_if(mine.begin(), mine.end(), [&](const auto& s) { return !clock.contended(s); });
        return static_cast<std::size_t>(calm) >= options_.samples;
      });
      if (enough) break;
    }
    std::vector<std::size_t> order(open.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    for (const std::size_t i : order) {
      const tuner::Cell& cell = open[i]->cell;
      tuner::Layer& weights = layer(cell);
      const tuner::Roof roof = make_ready(clock, *open[i]);
      tuner::Sample sample = clock.measure(
          roof, [&] { weights.forward(cell.kind.activation, cell.m, open[i]->plan, clocks_.executor()); });
      sample.round = round;
      samples[i].push_back(sample);
    }
  }
  // The level is known best at the end: only now are the samples told apart.
  for (std::size_t i = 0; i < open.size(); ++i)
    for (const tuner::Sample& sample : samples[i])
      (clock.contended(sample) ? open[i]->contended : open[i]->calm).push_back(sample);
  if (!options_.phases) return;
  constexpr std::size_t forwards = 10;
  for (Measurement* member : open) {
    if (tuner::interrupted()) return;
    tuner::Layer& weights = layer(member->cell);
    member->phases = measure_phases(clock, make_ready(clock, *member), forwards, [&](detail::Phases& phases) {
      weights.forward(member->cell.kind.activation, member->cell.m, member->plan, clocks_.executor(), &phases);
    });
  }
}

tuner::Roof Session::make_ready(tuner::Clock& clock, const Measurement& measurement) {
  const tuner::Cell& cell = measurement.cell;
  if (!options_.cold) {
    // The probe then reads what stays in the cache, and the cells of the group do not find it full of each other.
    tuner::Layer& weights = layer(cell);
    clock.read_from(weights.packed_memory());
    weights.forward(cell.kind.activation, cell.m, measurement.plan, clocks_.executor());
  }
  return clock.binding_roof(flops(cell.kind, cell.shape, cell.m), bytes(cell.kind, cell.shape, cell.m));
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
