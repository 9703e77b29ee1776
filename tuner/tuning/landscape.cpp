#include "tuner/tuning/landscape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tuner/measurement/statistics.hpp"
#include "tuner/search/race.hpp"
#include "tuner/workload/cell.hpp"

namespace sluice::tuner {
namespace {

std::vector<double> pick(const std::vector<double>& costs, const std::vector<std::size_t>& rounds) {
  std::vector<double> picked;
  picked.reserve(rounds.size());
  for (const std::size_t round : rounds) picked.push_back(costs[round]);
  return picked;
}

}  // namespace

Landscape::Landscape(const Setting& setting, const std::vector<Plan>& plans,
                     const std::vector<std::vector<double>>& costs, std::vector<double> series)
    : space_(std::make_shared<const JointSpace>(setting, plans)), series_(std::move(series)) {
  costs_.resize(space_->size());
  for (std::size_t i = 0; i < plans.size(); ++i) costs_[*space_->find(plans[i])] = costs[i];
}

std::string Landscape::name() const {
  const Setting& s = setting();
  return fmt::format("{} {} M={} t={} {}", kind_name(s.kind), shape_name(s.shape), s.m, s.max_threads,
                     sluice::name(s.isa));
}

Replay replay(const Landscape& landscape, const Search::Options& options) {
  const JointSpace& space = *landscape.space();
  std::mt19937_64 random(options.seed);
  std::vector<std::size_t> known(landscape.rounds());
  std::iota(known.begin(), known.end(), std::size_t{0});
  std::shuffle(known.begin(), known.end(), random);
  const std::vector<std::size_t> judging(known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2), known.end());
  known.resize(known.size() / 2);

  std::vector<std::vector<double>> answers;
  for (const std::vector<double>& costs : landscape.costs()) {
    answers.push_back(pick(costs, known));
    std::shuffle(answers.back().begin(), answers.back().end(), random);
  }
  std::vector<std::size_t> asked(space.size(), 0);
  Search search(landscape.space(), options);
  while (const auto plan = search.next()) {
    const std::size_t i = *space.find(*plan);
    search.report(answers[i][asked[i]++ % answers[i].size()]);
  }

  std::size_t best = 0;
  double least = quantile(answers[0], typical);
  for (std::size_t i = 1; i < answers.size(); ++i) {
    const double cost = quantile(answers[i], typical);
    if (cost >= least) continue;
    least = cost;
    best = i;
  }
  const auto judged = [&](std::size_t plan) { return quantile(pick(landscape.costs()[plan], judging), typical); };
  return {search.best(), search.trials(), judged(*space.find(search.best())) / judged(best) - 1};
}

ReplaySummary replay_many(const Landscape& landscape, Strategy strategy, Rigor rigor, std::size_t count) {
  std::vector<double> regrets;
  double logs = 0;
  double trials = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    const Replay one = replay(landscape, {.seed = seed, .strategy = strategy, .rigor = rigor});
    regrets.push_back(one.regret);
    logs += std::log1p(one.regret);
    trials += static_cast<double>(one.trials);
  }
  const auto n = static_cast<double>(count);
  return {std::expm1(logs / n), median(regrets), *std::max_element(regrets.begin(), regrets.end()), trials / n};
}

}  // namespace sluice::tuner
