// Portions of a call: together they compute each panel once, and each tells rightly what part of the work it was.
#include "kernels/call/portion.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/call/ffn_access.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

constexpr Shape shape{200, 328};
constexpr std::size_t row_count = 37;

class PortionsOf : public PerIsa {};

// With a single block a whole forward leaves all of H and the packed x in the workspace. So the down stage of every
// portion finds its operands and writes its own panels of y.
TEST_P(PortionsOf, TogetherWriteEachElementOnce) {
  const tuner::Problem problem({swiglu, shape, row_count, true, Order::in_out, false, false, 3});
  const Result<Ffn> ffn = Ffn::pack(shape, swiglu, problem.weights(), pack_options(GetParam()));
  ASSERT_TRUE(ffn.ok());
  ThreadPool pool(3);
  for (const bool pack_x : {false, true}) {
    for (const Schedule schedule : all_schedules()) {
      for (const std::uint32_t threads : {1U, 3U}) {
        for (const std::uint32_t count : {1U, 2U, 3U, 64U}) {
          Plan plan = ffn->plan(row_count, threads).plan;
          plan.threads = threads;
          plan.tiling.schedule = schedule;
          plan.tiling.pack_x = pack_x;
          plan.tiling.kc = 40;
          plan.tiling.nc = 2 * plan.tiling.nr;
          plan.tiling.mc = row_count;
          plan.tiling.fc = 1U << 20U;
          const Workspace workspace(*ffn->workspace_size(row_count, plan));
          const ForwardOptions options{.executor = &pool, .plan = &plan};
          std::vector<float> expected(row_count * shape.d_model);
          ASSERT_TRUE(ffn->forward(problem.x.data(), row_count, expected.data(), workspace, options).ok());
          std::vector<int> written(expected.size(), 0);
          double sum = 0;
          for (std::uint32_t index = 0; index < count; ++index) {
            std::vector<float> y(expected.size(), std::numeric_limits<float>::quiet_NaN());
            double work = -1;
            ASSERT_TRUE(FfnAccess::forward(*ffn, problem.x.data(), row_count, y.data(), workspace, options,
                                           {.portion = {index, count}, .work = &work})
                            .ok());
            std::size_t here = 0;
            for (std::size_t i = 0; i < y.size(); ++i) {
              if (std::isnan(y[i])) continue;
              ASSERT_EQ(y[i], expected[i]) << "element " << i << " of portion " << index << " of " << count;
              ++written[i];
              ++here;
            }
            // A portion has the same part of the down stage as of the up stage, except for panels that do not divide.
            const double down = static_cast<double>(here) / static_cast<double>(y.size());
            EXPECT_NEAR(work, down, 3.0 * plan.tiling.nr / static_cast<double>(shape.d_model));
            sum += work;
          }
          EXPECT_NEAR(sum, 1, 1e-12);
          for (const int times : written) ASSERT_EQ(times, 1);
        }
      }
    }
  }
}

// With several F-blocks and blocks of rows the shares still add up.
TEST_P(PortionsOf, WorkAddsUpOverBlocks) {
  const tuner::Problem problem({relu, shape, row_count, false, Order::in_out, false, false, 3});
  const Result<Ffn> ffn = Ffn::pack(shape, relu, problem.weights(), pack_options(GetParam()));
  ASSERT_TRUE(ffn.ok());
  Plan plan = ffn->plan(row_count, 1).plan;
  plan.tiling.fc = 3 * plan.tiling.nr;
  plan.tiling.mc = 2 * plan.tiling.mr;
  const Workspace workspace(*ffn->workspace_size(row_count, plan));
  std::vector<float> y(row_count * shape.d_model);
  double sum = 0;
  for (std::uint32_t index = 0; index < 4; ++index) {
    double work = 0;
    ASSERT_TRUE(FfnAccess::forward(*ffn, problem.x.data(), row_count, y.data(), workspace,
                                   {.max_threads = 1, .plan = &plan}, {.portion = {index, 4}, .work = &work})
                    .ok());
    EXPECT_GT(work, 0);
    EXPECT_LT(work, 0.7);
    sum += work;
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(, PortionsOf, every_isa(), isa_name);

}  // namespace
}  // namespace sluice::tests
