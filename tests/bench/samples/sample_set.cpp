// What samples of a drifting, disturbed machine say of the work.
#include "bench/samples/sample_set.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sluice::bench {
namespace {

// `count` samples of work that reaches `share` of a machine whose speed `level` tells for each, and whose neighbours
// take twice the time of what `disturbed` tells.
template <class Level>
SampleSet samples(std::size_t count, double share, Level level, double disturbed) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> chance(0, 1);
  std::normal_distribution<double> noise(1, 0.01);
  SampleSet set;
  for (std::size_t i = 0; i < count; ++i) {
    const auto slow = [&] { return noise(random) * (chance(random) < disturbed ? 0.5 : 1.0); };
    const double speed = level(i) * share * slow();
    set.samples.push_back({.ns = 1e9 / speed, .before = level(i) * slow(), .after = level(i) * slow()});
  }
  return set;
}

TEST(SampleSet, TheShareOfTheProbesHoldsAmongNeighbours) {
  const auto steady = [](std::size_t) { return 1e10; };
  for (const double disturbed : {0.0, 0.3, 0.6})
    EXPECT_NEAR(samples(200, 0.8, steady, disturbed).share_of_probes(1), 0.8, 0.02) << disturbed;
}

TEST(SampleSet, TheShareOfTheProbesHoldsWhereTheMachineDrifts) {
  // Half as fast for most of the run.
  const auto drifting = [](std::size_t i) { return i % 200 < 20 ? 2e10 : 1e10; };
  EXPECT_NEAR(samples(400, 0.8, drifting, 0.3).share_of_probes(1), 0.8, 0.02);
}

TEST(SampleSet, AFewSamplesAreOneBlock) {
  SampleSet set;
  set.samples = {{.ns = 100, .before = 1e7, .after = 1e7}, {.ns = 200, .before = 0.5e7, .after = 0.5e7}};
  const double fast = 0.95 * 1e7 + 0.05 * 0.5e7;
  EXPECT_NEAR(set.share_of_probes(1), fast / 1e7, 1e-12);
  EXPECT_EQ(set.median_ns(), 150);
  EXPECT_NEAR(set.fast_ns(), 105, 1e-9);
}

TEST(SampleSet, RatiosAreOfTheRoundsThatBothHave) {
  std::vector<tuner::Sample> a;
  std::vector<tuner::Sample> b;
  for (std::uint32_t round = 0; round < 20; ++round) {
    if (round % 3 != 0) a.push_back({.ns = 120, .round = round});
    if (round % 2 == 0) b.push_back({.ns = 100, .round = round});
  }
  const tuner::Ratio ratio = ratio_by_round(a, b);
  EXPECT_EQ(ratio.pairs, 6U);
  EXPECT_NEAR(ratio.value, 1.2, 1e-12);
}

}  // namespace
}  // namespace sluice::bench
