// The search on made-up costs: no clock. And the candidates it draws from.
#include "tuner/search.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tuner/statistics.hpp"

namespace sluice::tuner {
namespace {

Setting example(std::size_t m, std::uint32_t threads = 2) {
  const Isa isa = runnable_isas().back();
  return {CacheSizes{}, isa, swiglu, {2048, 5632}, m, threads, register_tiles(isa).front().nr};
}

// A bowl around a plan that is not the default, in the logarithm of each extent.
double bowl(const Plan& plan) {
  const auto far = [](std::uint32_t value, double best) { return std::pow(std::log2(value / best), 2); };
  return 1 + 0.02 * far(plan.tiling.kc, 192) + 0.02 * far(plan.tiling.mc, 128) + 0.02 * far(plan.tiling.nc, 256) +
         (plan.threads == 1 ? 1.0 : 0.0) + (plan.tiling.prefetch == 0 ? 0.2 : 0.0);
}

Plan search_for(const Setting& setting, double noise, std::uint64_t seed, std::size_t* trials = nullptr) {
  Search search(setting, {.seed = seed});
  std::mt19937_64 random(seed);
  std::normal_distribution<double> scatter(0, noise);
  while (const auto plan = search.next()) search.report(bowl(*plan) * std::exp(scatter(random)));
  if (trials != nullptr) *trials = search.trials();
  return search.best();
}

TEST(Candidates, AreValidDistinctAndNotThePlanItself) {
  for (const std::size_t m : {1U, 2U, 8U, 17U, 64U, 200U, 256U, 1024U}) {
    for (const std::uint32_t threads : {1U, 2U, 8U}) {
      const Setting setting = example(m, threads);
      const Plan start = first_candidate(setting);
      ASSERT_TRUE(validate(start, setting.isa).ok());
      std::size_t all = 0;
      for (const Axis& axis : axes()) {
        const std::vector<Plan> plans = candidates(axis, setting, start);
        for (std::size_t i = 0; i < plans.size(); ++i) {
          EXPECT_TRUE(validate(plans[i], setting.isa).ok()) << axis.name;
          EXPECT_LE(plans[i].threads, threads);
          EXPECT_EQ(plans[i].tiling.nr, setting.nr);
          EXPECT_FALSE(plans[i] == start) << axis.name;
          for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(plans[i] == plans[j]) << axis.name;
        }
        all += plans.size();
      }
      EXPECT_GT(all, 5U) << "M = " << m;
    }
  }
}

TEST(Candidates, OneThreadHasNoThreadsOrScheduleToVary) {
  const Setting setting = example(256, 1);
  for (const Axis& axis : axes()) {
    if (axis.name == "threads" || axis.name == "schedule") {
      EXPECT_TRUE(candidates(axis, setting, first_candidate(setting)).empty()) << axis.name;
    }
  }
}

TEST(Search, FindsTheBowlWithoutNoise) {
  const Setting setting = example(256);
  const double start = bowl(first_candidate(setting));
  const double found = bowl(search_for(setting, 0, 1));
  EXPECT_LT(found, start);
  EXPECT_LT(found, 1.02);
}

TEST(Search, NoiseCostsLittle) {
  const Setting setting = example(256);
  std::vector<double> found;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) found.push_back(bowl(search_for(setting, 0.02, seed)));
  EXPECT_LT(median(found), 1.03);
}

TEST(Search, IsRepeatable) {
  std::size_t first = 0;
  std::size_t second = 0;
  EXPECT_EQ(search_for(example(64), 0.02, 5, &first), search_for(example(64), 0.02, 5, &second));
  EXPECT_EQ(first, second);
}

TEST(Search, AFlatLandscapeKeepsTheDefault) {
  const Setting setting = example(256);
  Search search(setting, {.seed = 3});
  while (search.next()) search.report(1.0);
  EXPECT_EQ(search.best(), first_candidate(setting));
}

TEST(Search, NextStaysUntilReported) {
  Search search(example(8), {});
  const auto first = search.next();
  EXPECT_EQ(first, search.next());
  EXPECT_EQ(search.trials(), 0U);
  search.report(1);
  EXPECT_EQ(search.trials(), 1U);
}

TEST(Search, PlansThatCannotRunNeverWin) {
  const Setting setting = example(256);
  const Plan start = first_candidate(setting);
  Search search(setting, {.seed = 9});
  while (const auto plan = search.next()) search.report(*plan == start ? 1.0 : std::numeric_limits<double>::infinity());
  EXPECT_EQ(search.best(), start);
}

TEST(Search, CutShortItGivesTheBestSoFar) {
  const Setting setting = example(256);
  Search search(setting, {.seed = 2});
  for (int i = 0; i < 40; ++i) search.report(bowl(*search.next()));
  EXPECT_LE(bowl(search.best()), bowl(first_candidate(setting)));
  EXPECT_TRUE(validate(search.best(), setting.isa).ok());
}

}  // namespace
}  // namespace sluice::tuner
