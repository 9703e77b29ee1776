#include "tuner/search/race.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tuner/measurement/statistics.hpp"

namespace sluice::tuner {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// How far behind the leader an entrant may be after a round without dropping out. Single costs scatter by some percent.
double patience(std::size_t rounds) { return rounds == 1 ? 1.15 : rounds == 2 ? 1.06 : 1.03; }

// The share of rounds in which a winner must be ahead of the incumbent. Of two equal plans, one is ahead that often by
// luck in less than a quarter of the races of seven rounds.
constexpr double convincing = 0.6;

}  // namespace

Race::Race(const std::vector<std::size_t>& plans, const Rules& rules, std::mt19937_64& random) : rules_(rules) {
  for (const std::size_t plan : plans) entrants_.push_back({plan, {}, true});
  begin_round(random);
}

void Race::begin_round(std::mt19937_64& random) {
  order_.clear();
  for (std::size_t i = 0; i < entrants_.size(); ++i)
    if (entrants_[i].racing) order_.push_back(i);
  std::shuffle(order_.begin(), order_.end(), random);
  turn_ = 0;
}

void Race::report(double cost, std::mt19937_64& random) {
  entrants_[order_[turn_]].costs.push_back(cost);
  if (++turn_ != order_.size()) return;
  end_round();
  const auto racing = std::count_if(entrants_.begin(), entrants_.end(), [](const Entrant& e) { return e.racing; });
  if (round_ < rules_.rounds && racing > 1) begin_round(random);
}

std::vector<double> Race::scores() const {
  std::vector<std::vector<double>> ratios(entrants_.size());
  for (std::size_t round = 0; round < round_; ++round) {
    std::vector<double> costs;
    for (const Entrant& entrant : entrants_)
      if (entrant.racing && std::isfinite(entrant.costs[round])) costs.push_back(entrant.costs[round]);
    const double level = costs.empty() ? 1 : median(costs);
    for (std::size_t i = 0; i < entrants_.size(); ++i)
      if (entrants_[i].racing) ratios[i].push_back(entrants_[i].costs[round] / level);
  }
  std::vector<double> scores(entrants_.size(), infinity);
  for (std::size_t i = 0; i < entrants_.size(); ++i) {
    if (ratios[i].empty()) continue;
    // A quantile without interpolation, which could form infinity minus infinity.
    const double rank = typical * static_cast<double>(ratios[i].size() - 1);
    const auto middle = ratios[i].begin() + std::lround(rank);
    std::nth_element(ratios[i].begin(), middle, ratios[i].end());
    scores[i] = *middle;
  }
  return scores;
}

void Race::end_round() {
  ++round_;
  const std::vector<double> score = scores();
  const double leader = *std::min_element(score.begin(), score.end());
  std::vector<double> staying;
  for (std::size_t i = 1; i < entrants_.size(); ++i) {
    Entrant& entrant = entrants_[i];
    entrant.racing =
        entrant.racing && std::isfinite(score[i]) && (!rules_.drop_slow || score[i] <= leader * patience(round_));
    if (entrant.racing) staying.push_back(score[i]);
  }
  const auto share = static_cast<std::size_t>(std::ceil(static_cast<double>(staying.size()) * rules_.keep_share));
  const std::size_t kept = std::max(share, rules_.keep_least);
  if (kept >= staying.size()) return;
  std::nth_element(staying.begin(), staying.begin() + static_cast<std::ptrdiff_t>(kept), staying.end());
  const double limit = staying[kept];
  for (std::size_t i = 1; i < entrants_.size(); ++i)
    if (score[i] >= limit) entrants_[i].racing = false;
}

std::vector<std::size_t> Race::leaders(std::size_t most) const {
  const std::vector<double> score = scores();
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < entrants_.size(); ++i)
    if (std::isfinite(score[i])) places.push_back(i);
  std::ranges::stable_sort(places, {}, [&](std::size_t i) { return score[i]; });
  places.resize(std::min(places.size(), most));
  std::vector<std::size_t> plans;
  plans.reserve(places.size());
  for (const std::size_t place : places) plans.push_back(entrants_[place].plan);
  return plans;
}

std::size_t Race::winner(double margin) const {
  if (entrants_.empty() || !decided()) return entrants_.empty() ? 0 : entrants_[0].plan;
  const std::vector<double> score = scores();
  std::size_t best = 0;
  double limit = score[0] * (1 - margin);
  for (std::size_t i = 1; i < entrants_.size(); ++i) {
    if (!(score[i] < limit)) continue;
    std::size_t ahead = 0;
    for (std::size_t round = 0; round < round_; ++round)
      ahead += entrants_[i].costs[round] < entrants_[0].costs[round] ? 1 : 0;
    if (static_cast<double>(ahead) < convincing * static_cast<double>(round_)) continue;
    limit = score[i];
    best = i;
  }
  return entrants_[best].plan;
}

}  // namespace sluice::tuner
