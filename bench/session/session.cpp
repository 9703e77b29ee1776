#include "bench/session/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "bench/samples/portions.hpp"
#include "bench/samples/schedule.hpp"
#include "tuner/base/failure.hpp"
#include "tuner/base/interruption.hpp"
#include "tuner/machine/limits.hpp"

namespace sluice::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

SteadyClock::duration duration(double seconds) {
  return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
}

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

bool same_group(const tuner::Cell& a, const tuner::Cell& b) {
  return a.shape.d_model == b.shape.d_model && a.m == b.m && a.threads == b.threads;
}

// A run does not end for want of time before every group has this many rounds, since fewer give no interval.
constexpr std::uint32_t fewest_rounds = 3;
// The share of the budget for the phases, if they were asked for.
constexpr double phase_share = 0.08;
constexpr std::size_t most_phase_calls = 10;
constexpr std::size_t fewest_phase_calls = 2;
// The length of a stretch of rounds in one group: long compared with the cost of changing cells (cold caches, other
// threads), short compared with a drift of the machine.
constexpr double stretch_seconds = 0.1;

}  // namespace

Session::Session(const std::vector<tuner::Cell>& cells, const tuner::UsableRows& rows, const tuner::Machine& machine,
                 tuner::Clocks& clocks, const SessionOptions& options)
    : options_(options),
      rows_(rows),
      caches_(machine.cache_sizes()),
      clocks_(clocks),
      random_(options.seed),
      wanted_(cells.size(), true),
      samples_(options.samples.value_or(options.budget_seconds > 0 ? std::numeric_limits<std::size_t>::max()
                                                                   : usual_samples)),
      begin_(SteadyClock::now()) {
  caches_.hold_weights = !options.cold;
  for (const tuner::Cell& cell : cells) {
    Measurement measurement;
    measurement.cell = cell;
    measurement.name = fmt::format("ffn/{}/{}/{}/M{}/t{}{}", sluice::name(cell.kind), sluice::name(options.isa),
                                   tuner::shape_name(cell.shape), cell.m, cell.threads, tuner::type_suffix(cell.kind));
    measurements_.push_back(std::move(measurement));
    max_m_ = std::max(max_m_, cell.m);
  }
}

void Session::keep_only(const std::vector<bool>& wanted) { wanted_ = wanted; }

std::vector<Session::Group> Session::groups() {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < measurements_.size(); ++i) {
    if (!wanted_[i]) continue;
    const auto mine = std::ranges::find_if(
        groups, [&](const Group& group) { return same_group(group.members.front()->cell, measurements_[i].cell); });
    if (mine != groups.end()) {
      mine->members.push_back(&measurements_[i]);
    } else {
      groups.push_back({{&measurements_[i]}});
    }
  }
  return groups;
}

std::vector<std::vector<Session::Group>> Session::parts(std::vector<Group> groups) const {
  // A layer has its copies, and its unpacked weights while it is made.
  const auto layer_bytes = [&](const tuner::Cell& cell) {
    const std::size_t cold = options_.cold ? clocks_.cold_bytes() : 0;
    return tuner::Layer::bytes_needed(cell.shape, cell.kind, max_m_, cold) * (options_.baseline ? 2 : 1);
  };
  double needed = 0;
  std::vector<const tuner::Cell*> seen;
  for (const Group& group : groups) {
    for (const Measurement* member : group.members) {
      const tuner::Cell& cell = member->cell;
      const bool known = std::ranges::any_of(
          seen, [&](const auto* other) { return other->shape == cell.shape && same_packing(other->kind, cell.kind); });
      if (known) continue;
      seen.push_back(&cell);
      needed += layer_bytes(cell);
    }
  }
  const auto available = tuner::available_memory();
  const bool together = !available || needed < 0.8 * static_cast<double>(*available);
  std::vector<std::vector<Group>> parts;
  for (Group& group : groups) {
    // A peer's process holds the weights of its cell, so such groups are measured one by one.
    const auto mine = std::ranges::find_if(parts, [&](const std::vector<Group>& part) {
      return options_.peers.empty() && (together || part.front().members.front()->cell.shape.d_model ==
                                                        group.members.front()->cell.shape.d_model);
    });
    if (mine != parts.end()) {
      mine->push_back(std::move(group));
    } else {
      parts.emplace_back().push_back(std::move(group));
    }
  }
  return parts;
}

void Session::measure(const Progress& progress) {
  if (measured_) return;
  measured_ = true;
  std::vector<std::vector<Group>> all = parts(groups());
  const auto cells_of = [](const std::vector<Group>& part) {
    std::size_t cells = 0;
    for (const Group& group : part) cells += group.members.size();
    return static_cast<double>(cells);
  };
  double open = 0;
  for (const auto& part : all) open += cells_of(part);
  for (auto& part : all) {
    if (tuner::interrupted()) return;
    const double left = options_.budget_seconds - seconds_since(begin_);
    const double share = std::max(0.0, left) * cells_of(part) / open;
    open -= cells_of(part);
    const auto now = SteadyClock::now();
    const bool limited = options_.budget_seconds > 0;
    const auto until = [&](double seconds) {
      return limited ? now + duration(seconds) : SteadyClock::time_point::max();
    };
    measure_part(part, until(options_.phases ? share * (1 - phase_share) : share), progress);
    if (options_.phases) measure_phases(part, until(share));
    part.clear();  // ends the peers before those of the next part begin
  }
}

void Session::prepare(Group& group) {
  for (Measurement* member : group.members) {
    if (tuner::interrupted()) return;
    try {
      add_turns(*member, group.turns);
    } catch (const tuner::Failure& failure) {
      member->error = failure.message;
    }
  }
  // Against a baseline or peers, each cell is a question of its own.
  const bool one_question = options_.peers.empty() && !options_.baseline;
  const auto in_headline = [](const Turn& turn) {
    const Kind kind = turn.measurement->cell.kind;
    return same_function(kind, swiglu) || same_function(kind, relu);
  };
  const bool headline = one_question && std::ranges::any_of(group.turns, in_headline);
  for (Turn& turn : group.turns) turn.headline = !headline || in_headline(turn);
  divide(group);
}

void Session::divide(Group& group) {
  // A peer's process knows no portions, and weights that are to be in the cache are so after a whole forward.
  if (!options_.peers.empty() || !options_.cold || group.turns.empty()) return;
  const tuner::Clock& clock = clocks_[group.members.front()->cell.threads];
  double longest = 0;
  for (const Turn& turn : group.turns) {
    const tuner::Cell& cell = turn.measurement->cell;
    longest = std::max({longest, flops(cell.kind, cell.shape, cell.m) / clock.fma_peak(),
                        bytes(cell.kind, cell.shape, cell.m) / clock.read_bandwidth()});
  }
  group.portions = std::numeric_limits<std::uint32_t>::max();
  for (const Turn& turn : group.turns)
    group.portions = std::min(group.portions, portions(longest, turn.measurement->cell.shape, *turn.plan));
  if (group.portions == 1) return;
  std::vector<Turn> checks;
  for (const Turn& turn : group.turns) {
    turn.measurement->portions = group.portions;
    if (turn.samples != turn.measurement) continue;
    Turn& check = checks.emplace_back();
    check.measurement = turn.measurement;
    check.layer = turn.layer;
    check.plan = turn.plan;
    check.samples = &turn.measurement->wholes;
    check.whole = true;
  }
  std::ranges::move(checks, std::back_inserter(group.turns));
}

void Session::measure_part(std::vector<Group>& part, SteadyClock::time_point end, const Progress& progress) {
  // Layers of other shapes are freed first.
  std::erase_if(weights_, [&](const ShapeWeights& p) {
    return std::ranges::none_of(part, [&](const Group& group) {
      return std::ranges::any_of(group.members, [&](const Measurement* member) {
        return p.layer->shape() == member->cell.shape && same_packing(p.layer->kind(), member->cell.kind);
      });
    });
  });
  std::vector<double> weights;
  for (Group& group : part) {
    progress(done(), group.members.front()->name);
    prepare(group);
    double weight = 0.1;  // an empty group is finished before its first stretch
    for (const Turn& turn : group.turns)
      if (!turn.whole) weight += turn.headline ? 1 : 1.0 / other_turns_every;
    weights.push_back(weight);
  }
  Schedule schedule(weights, options_.seed);
  const auto finish_if_done = [&](std::size_t index) {
    const bool finished =
        std::ranges::all_of(part[index].turns, [](const Turn& turn) { return turn.resting || turn.whole; });
    if (finished) schedule.finish(index);
    return finished;
  };
  for (std::size_t i = 0; i < part.size(); ++i) finish_if_done(i);
  while (!schedule.over() && !tuner::interrupted()) {
    const std::size_t index = schedule.next();
    Group& group = part[index];
    const bool late = SteadyClock::now() >= end;
    if (late && group.rounds >= fewest_rounds) {
      schedule.finish(index);
      continue;
    }
    progress(done(), group.members.front()->name);
    const auto begin = SteadyClock::now();
    bool finished = false;
    double sampled = 0;
    do {
      sampled += take_round(group);
      finished = finish_if_done(index);
    } while (!finished && !tuner::interrupted() && seconds_since(begin) < stretch_seconds);
    schedule.spent(index, sampled, half_width(group));
  }
  // The level is known best at the end, so the samples are marked only now.
  for (Group& group : part) {
    const tuner::Clock& clock = clocks_[group.members.front()->cell.threads];
    for (Measurement* member : group.members) {
      member->mark(clock);
      member->wholes.mark(clock);
      if (member->baseline) member->baseline->mark(clock);
      for (PeerMeasurement& peer : member->peers) peer.mark(clock);
    }
  }
}

void Session::measure_phases(const std::vector<Group>& part, SteadyClock::time_point end) {
  std::vector<std::vector<PhaseShares>> calls(measurements_.size());
  for (std::size_t pass = 0; pass < most_phase_calls; ++pass) {
    for (const Group& group : part) {
      for (Measurement* member : group.members) {
        if (!member->error.empty() || member->samples.empty()) continue;
        if (tuner::interrupted() || (pass >= fewest_phase_calls && SteadyClock::now() >= end)) break;
        const tuner::Cell& cell = member->cell;
        tuner::Layer& weights = *weights_for(cell, rows_.table()).layer;
        make_ready(clocks_[cell.threads], cell, weights, member->plan);
        calls[static_cast<std::size_t>(member - measurements_.data())].push_back(
            shares_of_call(cell.threads, [&](detail::Phases& phases) {
              weights.forward(cell.kind.activation, cell.m, member->plan, clocks_.executor(), &phases);
            }));
      }
    }
  }
  for (std::size_t i = 0; i < calls.size(); ++i)
    if (!calls[i].empty()) measurements_[i].phases = median_shares(calls[i]);
}

double Session::done() const {
  if (options_.budget_seconds > 0) return std::min(1.0, seconds_since(begin_) / options_.budget_seconds);
  double taken = 0;
  for (const Measurement& measurement : measurements_) taken += static_cast<double>(measurement.samples.size());
  return std::min(1.0, taken / (static_cast<double>(samples_) * static_cast<double>(wanted())));
}

std::size_t Session::wanted() const { return static_cast<std::size_t>(std::ranges::count(wanted_, true)); }

std::vector<const Measurement*> Session::measured() const {
  std::vector<const Measurement*> found;
  for (const Measurement& measurement : measurements_)
    if (!measurement.samples.empty()) found.push_back(&measurement);
  return found;
}

double Session::contended_share() const {
  std::size_t contended = 0;
  std::size_t all = 0;
  for (const Measurement& measurement : measurements_) {
    contended += measurement.contended_count();
    all += measurement.samples.size();
  }
  return all == 0 ? 0 : static_cast<double>(contended) / static_cast<double>(all);
}

}  // namespace sluice::bench
