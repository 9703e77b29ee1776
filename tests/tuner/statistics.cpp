// The statistics on data whose answers are known, and on seeded noise.
#include "tuner/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace sluice::tuner {
namespace {

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.9), 7);
  EXPECT_DOUBLE_EQ(quantile({}, 0.5), 0);
}

TEST(StudentT, AgreesWithTheTables) {
  EXPECT_NEAR(student_t95(1), 12.706, 1e-3);
  EXPECT_NEAR(student_t95(30), 2.042, 1e-3);
  EXPECT_NEAR(student_t95(60), 2.000, 2e-3);
  EXPECT_NEAR(student_t95(120), 1.980, 2e-3);
  EXPECT_TRUE(std::isinf(student_t95(0)));
}

TEST(PairedRatio, DriftThatHitsBothSidesCancels) {
  std::vector<double> a;
  std::vector<double> b;
  for (int i = 0; i < 20; ++i) {
    const double drift = 1 + i;  // the machine slows down twentyfold
    a.push_back(1.1 * drift);
    b.push_back(1.0 * drift);
  }
  const Ratio ratio = paired_ratio(a, b);
  EXPECT_NEAR(ratio.value, 1.1, 1e-12);
  EXPECT_NEAR(ratio.low, 1.1, 1e-9);
  EXPECT_NEAR(ratio.high, 1.1, 1e-9);
  EXPECT_EQ(ratio.pairs, 20U);
  EXPECT_EQ(judge(ratio), Verdict::slower);
}

TEST(PairedRatio, KnownInterval) {
  // Logarithms −0.1, 0, 0.1: mean 0, standard deviation 0.1, t(2) = 4.303.
  const std::vector<double> a{std::exp(-0.1), 1, std::exp(0.1)};
  const std::vector<double> b{1, 1, 1};
  const Ratio ratio = paired_ratio(a, b);
  const double reach = 4.303 * 0.1 / std::sqrt(3.0);
  EXPECT_NEAR(ratio.value, 1, 1e-12);
  EXPECT_NEAR(ratio.low, std::exp(-reach), 1e-9);
  EXPECT_NEAR(ratio.high, std::exp(reach), 1e-9);
}

TEST(PairedRatio, TooFewPairsSayNothing) {
  EXPECT_EQ(judge(paired_ratio({}, {})), Verdict::inconclusive);
  const std::vector<double> one{2};
  const std::vector<double> other{1};
  EXPECT_EQ(judge(paired_ratio(one, other)), Verdict::inconclusive);
}

TEST(PairedRatio, OneBurstInTenPairsIsLeftOut) {
  std::vector<double> a(20, 1.0);
  const std::vector<double> b(20, 1.0);
  a[7] = 3;
  a[13] = 2;
  EXPECT_NEAR(paired_ratio(a, b).value, 1, 1e-12);
}

TEST(Judge, TiedOnlyWhenNarrow) {
  EXPECT_EQ(judge({1.0, 0.995, 1.005, 9}), Verdict::tied);
  EXPECT_EQ(judge({1.0, 0.98, 1.02, 9}), Verdict::inconclusive);
  EXPECT_EQ(judge({0.9, 0.85, 0.95, 9}), Verdict::faster);
  EXPECT_EQ(judge({1.1, 1.05, 1.15, 9}), Verdict::slower);
}

// The same thing under two names: the stated 5 % level must hold. 2000 trials of pure noise with bursts; the bound is
// four standard deviations of a binomial above 5 %.
TEST(PairedRatio, IdenticalThingsAreRarelyCalledDifferent) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> noise(0, 0.02);
  std::uniform_real_distribution<double> chance(0, 1);
  int different = 0;
  constexpr int trials = 2000;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> a;
    std::vector<double> b;
    for (int i = 0; i < 15; ++i) {
      a.push_back(std::exp(noise(random)) * (chance(random) < 0.03 ? 1.5 : 1));
      b.push_back(std::exp(noise(random)) * (chance(random) < 0.03 ? 1.5 : 1));
    }
    const Verdict verdict = judge(paired_ratio(a, b));
    different += verdict == Verdict::faster || verdict == Verdict::slower ? 1 : 0;
  }
  EXPECT_LT(different, trials * 0.05 + 4 * std::sqrt(trials * 0.05 * 0.95));
}

TEST(PairedRatio, FindsThreePercentInFifteenPairs) {
  std::mt19937_64 random(8);
  std::normal_distribution<double> noise(0, 0.01);
  int found = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> a;
    std::vector<double> b;
    for (int i = 0; i < 15; ++i) {
      a.push_back(0.97 * std::exp(noise(random)));
      b.push_back(std::exp(noise(random)));
    }
    found += judge(paired_ratio(a, b)) == Verdict::faster ? 1 : 0;
  }
  EXPECT_GT(found, 190);
}

TEST(Quotient, HasTheErrorsOfBoth) {
  const Ratio found = quotient({0.9, 0.9 / 1.03, 0.9 * 1.03, 12}, {1.6, 1.6 / 1.04, 1.6 * 1.04, 8});
  EXPECT_DOUBLE_EQ(found.value, 0.5625);
  EXPECT_NEAR(std::log(found.high / found.value), std::hypot(std::log(1.03), std::log(1.04)), 1e-12);
  EXPECT_NEAR(found.low * found.high, found.value * found.value, 1e-12);
  EXPECT_EQ(found.pairs, 20U);
  // Exactly known: no error of its own.
  EXPECT_NEAR(quotient({0.9, 0.9 / 1.03, 0.9 * 1.03, 12}, {1, 1, 1, 0}).high, 0.9 * 1.03, 1e-12);
  EXPECT_EQ(quotient(paired_ratio({}, {}), found).low, 0);
}

TEST(MeanRatio, IsTheGeometricMeanWithAnIntervalThatHoldsIt) {
  EXPECT_DOUBLE_EQ(geometric_mean(std::vector<double>{2, 8}), 4);
  EXPECT_EQ(geometric_mean({}), 1);
  const Ratio mean =
      mean_ratio(std::vector<Ratio>{{0.9, 0.9 / 1.03, 0.9 * 1.03, 12}, {1.6, 1.6 / 1.04, 1.6 * 1.04, 8}});
  EXPECT_DOUBLE_EQ(mean.value, 1.2);
  EXPECT_NEAR(std::log(mean.high / 1.2), std::hypot(std::log(1.03), std::log(1.04)) / 2, 1e-12);
  EXPECT_NEAR(mean.low * mean.high, 1.44, 1e-12);
  EXPECT_EQ(mean.pairs, 20U);
  // What has no interval leaves none to the mean.
  const Ratio unknown = mean_ratio(std::vector<Ratio>{mean, paired_ratio({}, {})});
  EXPECT_EQ(unknown.low, 0);
  EXPECT_EQ(judge(unknown), Verdict::inconclusive);
  EXPECT_EQ(judge(mean_ratio({})), Verdict::inconclusive);

  std::mt19937_64 random(9);
  std::normal_distribution<double> noise(0, 0.03);
  constexpr int trials = 1000;
  int outside = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<Ratio> ratios;
    for (const double truth : {0.8, 1.1, 1.25}) {
      std::vector<double> a(12);
      for (double& one : a) one = truth * std::exp(noise(random));
      ratios.push_back(paired_ratio(a, std::vector<double>(a.size(), 1)));
    }
    const Ratio found = mean_ratio(ratios);
    const double truth = std::cbrt(0.8 * 1.1 * 1.25);
    outside += truth < found.low || truth > found.high ? 1 : 0;
  }
  EXPECT_LT(outside, trials * 0.05 + 4 * std::sqrt(trials * 0.05 * 0.95));
}

}  // namespace
}  // namespace sluice::tuner
