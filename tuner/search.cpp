#include "tuner/search.hpp"

#include <algorithm>
#include <cmath>

#include "tuner/statistics.hpp"

namespace sluice::tuner {
namespace {

// How far behind the leader an alternative may be after a round and stay in: single samples scatter by some percent.
double patience(std::size_t rounds) { return rounds == 1 ? 1.15 : rounds == 2 ? 1.06 : 1.03; }

}  // namespace

Search::Search(const Setting& setting, const Options& options)
    : setting_(setting), options_(options), random_(options.seed), best_(first_candidate(setting)) {
  begin_race();
}

std::optional<Plan> Search::next() {
  if (axis_ == axes().size()) return std::nullopt;
  return entrants_[order_[turn_]].plan;
}

void Search::report(double cost) {
  if (axis_ == axes().size()) return;
  ++trials_;
  entrants_[order_[turn_]].costs.push_back(cost);
  if (++turn_ == order_.size()) end_round();
}

void Search::begin_race() {
  for (; axis_ != axes().size(); ++axis_) {
    const std::vector<Plan> alternatives = candidates(axes()[axis_], setting_, best_);
    if (alternatives.empty()) continue;
    entrants_.assign(1, Entrant{best_, {}, true});
    for (const Plan& plan : alternatives) entrants_.push_back({plan, {}, true});
    round_ = 0;
    begin_round();
    return;
  }
}

void Search::begin_round() {
  order_.clear();
  for (std::size_t i = 0; i < entrants_.size(); ++i)
    if (entrants_[i].racing) order_.push_back(i);
  std::shuffle(order_.begin(), order_.end(), random_);
  turn_ = 0;
}

double Search::ratio(const Entrant& entrant) const {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < entrant.costs.size(); ++i) ratios.push_back(entrant.costs[i] / entrants_[0].costs[i]);
  return median(ratios);
}

void Search::end_round() {
  ++round_;
  double leader = 1;
  for (const Entrant& entrant : entrants_)
    if (entrant.racing) leader = std::min(leader, ratio(entrant));
  std::size_t left = 0;
  for (std::size_t i = 1; i < entrants_.size(); ++i) {
    Entrant& entrant = entrants_[i];
    entrant.racing = entrant.racing && ratio(entrant) <= leader * patience(round_);
    left += entrant.racing ? 1 : 0;
  }
  if (round_ < options_.rounds && left != 0) return begin_round();
  const Entrant* winner = entrants_.data();
  double best_ratio = 1 - options_.margin;
  for (const Entrant& entrant : entrants_) {
    if (!entrant.racing || ratio(entrant) >= best_ratio) continue;
    best_ratio = ratio(entrant);
    winner = &entrant;
  }
  best_ = winner->plan;
  ++axis_;
  begin_race();
}

}  // namespace sluice::tuner
