#include "bench/samples/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tuner/measurement/statistics.hpp"

namespace sluice::bench {

Schedule::Schedule(const std::vector<double>& weights, std::uint64_t seed) : random_(seed) {
  for (const double weight : weights) groups_.push_back({weight});
}

bool Schedule::over() const { return std::ranges::all_of(groups_, &Group::finished); }

double Schedule::noise(const Group& group) {
  return group.half_width * group.half_width * group.seconds / group.weight;
}

// An interval narrows with the root of the time, so intervals come out equally wide when each group has time in
// proportion to the variance that a second of it leaves.
std::size_t Schedule::next() {
  std::vector<double> known;
  for (const Group& group : groups_)
    if (noise(group) > 0) known.push_back(noise(group));
  const double usual = tuner::median(known);
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    if (group.finished) continue;
    const double favour = noise(group) > 0 ? std::clamp(noise(group) / usual, 1 / most_favour, most_favour) : 1;
    const double had = group.seconds / (group.weight * favour);
    if (had > least) continue;
    if (had < least) candidates.clear();
    least = had;
    candidates.push_back(i);
  }
  return candidates[std::uniform_int_distribution<std::size_t>(0, candidates.size() - 1)(random_)];
}

void Schedule::spent(std::size_t group, double seconds, double half_width) {
  groups_[group].seconds += seconds;
  groups_[group].half_width = std::isfinite(half_width) ? half_width : 0;
}

void Schedule::finish(std::size_t group) { groups_[group].finished = true; }

}  // namespace sluice::bench
