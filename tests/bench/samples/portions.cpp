// The number of portions of a forward, and that a layer goes through all of them.
#include "bench/samples/portions.hpp"

#include <gtest/gtest.h>

#include "sluice/executor.hpp"
#include "tuner/workload/layer.hpp"

namespace sluice::bench {
namespace {

constexpr Shape shape{2048, 5632};

Plan plan_of(std::uint32_t threads, std::uint32_t fc = 1U << 20U) {
  return {{.nr = 16, .mr = 6, .kc = 256, .mc = 64, .nc = 160, .fc = fc}, threads};
}

TEST(Portions, ShortForwardsStayWhole) {
  EXPECT_EQ(portions(0, shape, plan_of(1)), 1U);
  EXPECT_EQ(portions(0.039, shape, plan_of(1)), 1U);
}

TEST(Portions, LongOnesAreDividedIntoTwentyMilliseconds) {
  EXPECT_EQ(portions(0.19, shape, plan_of(1)), 10U);
  EXPECT_EQ(portions(0.041, shape, plan_of(1)), 3U);
}

TEST(Portions, EveryThreadKeepsAFewPanelsOfEachStage) {
  EXPECT_EQ(portions(10, shape, plan_of(1)), 16U);
  EXPECT_EQ(portions(10, shape, plan_of(4)), 4U);
  EXPECT_EQ(portions(10, shape, plan_of(64)), 1U);
  EXPECT_EQ(portions(10, shape, plan_of(1, 512)), 4U);
  EXPECT_EQ(portions(10, {16, 64}, plan_of(1)), 1U);
}

TEST(Portions, ALayerGoesThroughAllWhoeverAsks) {
  const Isa isa = runnable_isas().back();
  tuner::Layer layer({512, 512}, swiglu, isa, 0, 4, 0);
  const Plan plan = analytical_plan({}, isa, swiglu, layer.shape(), 4, 1, layer.nr());
  ThreadPool pool(1);
  layer.prepare(4, plan);
  double work = 0;
  for (int i = 0; i < 3; ++i) {
    work += layer.forward_portion(Activation::silu, 4, plan, pool, 6);
    work += layer.forward_portion(Activation::gelu, 4, plan, pool, 6);
  }
  EXPECT_NEAR(work, 1, 1e-12);
}

}  // namespace
}  // namespace sluice::bench
