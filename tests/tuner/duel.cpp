// When a duel is over: calm pairs count, contended ones three for one, and it goes on while its ratio is not known.
#include "tuner/duel.hpp"

#include <gtest/gtest.h>

namespace sluice::tuner {
namespace {

TimedPair pair(double ratio, bool contended = false) { return {{100 * ratio, 0.9, contended}, {100, 0.8, false}}; }

// Pairs until it is over, every other one `apart` of the ratio above, then below.
std::size_t length(Duel duel, double apart, bool contended = false) {
  while (!duel.over()) duel.add(pair(duel.size() % 2 == 0 ? 1 + apart : 1 / (1 + apart), contended));
  return duel.size();
}

TEST(Duel, EndsAfterItsCalmPairs) {
  EXPECT_EQ(length(Duel(10), 0), 10U);
  EXPECT_EQ(length(Duel(10), 0.2), 10U);
  EXPECT_EQ(length(Duel(10), 0, true), 30U);
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

TEST(Duel, IsDecidedByCalmPairsWhereThereAreThree) {
  Duel duel(10);
  for (int i = 0; i < 5; ++i) duel.add(pair(2, true));
  EXPECT_EQ(duel.outcome().ratio.value, 2);
  EXPECT_EQ(duel.outcome().contended_share, 1);
  for (int i = 0; i < 3; ++i) duel.add(pair(0.5));
  EXPECT_DOUBLE_EQ(duel.outcome().ratio.value, 0.5);
  EXPECT_EQ(duel.outcome().ratio.pairs, 3U);
  EXPECT_EQ(duel.outcome().roof_fraction_a, 0.9);
  EXPECT_EQ(duel.outcome().roof_fraction_b, 0.8);
  EXPECT_EQ(duel.outcome().contended_share, 0.625);
}

}  // namespace
}  // namespace sluice::tuner
