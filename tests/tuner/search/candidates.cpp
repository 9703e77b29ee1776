// The plans that a search draws from.
#include "tuner/search/candidates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include "tests/tuner/search/example_setting.hpp"

namespace sluice::tuner {
namespace {

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

TEST(JointSpace, FewRowsGoByOneOrByTwoPanels) {
  const auto widths = [](std::size_t m) {
    const Setting setting = example(m, 1);
    const JointSpace space(setting);
    std::set<std::uint32_t> all;
    for (const Plan& plan : space.plans()) {
      const Tiling done = clipped(setting, plan).tiling;
      if (done.kc == 5632) all.insert(done.nc / done.nr);
    }
    return all;
  };
  EXPECT_EQ(widths(1), (std::set<std::uint32_t>{1, 2}));
  EXPECT_EQ(widths(8), std::set<std::uint32_t>{1});
}

TEST(JointSpace, APlanOfAWidthWithoutKernelsIsClippedLikeAnyOther) {
  Setting setting = example(1, 1);
  Plan plan = first_candidate(setting);
  setting.nr = plan.tiling.nr = 48;
  plan.tiling.nc = plan.tiling.fc = 4 * 48;
  ASSERT_FALSE(validate(plan, setting.isa).ok());
  EXPECT_EQ(clipped(setting, plan).tiling.nc, 48U);
}

TEST(JointSpace, ThreadsShareTheWorkInEveryWay) {
  const JointSpace space(example(256));
  for (const Schedule schedule : all_schedules()) {
    EXPECT_TRUE(std::any_of(space.plans().begin(), space.plans().end(), [&](const Plan& plan) {
      return plan.tiling.schedule == schedule;
    })) << name(schedule);
  }
}

TEST(JointSpace, OneThreadHasNoThreadsOrScheduleToVary) {
  const JointSpace space(example(256, 1));
  for (const Plan& plan : space.plans()) {
    EXPECT_EQ(plan.threads, 1U);
    EXPECT_EQ(plan.tiling.schedule, Schedule::split_columns);
  }
}

}  // namespace
}  // namespace sluice::tuner
