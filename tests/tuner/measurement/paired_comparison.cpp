// When a comparison is over and what it says: every pair counts, and it goes on until its ratio is known well enough.
#include "tuner/measurement/paired_comparison.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sluice::tuner {
namespace {

TimedPair pair(double ratio, bool contended = false) { return {{100 * ratio, 0.9, contended}, {100, 0.8, false}}; }

// Adds pairs until the comparison is over, alternately above and below equality by the factor 1 + apart. Returns their
// number.
std::size_t length(PairedComparison comparison, double apart) {
  while (!comparison.over()) comparison.add(pair(comparison.size() % 2 == 0 ? 1 + apart : 1 / (1 + apart)));
  return comparison.size();
}

TEST(PairedComparison, EndsAfterItsPairs) {
  EXPECT_EQ(length(PairedComparison(10), 0), 10U);
  EXPECT_EQ(length(PairedComparison(10), 0.2), 10U);
}

TEST(PairedComparison, GoesOnUntilTheRatioIsKnownToOnePercent) {
  EXPECT_EQ(length(PairedComparison(10, 200), 0.001), 10U);
  EXPECT_EQ(length(PairedComparison(10, 15), 0.2), 15U);
  PairedComparison comparison(10, 200);
  while (!comparison.over()) comparison.add(pair(comparison.size() % 2 == 0 ? 1.03 : 1 / 1.03));
  EXPECT_GT(comparison.size(), 10U);
  EXPECT_LT(comparison.size(), 200U);
  EXPECT_LE(comparison.outcome().ratio.half_width(), 0.01);
  EXPECT_NEAR(comparison.outcome().ratio.value, 1, 0.01);
}

TEST(PairedComparison, IsDecidedByAllPairs) {
  PairedComparison comparison(10);
  for (int i = 0; i < 5; ++i) comparison.add(pair(2, true));
  EXPECT_EQ(comparison.outcome().ratio.value, 2);
  EXPECT_EQ(comparison.outcome().contended_share, 1);
  for (int i = 0; i < 3; ++i) comparison.add(pair(0.5));
  EXPECT_EQ(comparison.outcome().ratio.pairs, 8U);
  EXPECT_LT(comparison.outcome().ratio.low, 1);
  EXPECT_GT(comparison.outcome().ratio.high, 1);
  EXPECT_EQ(comparison.outcome().roof_fraction_a, 0.9);
  EXPECT_EQ(comparison.outcome().roof_fraction_b, 0.8);
  EXPECT_EQ(comparison.outcome().contended_share, 0.625);
}

// Neighbours slow half of the pairs to half of the speed, and some single samples as well. A difference of three per
// cent is always found, and a plan is called different from itself in no more cases than stated.
TEST(PairedComparison, TellsPlansApartBesideLoudNeighbours) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> chance(0, 1);
  std::lognormal_distribution<double> noise(0, 0.02);
  const auto fought = [&](double ratio) {
    PairedComparison comparison(30, 400);
    while (!comparison.over()) {
      const double both = chance(random) < 0.5 ? 2 : 1;
      const double a = chance(random) < 0.1 ? 1 + chance(random) : 1;
      const double b = chance(random) < 0.1 ? 1 + chance(random) : 1;
      comparison.add({{100 * ratio * both * a * noise(random), 0.9, both * a > 1},
                      {100 * both * b * noise(random), 0.9, both * b > 1}});
    }
    return judge(comparison.outcome().ratio);
  };
  int alarms = 0;
  for (int i = 0; i < 200; ++i) {
    const Verdict same = fought(1);
    alarms += same == Verdict::faster || same == Verdict::slower ? 1 : 0;
    EXPECT_EQ(fought(1.03), Verdict::slower);
    EXPECT_EQ(fought(1 / 1.03), Verdict::faster);
  }
  EXPECT_LE(alarms, 22);  // of 200; with 5 % each, one run in two thousand exceeds it
}

}  // namespace
}  // namespace sluice::tuner
