// The division of time among groups of cells: fair, early for each group, more where an interval is wide. The time is
// made up.
#include "bench/samples/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace sluice::bench {
namespace {

struct Played {
  std::vector<double> seconds;
  std::vector<std::size_t> stretches;
};

// Plays a schedule until all groups together have taken `budget` seconds. A stretch of a group takes `lengths`; its
// interval is `widths` wide after one second and narrows with the root of its time.
Played play(const std::vector<double>& weights, const std::vector<double>& lengths, const std::vector<double>& widths,
            double budget) {
  Schedule schedule(weights, 1);
  Played played{std::vector<double>(weights.size()), std::vector<std::size_t>(weights.size())};
  for (double spent = 0; spent < budget;) {
    const std::size_t group = schedule.next();
    played.seconds[group] += lengths[group];
    ++played.stretches[group];
    spent += lengths[group];
    schedule.spent(group, lengths[group], widths[group] / std::sqrt(played.seconds[group]));
  }
  return played;
}

TEST(Schedule, EveryGroupHasItsTurnBeforeAnyHasTwo) {
  for (const double budget : {3.0, 10.0, 200.0}) {
    const Played played = play({1, 1, 1, 1}, {0.1, 0.1, 1, 2}, {0.1, 0.1, 0.1, 0.1}, budget);
    const auto [least, most] = std::ranges::minmax(played.seconds);
    EXPECT_GT(*std::ranges::min_element(played.stretches), 0U);
    EXPECT_LE(most - least, 2.1) << budget;  // one stretch of the longest group
  }
}

TEST(Schedule, TimeIsInProportionToTheWeights) {
  const Played played = play({1, 3}, {0.1, 0.1}, {0.1, 0.1}, 100);
  // Both intervals have the same width per second, so the group with three times the weight has three times the time
  // and less noise: 0.5 of the median noise against 1.5.
  EXPECT_NEAR(played.seconds[1] / played.seconds[0], 3 * std::max(0.5, 1 / Schedule::most_favour) / 1.5, 0.1);
}

TEST(Schedule, WideIntervalsHaveMoreTimeButNotAll) {
  const Played played = play({1, 1, 1}, {0.1, 0.1, 0.1}, {0.02, 0.1, 3}, 100);
  EXPECT_NEAR(played.seconds[2] / played.seconds[1], Schedule::most_favour, 0.05);
  EXPECT_NEAR(played.seconds[1] / played.seconds[0], Schedule::most_favour, 0.05);
}

TEST(Schedule, AGroupOfWhoseIntervalNothingIsKnownHasItsShare) {
  const double unknown = std::numeric_limits<double>::infinity();
  for (const double width : {0.0, unknown}) {
    const Played played = play({1, 1}, {0.1, 0.1}, {0.1, width}, 100);
    EXPECT_NEAR(played.seconds[1] / played.seconds[0], 1, 0.05);
  }
}

TEST(Schedule, WhoIsFinishedRests) {
  Schedule schedule({1, 1}, 1);
  EXPECT_FALSE(schedule.over());
  schedule.finish(0);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(schedule.next(), 1U);
    schedule.spent(1, 1, 0.1);
  }
  schedule.finish(1);
  EXPECT_TRUE(schedule.over());
}

}  // namespace
}  // namespace sluice::bench
