// The search on made-up costs: no clock. And the candidates it draws from.
#include "tuner/search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <tuple>

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

TEST(JointSpace, HoldsValidDistinctPlansTheAnalyticalFirst) {
  for (const std::size_t m : {1U, 2U, 8U, 17U, 64U, 200U, 256U, 1024U}) {
    for (const std::uint32_t threads : {1U, 2U, 8U}) {
      const Setting setting = example(m, threads);
      const JointSpace space(setting);
      ASSERT_EQ(space.plans()[0], first_candidate(setting));
      EXPECT_GT(space.size(), 40U) << "M = " << m;
      EXPECT_LE(space.size(), 2000U) << "M = " << m << ", threads = " << threads;
      std::vector<Plan> done;
      for (const Plan& plan : space.plans()) {
        EXPECT_TRUE(validate(plan, setting.isa).ok());
        EXPECT_LE(plan.threads, threads);
        EXPECT_EQ(plan.tiling.nr, setting.nr);
        done.push_back(clipped(setting, plan));
      }
      const auto order = [](const Plan& a, const Plan& b) {
        const auto key = [](const Plan& p) {
          const Tiling& t = p.tiling;
          return std::tuple(t.mr, t.kc, t.mc, t.nc, t.fc, t.prefetch, t.pack_x, t.schedule, p.threads);
        };
        return key(a) < key(b);
      };
      std::sort(done.begin(), done.end(), order);
      EXPECT_EQ(std::adjacent_find(done.begin(), done.end()), done.end()) << "M = " << m << ", threads = " << threads;
    }
  }
}

TEST(JointSpace, NeighboursAndAxesStayInsideAndLeaveThePlan) {
  const JointSpace space(example(64));
  for (std::size_t plan = 0; plan < space.size(); plan += 17) {
    for (std::size_t parameter = 0; parameter < parameter_count; ++parameter) {
      for (const std::size_t other : space.along(plan, parameter)) {
        EXPECT_LT(other, space.size());
        EXPECT_NE(other, plan);
      }
    }
    const std::vector<std::size_t> near = space.neighbours(plan);
    EXPECT_FALSE(near.empty());
    EXPECT_EQ(std::count(near.begin(), near.end(), plan), 0);
  }
}

TEST(JointSpace, EveryPlanIsReachedFromTheAnalyticalOne) {
  const JointSpace space(example(256));
  std::vector<std::size_t> open{0};
  std::set<std::size_t> reached{0};
  while (!open.empty()) {
    const std::size_t plan = open.back();
    open.pop_back();
    for (const std::size_t other : space.neighbours(plan))
      if (reached.insert(other).second) open.push_back(other);
  }
  EXPECT_EQ(reached.size(), space.size());
}

TEST(JointSpace, FindsAPlanHoweverItIsSpelled) {
  const Setting setting = example(64);
  const JointSpace space(setting);
  for (std::size_t i = 0; i < space.size(); i += 11) EXPECT_EQ(space.find(space.plans()[i]), i);
  Plan taller = space.plans()[0];
  taller.tiling.mc = 4096;  // no block of 64 rows is taller than 64
  EXPECT_EQ(space.find(taller), 0U);
  Plan odd = space.plans()[0];
  odd.tiling.kc = 123;
  EXPECT_EQ(space.find(odd), std::nullopt);
}

TEST(JointSpace, OneThreadHasNoThreadsOrScheduleToVary) {
  for (const Plan& plan : joint_space(example(256, 1))) {
    EXPECT_EQ(plan.threads, 1U);
    EXPECT_EQ(plan.tiling.schedule, Schedule::split_columns);
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
