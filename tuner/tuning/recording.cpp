#include "tuner/tuning/recording.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

std::string cell_key(Kind kind, Shape shape, std::size_t m, std::uint32_t threads) {
  return fmt::format("{} {}x{} {} {}", kind_name(kind), shape.d_model, shape.d_ff, m, threads);
}

std::string cell_key(const Cell& cell) { return cell_key(cell.kind, cell.shape, cell.m, cell.threads); }
std::string cell_key(const PlanRow& row, std::size_t d_ff) {
  return cell_key(row.kind, {row.shape.d_model, d_ff}, row.m, row.max_threads);
}

std::string key(const PlanRow& row, std::size_t d_ff) {
  return fmt::format("{} {} {}", cell_key(row, d_ff), row.shape.d_ff, to_json(row.plan).dump());
}

std::string key(PairPurpose purpose, const PlanRow& row, const Plan& b, std::size_t d_ff) {
  return fmt::format("{} {} {}", static_cast<int>(purpose), key(row, d_ff), to_json(b).dump());
}

std::string with_round(const std::string& key, std::uint32_t round) { return fmt::format("{} {}", key, round); }

}  // namespace

Recording::Recording(Isa isa, MeasurementBackend& backend, Journal* journal)
    : isa_(isa), backend_(backend), journal_(journal) {
  if (journal == nullptr) return;
  const JournalContents& contents = journal->contents();
  for (const Trial& trial : contents.trials)
    trials_.emplace(with_round(key(trial.row, trial.d_ff), trial.round), trial);
  for (const Pair& pair : contents.pairs)
    pairs_.emplace(with_round(key(pair.purpose, pair.row, pair.b, pair.d_ff), pair.round), pair);
  finished_ = contents.finished;
}

PlanRow Recording::row(const Cell& cell, Shape shape, const Plan& plan) const {
  return {isa_, cell.kind, shape, static_cast<std::uint32_t>(cell.m), cell.threads, plan};
}

Timed Recording::time(const Cell& cell, Shape shape, const Plan& plan) {
  const PlanRow row = this->row(cell, shape, plan);
  const std::string asked = key(row, cell.shape.d_ff);
  const std::uint32_t round = rounds_[asked]++;
  if (const auto known = trials_.find(with_round(asked, round)); known != trials_.end()) {
    const Trial trial = known->second;
    trials_.erase(known);
    spent_ += std::chrono::nanoseconds(trial.took_ns);
    return {trial.cost_ns, trial.roof_fraction, trial.contended};
  }
  const Timed timed = backend_.time(cell, shape, plan);
  const std::int64_t took = lap();
  if (journal_ != nullptr) {
    journal_->append(Trial{row, cell.shape.d_ff, timed.cost_ns, timed.roof_fraction, timed.contended, round, took});
  }
  return timed;
}

TimedPair Recording::time_pair(PairPurpose purpose, const Cell& cell, Shape shape, const Plan& a, const Plan& b,
                               bool b_first) {
  const PlanRow row = this->row(cell, shape, a);
  const std::string asked = key(purpose, row, b, cell.shape.d_ff);
  const std::uint32_t round = rounds_[asked]++;
  if (const auto known = pairs_.find(with_round(asked, round)); known != pairs_.end()) {
    const Pair pair = known->second;
    pairs_.erase(known);
    spent_ += std::chrono::nanoseconds(pair.took_ns);
    return {{pair.sample_a.cost_ns, pair.sample_a.roof_fraction, pair.contended},
            {pair.sample_b.cost_ns, pair.sample_b.roof_fraction, pair.contended}};
  }
  const TimedPair timed = backend_.time_pair(cell, shape, a, b, b_first);
  const bool contended = timed.a.contended || timed.b.contended;
  const std::int64_t took = lap();
  if (journal_ != nullptr) {
    journal_->append(Pair{purpose,
                          row,
                          b,
                          cell.shape.d_ff,
                          {timed.a.cost_ns, timed.a.roof_fraction},
                          {timed.b.cost_ns, timed.b.roof_fraction},
                          contended,
                          round,
                          took});
  }
  return timed;
}

bool Recording::holds(PairPurpose purpose, const Cell& cell, Shape shape, const Plan& a, const Plan& b) const {
  const std::string asked = key(purpose, row(cell, shape, a), b, cell.shape.d_ff);
  const auto round = rounds_.find(asked);
  return pairs_.contains(with_round(asked, round == rounds_.end() ? 0 : round->second));
}

bool Recording::begun(const Cell& cell) const {
  const std::string mine = cell_key(cell);
  const auto trial = trials_.lower_bound(mine + ' ');
  if (trial != trials_.end() && trial->first.starts_with(mine + ' ')) return true;
  return std::ranges::any_of(pairs_,
                             [&](const auto& asked) { return cell_key(asked.second.row, asked.second.d_ff) == mine; });
}

const FinishedCell* Recording::finished(const Cell& cell) const {
  // The last record counts, because a cell may have been finished again with more time.
  const auto found = std::find_if(finished_.rbegin(), finished_.rend(), [&](const FinishedCell& finished) {
    return cell_key(finished.cell) == cell_key(cell);
  });
  return found == finished_.rend() ? nullptr : &*found;
}

std::vector<double> Recording::count_as_spent(const Cell& cell) {
  const std::string mine = cell_key(cell);
  std::vector<double> costs;
  // The keys of a cell's trials begin with the key of the cell.
  const std::string prefix = mine + ' ';
  for (auto known = trials_.lower_bound(prefix); known != trials_.end() && known->first.starts_with(prefix); ++known) {
    spent_ += std::chrono::nanoseconds(known->second.took_ns);
    costs.push_back(known->second.cost_ns);
  }
  for (const auto& [asked, pair] : pairs_)
    if (cell_key(pair.row, pair.d_ff) == mine) spent_ += std::chrono::nanoseconds(pair.took_ns);
  if (const FinishedCell* known = finished(cell)) spent_ += std::chrono::nanoseconds(known->took_ns);
  return costs;
}

void Recording::finish(const Cell& cell, const ProfilePlan& plan, std::optional<Verdict> self_check) {
  const FinishedCell* const known = finished(cell);
  if (known != nullptr && to_json(known->plan) == to_json(plan) && known->self_check == self_check) {
    spent_ += std::chrono::nanoseconds(known->took_ns);
    return;
  }
  const std::int64_t took = lap();
  if (journal_ != nullptr) journal_->append(FinishedCell{cell, plan, self_check, took});
}

void Recording::finish_all() {
  if (journal_ != nullptr && !journal_->contents().ended) journal_->append_end();
}

std::int64_t Recording::lap() {
  const std::chrono::nanoseconds now = backend_.elapsed();
  const std::chrono::nanoseconds took = now - last_;
  last_ = now;
  spent_ += took;
  return took.count();
}

}  // namespace sluice::tuner
