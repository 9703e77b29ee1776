// Which row of a table of tuned plans serves a call.
#include <random>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

class PlanChoicesOfIsa : public PerIsa {};

class PlanChoices : public testing::Test {
 protected:
  static constexpr Shape shape{512, 1024};
  const Isa isa = Isa::scalar;

  // A valid plan that can be told from others by its kc.
  [[nodiscard]] PlanRow row(Kind kind, std::uint32_t m, std::uint32_t max_threads, std::uint32_t kc) const {
    Plan plan = analytical_plan(CacheSizes{}, isa, kind, shape, m, 1);
    plan.tiling.kc = kc;
    return {isa, kind, shape, m, max_threads, plan};
  }
  [[nodiscard]] PlanChoice choose(std::span<const PlanRow> rows, Kind kind, std::size_t m, std::uint32_t threads,
                                  std::uint32_t nr = 0) const {
    return choose_plan({rows}, CacheSizes{}, isa, kind, shape, m, threads, nr);
  }
  [[nodiscard]] Plan analytical(Kind kind, std::size_t m, std::uint32_t threads) const {
    return analytical_plan(CacheSizes{}, isa, kind, shape, m, threads);
  }
};

TEST_F(PlanChoices, AnEmptyTableGivesTheAnalyticalPlan) {
  const PlanChoice choice = choose({}, swiglu, 64, 2);
  EXPECT_EQ(choice.origin, PlanOrigin::analytical);
  EXPECT_EQ(choice.row, nullptr);
  EXPECT_EQ(choice.plan, analytical(swiglu, 64, 2));
}

TEST_F(PlanChoices, ARowOfTheSameCellIsExactInItsWholeBucket) {
  const PlanRow rows[] = {row(swiglu, 128, 1, 11), row(swiglu, 256, 1, 12), row(swiglu, 256, 2, 13)};
  for (const std::size_t m : {129U, 200U, 256U}) {
    const PlanChoice choice = choose(rows, swiglu, m, 1);
    EXPECT_EQ(choice.origin, PlanOrigin::exact) << m;
    EXPECT_EQ(choice.row, &rows[1]) << m;
    EXPECT_EQ(choice.plan, rows[1].plan) << m;
  }
  EXPECT_EQ(choose(rows, swiglu, 128, 1).row, &rows[0]);
  EXPECT_EQ(choose(rows, swiglu, 256, 2).row, &rows[2]);
  EXPECT_EQ(choose(rows, swiglu, 256, 2).origin, PlanOrigin::exact);
}

TEST_F(PlanChoices, BetweenBucketsTheNextHigherIsBorrowed) {
  const PlanRow rows[] = {row(swiglu, 64, 1, 11), row(swiglu, 512, 1, 12), row(swiglu, 1024, 1, 13)};
  const PlanChoice choice = choose(rows, swiglu, 200, 1);
  EXPECT_EQ(choice.origin, PlanOrigin::borrowed);
  EXPECT_EQ(choice.row, &rows[1]);
}

TEST_F(PlanChoices, APlanForOneRowTileServesItsOwnBucketOnly) {
  const std::uint32_t tallest = register_tiles(isa).front().max_mr;
  const PlanRow rows[] = {row(swiglu, tallest, 1, 11), row(swiglu, 32, 1, 12)};
  EXPECT_EQ(choose(rows, swiglu, tallest, 1).row, &rows[0]);
  EXPECT_EQ(choose(rows, swiglu, 1, 1).row, nullptr);
  EXPECT_EQ(choose(rows, swiglu, std::size_t{tallest} * 2, 1).row, &rows[1]);
  // A row for a few full tiles does not serve many rows either.
  EXPECT_EQ(choose(rows, swiglu, 256, 1).row, nullptr);
}

TEST_F(PlanChoices, FewRowsWithWeightsInTheL3ArePlannedAnalyticallyAtTheirWidth) {
  const std::uint32_t last_nr = register_tiles(isa).back().nr;
  PlanRow rows[] = {row(swiglu, 1, 1, 11), row(swiglu, 8, 1, 12)};
  for (PlanRow& each : rows) each.plan = analytical_plan(CacheSizes{}, isa, swiglu, shape, each.m, 1, last_nr);
  CacheSizes caches;
  caches.hold_weights = true;
  const PlanChoice one = choose_plan({rows}, caches, isa, swiglu, shape, 1, 1);
  EXPECT_EQ(one.origin, PlanOrigin::analytical);
  EXPECT_EQ(one.plan, analytical_plan(caches, isa, swiglu, shape, 1, 1, last_nr));
  EXPECT_EQ(choose_plan({rows}, caches, isa, swiglu, shape, 8, 1).row, &rows[1]);
  caches.l3 = 1;
  EXPECT_EQ(choose_plan({rows}, caches, isa, swiglu, shape, 1, 1).row, &rows[0]);
}

TEST_F(PlanChoices, ABorrowedPlanThatUsedAllItsThreadsGetsMore) {
  PlanRow one = row(swiglu, 256, 1, 11);
  const PlanChoice choice = choose(std::span(&one, 1), swiglu, 256, 2);
  EXPECT_EQ(choice.origin, PlanOrigin::borrowed);
  EXPECT_EQ(choice.plan.tiling, one.plan.tiling);
  EXPECT_EQ(choice.plan.threads, 2U);
  // The row was allowed two threads and uses one, so more threads would not help.
  one.max_threads = 2;
  EXPECT_EQ(choose(std::span(&one, 1), swiglu, 256, 4).plan.threads, 1U);
}

TEST_F(PlanChoices, AnotherActivationOfTheSameWidthIsBorrowed) {
  const PlanRow rows[] = {row(geglu, 256, 1, 11)};
  const PlanChoice choice = choose(rows, swiglu, 256, 1);
  EXPECT_EQ(choice.origin, PlanOrigin::borrowed);
  EXPECT_EQ(choice.plan, rows[0].plan);
  const PlanRow both[] = {rows[0], row(swiglu, 256, 1, 12)};
  EXPECT_EQ(choose(both, swiglu, 256, 1).row, &both[1]);
}

// Weights of another type arrive at another pace, whatever else is the same.
TEST_F(PlanChoices, NothingIsBorrowedFromAnotherTypeOfWeights) {
  const Kind bf16{Activation::silu, true, WeightType::bf16};
  const PlanRow rows[] = {row(swiglu, 64, 1, 11), row(bf16, 128, 1, 12)};
  EXPECT_EQ(choose(rows, swiglu, 64, 1).row, &rows[0]);
  EXPECT_EQ(choose(rows, bf16, 128, 1).row, &rows[1]);
  EXPECT_EQ(choose(rows, bf16, 128, 1).origin, PlanOrigin::exact);
  EXPECT_EQ(choose(rows, bf16, 64, 1).row, &rows[1]) << "the same type in a larger bucket";
  const Kind f16{Activation::silu, true, WeightType::f16};
  EXPECT_EQ(choose(rows, f16, 64, 1).origin, PlanOrigin::analytical);
  EXPECT_EQ(tuned_nr({rows}, isa, f16, shape), 0U);
  // Nor is a plan transferred from another shape.
  const PlanChoice other = choose_plan({rows}, CacheSizes{}, isa, f16, {1024, 1024}, 64, 1);
  EXPECT_EQ(other.origin, PlanOrigin::analytical);
}

TEST_F(PlanChoices, RowsThatCannotServeAreIgnored) {
  PlanRow other_isa = row(swiglu, 256, 1, 11);
  other_isa.isa = Isa::neon;
  PlanRow too_many_threads = row(swiglu, 256, 1, 11);
  too_many_threads.plan.threads = 2;
  PlanRow invalid = row(swiglu, 256, 1, 11);
  invalid.plan.tiling.mr = 0;
  PlanRow another_m = row(swiglu, 2, 1, 11);
  PlanRow shapeless = row(swiglu, 256, 1, 11);
  shapeless.shape = {0, 0};
  for (const PlanRow& useless : {other_isa, too_many_threads, invalid, another_m, shapeless}) {
    const PlanChoice choice = choose(std::span(&useless, 1), swiglu, 256, 1);
    EXPECT_EQ(choice.origin, PlanOrigin::analytical);
    EXPECT_EQ(choice.plan, analytical(swiglu, 256, 1));
  }
  const PlanRow good = row(swiglu, 256, 1, 11);
  EXPECT_EQ(choose(std::span(&good, 1), swiglu, 256, 1, good.plan.tiling.nr).origin, PlanOrigin::exact);
  EXPECT_EQ(choose(std::span(&good, 1), swiglu, 256, 1, good.plan.tiling.nr + 1).origin, PlanOrigin::analytical);
}

// A shape that was not tuned gets the plan of the nearest shape in the same bucket. One thread and several are kept
// apart.
TEST_F(PlanChoices, WhatWasFoundForAnotherShapeIsTransferred) {
  const auto elsewhere = [&](Shape other, Kind kind, std::uint32_t m, std::uint32_t threads, std::uint32_t kc) {
    PlanRow made = row(kind, m, threads, kc);
    made.shape = other;
    made.plan.threads = threads;
    return made;
  };
  const PlanRow rows[] = {elsewhere({4096, 8192}, swiglu, 256, 1, 11), elsewhere({768, 1024}, swiglu, 256, 1, 12),
                          elsewhere({768, 1024}, swiglu, 64, 1, 13), elsewhere({768, 1024}, swiglu, 256, 2, 14),
                          elsewhere({768, 1024}, relu, 256, 1, 15)};
  const PlanChoice near = choose(rows, swiglu, 200, 1);
  EXPECT_EQ(near.origin, PlanOrigin::transferred);
  EXPECT_EQ(near.row, &rows[1]);
  EXPECT_EQ(near.plan, rows[1].plan);
  EXPECT_EQ(choose(rows, relu, 256, 1).row, &rows[4]);
  EXPECT_EQ(choose(rows, swiglu, 256, 2).row, &rows[3]);
  EXPECT_EQ(choose(rows, swiglu, 256, 4).row, &rows[3]);  // a row for two threads serves four
  EXPECT_EQ(choose(rows, swiglu, 256, 4).plan.threads, analytical(swiglu, 256, 4).threads);
  EXPECT_EQ(choose(rows, swiglu, 8, 1).origin, PlanOrigin::analytical);
  EXPECT_EQ(choose(std::span(rows).first(1), swiglu, 256, 1).row, &rows[0]);
  // A row of the shape itself is nearer, whatever its activation.
  const PlanRow own[] = {rows[1], row(geglu, 256, 1, 16)};
  EXPECT_EQ(choose(own, swiglu, 256, 1).origin, PlanOrigin::borrowed);
}

TEST_F(PlanChoices, WhatWasAllOfTheProblemThereIsAllOfItHere) {
  PlanRow small = row(swiglu, 256, 1, 96);
  small.shape = {64, 96};
  small.plan.tiling.fc = 2 * 96;
  const Tiling tiling = choose(std::span(&small, 1), swiglu, 256, 1).plan.tiling;
  EXPECT_GE(tiling.kc, shape.d_ff);
  EXPECT_GE(tiling.fc, 2 * shape.d_ff);
  small.plan.tiling.kc = 48;
  EXPECT_EQ(choose(std::span(&small, 1), swiglu, 256, 1).plan.tiling.kc, 48U);
}

// If the search for another shape kept the analytical plan, this shape keeps its own analytical plan.
TEST_F(PlanChoices, AnAnalyticalPlanThatStoodElsewhereStandsHere) {
  const Shape other{768, 2048};
  const PlanRow stood{isa, swiglu, other, 256, 2, analytical_plan(CacheSizes{}, isa, swiglu, other, 256, 2)};
  const PlanChoice choice = choose(std::span(&stood, 1), swiglu, 256, 2);
  EXPECT_EQ(choice.origin, PlanOrigin::transferred);
  EXPECT_EQ(choice.plan, analytical(swiglu, 256, 2));
}

// If the search at the end of a bucket found nothing better, each M of the bucket has its own analytical plan.
TEST_P(PlanChoicesOfIsa, OfAnAnalyticalPlanThatStoodEachRowCountHasItsOwn) {
  constexpr Shape shape{512, 1024};
  for (const std::uint32_t bucket : {4U, 8U, 16U, 64U, 256U}) {
    PlanRow row{GetParam(), swiglu, shape,
                bucket,     2,      analytical_plan(CacheSizes{}, GetParam(), swiglu, shape, bucket, 2)};
    for (std::size_t m = bucket / 2 + 1; m <= bucket; ++m) {
      const PlanChoice choice = choose_plan({{&row, 1}}, CacheSizes{}, GetParam(), swiglu, shape, m, 2);
      EXPECT_EQ(choice.origin, PlanOrigin::exact) << m;
      EXPECT_EQ(choice.plan, analytical_plan(CacheSizes{}, GetParam(), swiglu, shape, m, 2)) << m;
    }
    PlanRow found = row;
    found.plan.tiling.prefetch += 64;
    EXPECT_EQ(choose_plan({{&found, 1}}, CacheSizes{}, GetParam(), swiglu, shape, bucket / 2 + 1, 2).plan, found.plan);
  }
}

// A host may compile in a header that was exported on another machine or by another version.
TEST_F(PlanChoices, FromATableOfNonsenseIsAPlanThatRuns) {
  std::mt19937_64 random(20260131);
  const auto any = [&](std::initializer_list<std::uint32_t> values) {
    return values.begin()[random() % values.size()];
  };
  const auto extent = [&] { return any({0, 1, 8, 40, 41, 512, 1U << 28U, (1U << 28U) + 1, 0xFFFFFFFFU}); };
  std::vector<PlanRow> rows(40);
  int chosen = 0;
  for (int i = 0; i < 3000; ++i) {
    for (PlanRow& row : rows) {
      row = {static_cast<Isa>(any({0, 0, 0, 1, 2, 3, 200})),
             {static_cast<Activation>(any({0, 5, 77})), any({0, 1}) != 0},
             any({0, 1}) != 0 ? shape : Shape{any({0, 512}), any({0, 1024})},
             any({0, 1, 2, 64, 100, 256, 0xFFFFFFFFU}),
             any({0, 1, 2, 0xFFFFFFFFU}),
             {{.nr = any({8, 8, 0, 16, 5}),
               .mr = any({1, 4, 4, 0, 99}),
               .kc = extent(),
               .mc = extent(),
               .nc = any({8, 512, 0, 7}),
               .fc = any({8, 1024, 0, 7}),
               .prefetch = extent(),
               .pack_x = any({0, 1}) != 0,
               .schedule = static_cast<Schedule>(any({0, 1, 9}))},
              any({0, 1, 2, 5000})}};
    }
    const std::size_t m = any({1, 13, 64, 200});
    const PlanChoice choice = choose(rows, swiglu, m, 2);
    ASSERT_TRUE(validate(choice.plan, isa).ok()) << validate(choice.plan, isa).message();
    ASSERT_LE(choice.plan.threads, 2U);
    chosen += choice.origin == PlanOrigin::analytical ? 0 : 1;
    const std::uint32_t nr = tuned_nr({rows}, isa, swiglu, shape);
    ASSERT_TRUE(nr == 0 || nr == choice.plan.tiling.nr);
  }
  EXPECT_GT(chosen, 20);
}

TEST_P(PlanChoicesOfIsa, AnyTunedRowSetsTheWidthOfItsShape) {
  constexpr Shape shape{64, 96};
  const RegisterTile tile = register_tiles(GetParam()).back();
  const PlanRow rows[] = {
      {GetParam(), swiglu, shape, 1, 1, analytical_plan(CacheSizes{}, GetParam(), swiglu, shape, 1, 1, tile.nr)}};
  EXPECT_EQ(tuned_nr({rows}, GetParam(), swiglu, shape), tile.nr);
  EXPECT_EQ(tuned_nr({rows}, GetParam(), relu, shape), 0U);
  // A plan for M = 1 tells nothing about M = 256, except the panel width of the weights that both share.
  for (const std::size_t m : {1U, 256U})
    EXPECT_EQ(choose_plan({rows}, CacheSizes{}, GetParam(), swiglu, shape, m, 1).plan.tiling.nr, tile.nr) << m;

  const std::vector<float> weights(shape.d_model * shape.d_ff);
  const Weights w{.gate = {weights.data()}, .up = {weights.data()}, .down = {weights.data()}};
  const auto ffn = Ffn::pack(shape, swiglu, w, {.plans = {rows}, .isa = GetParam()});
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  EXPECT_EQ(ffn->plan(1, 1).origin, PlanOrigin::exact);
}

INSTANTIATE_TEST_SUITE_P(Isas, PlanChoicesOfIsa, every_isa(), isa_name);

}  // namespace
}  // namespace sluice::tests
