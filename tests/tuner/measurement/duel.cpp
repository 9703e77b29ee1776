// When a duel is over, and what it says: every pair counts, and it goes on while its ratio is not known.
#include "tuner/measurement/duel.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sluice::tuner {
namespace {

TimedPair pair(double ratio, bool contended = false) { return {{100 * ratio, 0.9, contended}, {100, 0.8, false}}; }

// Pairs until it is over, every other one `apart` of the ratio above, then below.
std::size_t length(Duel duel, double apart) {
  while (!duel.over()) duel.add(pair(duel.size() % 2 == 0 ? 1 + apart : 1 / (1 + apart)));
  return duel.size();
}

TEST(Duel, EndsAfterItsPairs) {
  EXPECT_EQ(length(Duel(10), 0), 10U);
  EXPECT_EQ(length(Duel(10), 0.2), 10U);
}

TEST(Duel, GoesOnUntilTheRatioIsKnownToOnePercent) {
  EXPECT_EQ(length(Duel(10, 200), 0.001), 10U);
  EXPECT_EQ(length(Duel(10, 15), 0.2), 15U);
  Duel duel(10, 200);
  while (!duel.over()) duel.add(pair(duel.size() % 2 == 0 ? 1.03 : 1 / 1.03));
  EXPECT_GT(duel.size(), 10U);
  EXPECT_LT(duel.size(), 200U);
  EXPECT_LE(duel.outcome().ratio.half_width(), 0.01);
  EXPECT_NEAR(duel.outcome().ratio.value, 1, 0.01);
}

TEST(Duel, IsDecidedByAllPairs) {
  Duel duel(10);
  for (int i = 0; i < 5; ++i) duel.add(pair(2, true));
  EXPECT_EQ(duel.outcome().ratio.value, 2);
  EXPECT_EQ(duel.outcome().contended_share, 1);
  for (int i = 0; i < 3; ++i) duel.add(pair(0.5));
  EXPECT_EQ(duel.outcome().ratio.pairs, 8U);
  EXPECT_LT(duel.outcome().ratio.low, 1);
  EXPECT_GT(duel.outcome().ratio.high, 1);
  EXPECT_EQ(duel.outcome().roof_fraction_a, 0.9);
  EXPECT_EQ(duel.outcome().roof_fraction_b, 0.8);
  EXPECT_EQ(duel.outcome().contended_share, 0.625);
}

// Neighbours halve the speed of most samples for a while, of the one, the other or both: the plan that is three percent
// slower is told from the faster one, and a plan from itself in no more cases than stated.
TEST(Duel, TellsPlansApartBesideLoudNeighbours) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> chance(0, 1);
  std::lognormal_distribution<double> noise(0, 0.02);
  const auto fought = [&](double ratio) {
    Duel duel(30, 400);
    while (!duel.over()) {
      const double both = chance(random) < 0.5 ? 2 : 1;
      const double a = chance(random) < 0.1 ? 1 + chance(random) : 1;
      const double b = chance(random) < 0.1 ? 1 + chance(random) : 1;
      duel.add({{100 * ratio * both * a * noise(random), 0.9, both * a > 1},
                {100 * both * b * noise(random), 0.9, both * b > 1}});
    }
    return judge(duel.outcome().ratio);
  };
  int alarms = 0;
  for (int i = 0; i < 200; ++i) {
    const Verdict same = fought(1);
    alarms += same == Verdict::faster || same == Verdict::slower ? 1 : 0;
    EXPECT_EQ(fought(1.03), Verdict::slower);
    EXPECT_EQ(fought(1 / 1.03), Verdict::faster);
  }
  EXPECT_LE(alarms, 22);  // of 200 at 5 %: more in one of two thousand
}

}  // namespace
}  // namespace sluice::tuner
