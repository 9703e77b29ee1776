// The statistics on data whose answers are known, and on seeded noise.
#include "tuner/measurement/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace sluice::tuner {
namespace {

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.9), 7);
  EXPECT_DOUBLE_EQ(quantile({}, 0.5), 0);
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

TEST(PairedRatio, FewPairsHaveStudentsInterval) {
  // The points of the printed tables, t(1) to t(4).
  const std::vector<double> points{12.706, 4.303, 3.182, 2.776};
  for (std::size_t pairs = 2; pairs <= 5; ++pairs) {
    std::vector<double> a;
    double squares = 0;
    for (std::size_t i = 0; i < pairs; ++i) {
      // Logarithms that are symmetric around 0, so that mean and median agree.
      const double logarithm = 0.1 * (static_cast<double>(i) - static_cast<double>(pairs - 1) / 2);
      a.push_back(std::exp(logarithm));
      squares += logarithm * logarithm;
    }
    const Ratio ratio = paired_ratio(a, std::vector<double>(pairs, 1.0));
    const auto count = static_cast<double>(pairs);
    const double reach = points[pairs - 2] * std::sqrt(squares / (count - 1) / count);
    EXPECT_NEAR(ratio.value, 1, 1e-12) << pairs;
    EXPECT_NEAR(ratio.low, std::exp(-reach), 1e-9) << pairs;
    EXPECT_NEAR(ratio.high, std::exp(reach), 1e-9) << pairs;
  }
}

TEST(PairedRatio, TooFewPairsSayNothing) {
  EXPECT_EQ(judge(paired_ratio({}, {})), Verdict::inconclusive);
  const std::vector<double> one{2};
  const std::vector<double> other{1};
  EXPECT_EQ(judge(paired_ratio(one, other)), Verdict::inconclusive);
}

std::vector<double> exponentials(const std::vector<double>& logs) {
  std::vector<double> values(logs.size());
  std::transform(logs.begin(), logs.end(), values.begin(), [](double x) { return std::exp(x); });
  return values;
}

Ratio ratio_of_logs(const std::vector<double>& logs) {
  return paired_ratio(exponentials(logs), std::vector<double>(logs.size(), 1));
}

// The differences of cross- and self-fertilised plants of Darwin, whose interval by this method is in the textbooks.
TEST(PairedRatio, AgreesWithTheTextbook) {
  std::vector<double> eighths{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
  for (double& x : eighths) x /= 8 * 100;  // small, as logarithms of ratios are
  const Ratio ratio = ratio_of_logs(eighths);
  // By all 120 Walsh averages: their median, the 26th smallest and the 26th largest, P(W ≤ 25) = 0.024.
  std::vector<double> averages;
  for (std::size_t i = 0; i < eighths.size(); ++i)
    for (std::size_t j = i; j < eighths.size(); ++j) averages.push_back((eighths[i] + eighths[j]) / 2);
  std::sort(averages.begin(), averages.end());
  EXPECT_NEAR(std::log(ratio.value), (averages[59] + averages[60]) / 2, 1e-12);
  EXPECT_NEAR(std::log(ratio.low), averages[25], 1e-12);
  EXPECT_NEAR(std::log(ratio.high), averages[120 - 26], 1e-12);
}

// An interval holds exactly the shifts that no signed-rank test rejects: here by trying every assignment of signs.
TEST(PairedRatio, TheIntervalIsTheTestTurnedRound) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0.01, 0.02);
  for (std::size_t n = 6; n <= 12; ++n) {
    std::vector<double> logs(n);
    for (double& x : logs) x = noise(random);
    const auto rejected = [&](double shift) {
      std::vector<double> sizes(n);
      std::transform(logs.begin(), logs.end(), sizes.begin(), [&](double x) { return std::abs(x - shift); });
      const auto rank = [&](std::size_t i) {
        return static_cast<std::size_t>(
            std::count_if(sizes.begin(), sizes.end(), [&](double s) { return s <= sizes[i]; }));
      };
      std::size_t seen = 0;
      for (std::size_t i = 0; i < n; ++i) seen += logs[i] > shift ? rank(i) : 0;
      seen = std::min(seen, n * (n + 1) / 2 - seen);
      std::size_t as_far = 0;
      for (std::size_t signs = 0; signs < std::size_t{1} << n; ++signs) {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += (signs >> i & 1U) != 0 ? i + 1 : 0;
        as_far += sum <= seen ? 1 : 0;
      }
      return static_cast<double>(as_far) / static_cast<double>(std::size_t{1} << n) <= 0.025;
    };
    const Ratio ratio = ratio_of_logs(logs);
    EXPECT_TRUE(rejected(std::log(ratio.low) - 1e-9)) << n;
    EXPECT_FALSE(rejected(std::log(ratio.low) + 1e-9)) << n;
    EXPECT_FALSE(rejected(std::log(ratio.high) - 1e-9)) << n;
    EXPECT_TRUE(rejected(std::log(ratio.high) + 1e-9)) << n;
  }
}

// Where the exact distribution ends, nothing may jump.
TEST(PairedRatio, ManyPairsGoOnWhereTheExactOnesEnd) {
  double last = 0;
  for (std::size_t n = 38; n <= 44; ++n) {
    std::vector<double> logs(n);
    for (std::size_t i = 0; i < n; ++i) logs[i] = static_cast<double>(i) / static_cast<double>(n - 1) - 0.5;
    const Ratio ratio = ratio_of_logs(logs);
    EXPECT_NEAR(ratio.value, 1, 1e-12);
    const double width = std::log(ratio.high / ratio.low) * std::sqrt(static_cast<double>(n));
    if (n > 38) {
      EXPECT_NEAR(width / last, 1, 0.03) << n;
    }
    last = width;
  }
}

TEST(PairedRatio, BurstsThatHitOneSideMoveNothing) {
  std::vector<double> a(20, 1.0);
  const std::vector<double> b(20, 1.0);
  a[7] = 3;
  a[13] = 2;
  EXPECT_NEAR(paired_ratio(a, b).value, 1, 1e-12);
}

// A loud machine: neighbours slow three samples of four, for stretches of several samples, up to threefold. As the
// order within a pair is random the stated level holds, and 2 % are told in 200 pairs.
TEST(PairedRatio, ALoudMachineKeepsTheLevelAndTellsTwoPercent) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> chance(0, 1);
  constexpr int trials = 1000;
  int outside = 0;
  int found = 0;
  for (int trial = 0; trial < trials; ++trial) {
    double slowed = 1;
    const auto sample = [&](double time) {
      if (chance(random) < 0.3) slowed = chance(random) < 0.75 ? 1 + 2 * chance(random) * chance(random) : 1;
      return time * slowed * (1 + 0.02 * chance(random));
    };
    std::vector<double> a;
    std::vector<double> b;
    for (int i = 0; i < 200; ++i) {
      const bool b_first = chance(random) < 0.5;
      if (b_first) b.push_back(sample(1));
      a.push_back(sample(0.98));
      if (!b_first) b.push_back(sample(1));
    }
    const Ratio ratio = paired_ratio(a, b);
    outside += ratio.low > 0.98 || ratio.high < 0.98 ? 1 : 0;
    found += judge(ratio) == Verdict::faster ? 1 : 0;
  }
  EXPECT_LT(outside, trials * 0.05 + 4 * std::sqrt(trials * 0.05 * 0.95));
  EXPECT_GT(found, trials / 2);
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
