// A layer to be timed: it computes without prepare(), and whatever it was prepared for.
#include "tuner/workload/layer.hpp"

#include <gtest/gtest.h>

#include "tuner/base/failure.hpp"

namespace sluice::tuner {
namespace {

constexpr Shape small_shape{64, 96};
constexpr std::size_t rows = 8;

Plan plan_of(const Layer& layer, std::size_t m) {
  return analytical_plan(CacheSizes{}, Isa::scalar, {Activation::silu, true}, small_shape, m, 1, layer.nr());
}

TEST(Layer, ForwardWithoutPrepareIsTheSame) {
  ThreadPool pool(1);
  Layer prepared(small_shape, swiglu, Isa::scalar, 0, rows, 1);
  Layer bare(small_shape, swiglu, Isa::scalar, 0, rows, 1);
  const Plan plan = plan_of(bare, rows);
  prepared.prepare(rows, plan);
  prepared.forward(Activation::silu, rows, plan, pool);
  bare.forward(Activation::silu, rows, plan, pool);
  EXPECT_EQ(bare.y(), prepared.y());
  EXPECT_NE(bare.y(), std::vector<float>(bare.y().size()));
}

TEST(Layer, PortionsWithoutPrepareAreTheWholeWork) {
  ThreadPool pool(1);
  Layer layer(small_shape, swiglu, Isa::scalar, 0, rows, 1);
  const Plan plan = plan_of(layer, rows);
  double work = 0;
  for (int i = 0; i < 3; ++i) work += layer.forward_portion(Activation::silu, rows, plan, pool, 3);
  EXPECT_NEAR(work, 1, 1e-9);
}

TEST(Layer, OfSmallerWeightsTakesLessAndIsVerifiedAgainstTheSameOracle) {
  ThreadPool pool(1);
  const Kind bf16{Activation::silu, true, WeightType::bf16};
  EXPECT_LT(Layer::bytes_needed(small_shape, bf16, rows, 1 << 20),
            Layer::bytes_needed(small_shape, swiglu, rows, 1 << 20));
  Layer layer(small_shape, bf16, Isa::scalar, 0, rows, 1);
  EXPECT_EQ(layer.kind().weights, WeightType::bf16);
  PlanVerification verification = layer.verification(Activation::silu, rows);
  ASSERT_TRUE(verification.status().ok()) << verification.status().message();
  EXPECT_GT(verification.worst_error_over_bound(), 0.0);
  EXPECT_TRUE(verification.verify(plan_of(layer, rows), &pool).ok());
}

TEST(Layer, MoreRowsThanPreparedForAreComputed) {
  ThreadPool pool(1);
  Layer layer(small_shape, swiglu, Isa::scalar, 0, rows, 1);
  const Plan one_row = plan_of(layer, 1);
  const Plan all_rows = plan_of(layer, rows);
  layer.prepare(1, one_row);
  layer.prepare(rows, all_rows);
  layer.forward(Activation::silu, rows, all_rows, pool);
  EXPECT_NE(layer.y().back(), 0.0F);
}

}  // namespace
}  // namespace sluice::tuner
