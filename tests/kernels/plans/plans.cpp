// Plans as data: what is valid, and that the analytical default always is.
#include <functional>
#include <initializer_list>
#include <random>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

Plan valid_plan(Isa isa) { return analytical_plan(CacheSizes{}, isa, swiglu, {512, 1024}, 64, 2); }

class Plans : public PerIsa {};

TEST_P(Plans, EachFieldOutOfRangeIsRejectedByName) {
  const Isa isa = GetParam();
  ASSERT_TRUE(validate(valid_plan(isa), isa).ok()) << validate(valid_plan(isa), isa).message();
  struct Damage {
    const char* field;
    std::function<void(Plan&)> apply;
  };
  const Damage damages[] = {
      {"nr", [](Plan& p) { p.tiling.nr = 0; }},
      {"nr", [](Plan& p) { p.tiling.nr += 1; }},
      {"mr", [](Plan& p) { p.tiling.mr = 0; }},
      {"mr", [](Plan& p) { p.tiling.mr = 1000; }},
      {"kc", [](Plan& p) { p.tiling.kc = 0; }},
      {"kc", [](Plan& p) { p.tiling.kc = 0xffffffffU; }},
      {"mc", [](Plan& p) { p.tiling.mc = 0; }},
      {"mc", [](Plan& p) { p.tiling.mc = 0xffffffffU; }},
      {"nc", [](Plan& p) { p.tiling.nc = 0; }},
      {"nc", [](Plan& p) { p.tiling.nc += 1; }},
      {"nc", [](Plan& p) { p.tiling.nc = 0U - p.tiling.nr; }},
      {"fc", [](Plan& p) { p.tiling.fc = 0; }},
      {"fc", [](Plan& p) { p.tiling.fc -= 1; }},
      {"fc", [](Plan& p) { p.tiling.fc = 0U - p.tiling.nr; }},
      {"prefetch", [](Plan& p) { p.tiling.prefetch = 0xffffffffU; }},
      {"schedule", [](Plan& p) { p.tiling.schedule = static_cast<Schedule>(all_schedules().size()); }},
      {"threads", [](Plan& p) { p.threads = 0; }},
      {"threads", [](Plan& p) { p.threads = 0xffffffffU; }},
  };
  for (const Damage& damage : damages) {
    Plan plan = valid_plan(isa);
    damage.apply(plan);
    const Status status = validate(plan, isa);
    EXPECT_EQ(status.code(), Code::invalid_argument) << damage.field;
    EXPECT_NE(std::string(status.message()).find(std::string(damage.field) + " "), std::string::npos)
        << status.message();
  }
}

TEST_P(Plans, EveryRegisterTileAndEachOfItsHeightsIsValid) {
  ASSERT_FALSE(register_tiles(GetParam()).empty());
  for (const RegisterTile& tile : register_tiles(GetParam())) {
    EXPECT_EQ(tile.nr % 2, 0U) << "gate and up share a panel in halves";
    for (std::uint32_t mr = 1; mr <= tile.max_mr; ++mr) {
      Plan plan = analytical_plan(CacheSizes{}, GetParam(), swiglu, {512, 1024}, 64, 2, tile.nr);
      plan.tiling.mr = mr;
      EXPECT_TRUE(validate(plan, GetParam()).ok()) << validate(plan, GetParam()).message();
      EXPECT_EQ(plan.tiling.nr, tile.nr);
    }
  }
}

TEST_P(Plans, TheAnalyticalPlanIsValidForAnyShapeCachesAndThreads) {
  tuner::Random random(20);
  for (int trial = 0; trial < 3000; ++trial) {
    const auto extent = [&] { return static_cast<std::size_t>(random.next() >> random.between(0, 63)) + 1; };
    const auto threads = static_cast<std::uint32_t>(random.next() >> random.between(32, 63));
    const CacheSizes caches{extent(), extent(), extent(), random.between(0, 1) == 1, random.between(0, 1) == 1};
    const Shape shape{extent(), extent()};
    const std::size_t m = extent();
    const Kind kind = tested_kinds()[random.between(0, tested_kinds().size() - 1)];
    const Plan plan = analytical_plan(caches, GetParam(), kind, shape, m, threads);
    const Status status = validate(plan, GetParam());
    ASSERT_TRUE(status.ok()) << status.message() << " for " << shape.d_model << "x" << shape.d_ff << " M=" << m;
    ASSERT_LE(plan.threads, std::max(threads, 1U));
  }
}

TEST_P(Plans, TheAnalyticalPlanUsesThreadsWhereThereIsWorkOrWeightsToShare) {
  const auto threads = [](Shape shape, std::size_t m) {
    return analytical_plan(CacheSizes{}, GetParam(), swiglu, shape, m, 2).threads;
  };
  EXPECT_EQ(threads({64, 128}, 1), 1U);
  EXPECT_EQ(threads({64, 128}, 64), 2U);
  EXPECT_EQ(threads({256, 512}, 1), 2U);
  EXPECT_EQ(threads({4096, 11008}, 1), 2U);
}

TEST_P(Plans, RowsStayWithTheirThreadWhereTheL3HoldsTheWeightsForAll) {
  const auto schedule = [](Shape shape, std::size_t m, std::uint32_t threads) {
    return analytical_plan(CacheSizes{}, GetParam(), swiglu, shape, m, threads).tiling.schedule;
  };
  constexpr Shape small{512, 1024};
  constexpr Shape larger_than_l3{2048, 5632};
  EXPECT_EQ(schedule(small, 256, 2), Schedule::claim_rows);
  EXPECT_EQ(schedule(small, 1024, 4), Schedule::claim_rows);
  EXPECT_EQ(schedule(small, 256, 64), Schedule::claim_columns) << "too few rows for so many";
  EXPECT_EQ(schedule(larger_than_l3, 256, 2), Schedule::claim_columns);
  EXPECT_EQ(schedule(small, 256, 1), Schedule::split_columns);
  EXPECT_EQ(schedule(small, 1, 2), Schedule::split_columns);
}

TEST_P(Plans, WeightsThatStayInTheL3AreReadByTwo) {
  const auto columns = [](bool hold_weights, Shape shape, std::size_t m) {
    CacheSizes caches;
    caches.hold_weights = hold_weights;
    const Tiling tiling = analytical_plan(caches, GetParam(), swiglu, shape, m, 2).tiling;
    return tiling.nc / tiling.nr;
  };
  constexpr Shape small{256, 512};
  constexpr Shape larger_than_l3{4096, 11008};
  for (const std::size_t m : {1U, 2U, 3U, 4U}) EXPECT_GT(columns(true, small, m), 1U) << "M = " << m;
  for (const std::size_t m : {1U, 2U})
    EXPECT_EQ(columns(true, larger_than_l3, m), columns(false, larger_than_l3, m)) << "M = " << m;
  for (const std::size_t m : {8U, 64U}) EXPECT_EQ(columns(true, small, m), columns(false, small, m)) << "M = " << m;
}

TEST_P(Plans, FewRowsPrefetchFarAheadWhereTheProcessorNeedsIt) {
  const auto tiling = [](bool prefetch_streams, std::size_t m) {
    CacheSizes caches;
    caches.prefetch_streams = prefetch_streams;
    return analytical_plan(caches, GetParam(), swiglu, {2048, 5632}, m, 1).tiling;
  };
  for (const std::size_t m : {1U, 2U, 4U}) {
    EXPECT_GE(tiling(true, m).prefetch, 1024U) << "M = " << m;
    EXPECT_GE(tiling(true, m).nc / tiling(true, m).nr, 2U) << "M = " << m;
  }
  for (const std::size_t m : {1U, 2U, 4U}) EXPECT_EQ(tiling(false, m).prefetch, 0U) << "M = " << m;
  EXPECT_EQ(tiling(true, 256), tiling(false, 256));
}

TEST_P(Plans, RandomPlansAreValid) {
  tuner::Random random(21);
  for (const RegisterTile& tile : register_tiles(GetParam())) {
    for (int trial = 0; trial < 200; ++trial) {
      const Plan plan = tuner::random_plan(random, GetParam(), swiglu, tile.nr, 8);
      EXPECT_TRUE(validate(plan, GetParam()).ok()) << tuner::describe(plan);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, Plans, every_isa(), isa_name);

TEST(Plan, ForAnIsaThatThisBuildLacksIsUnsupported) {
  for (const Isa isa : all_isas()) {
    if (register_tiles(isa).empty()) {
      EXPECT_EQ(validate(valid_plan(Isa::scalar), isa).code(), Code::unsupported) << name(isa);
    }
  }
}

TEST(Plan, BucketsArePowersOfTwo) {
  EXPECT_EQ(m_bucket(1), 1U);
  EXPECT_EQ(m_bucket(2), 2U);
  EXPECT_EQ(m_bucket(3), 4U);
  EXPECT_EQ(m_bucket(64), 64U);
  EXPECT_EQ(m_bucket(65), 128U);
  EXPECT_EQ(m_bucket(256), 256U);
  EXPECT_GE(m_bucket(static_cast<std::size_t>(-1)), 1U << 20);
}

TEST(Plan, NamesOfSchedulesParseBack) {
  for (const Schedule schedule : all_schedules()) {
    EXPECT_EQ(parse_schedule(name(schedule)), schedule);
  }
  EXPECT_EQ(parse_schedule("split"), std::nullopt);
  EXPECT_EQ(name(PlanOrigin::exact), "exact");
  EXPECT_EQ(name(PlanOrigin::borrowed), "borrowed");
  EXPECT_EQ(name(PlanOrigin::transferred), "transferred");
  EXPECT_EQ(name(PlanOrigin::analytical), "analytical");
}

}  // namespace
}  // namespace sluice::tests
