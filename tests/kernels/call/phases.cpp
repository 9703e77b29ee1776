// Phases of a call: measuring them changes no bit of the answer, and the shares add up.
#include "kernels/call/phases.hpp"

#include <array>
#include <cstring>
#include <numeric>

#include "kernels/call/ffn_access.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

constexpr Shape shape{72, 200};
constexpr std::size_t row_count = 37;

std::uint64_t at(const detail::ThreadPhases& thread, detail::Phase phase) {
  return thread.ticks[static_cast<std::size_t>(phase)];
}

std::uint64_t sum(const detail::ThreadPhases& thread) {
  return std::accumulate(std::begin(thread.ticks), std::end(thread.ticks), std::uint64_t{0});
}

class PhasesOf : public PerIsa {};

TEST_P(PhasesOf, EveryScheduleGivesTheSameBitsAndSharesThatAddUp) {
  const tuner::Problem problem({swiglu, shape, row_count, true, Order::in_out, false, false, 3});
  const Result<Ffn> ffn = Ffn::pack(shape, swiglu, problem.weights(), pack_options(GetParam()));
  ASSERT_TRUE(ffn.ok());
  ThreadPool pool(2);
  for (const bool accumulate : {false, true}) {
    for (const bool pack_x : {false, true}) {
      for (const Schedule schedule : all_schedules()) {
        for (const std::uint32_t threads : {1U, 2U}) {
          Plan plan = ffn->plan(row_count, threads).plan;
          plan.threads = threads;
          plan.tiling.schedule = schedule;
          plan.tiling.pack_x = pack_x;
          plan.tiling.kc = 40;                  // several slices
          plan.tiling.fc = 2 * plan.tiling.nr;  // several F-blocks
          const Workspace workspace(*ffn->workspace_size(row_count, plan));
          const ForwardOptions options{.executor = &pool, .plan = &plan, .accumulate = accumulate};
          std::vector<float> plain(row_count * shape.d_model, 0.5F);
          std::vector<float> asked = plain;
          ASSERT_TRUE(ffn->forward(problem.x.data(), row_count, plain.data(), workspace, options).ok());
          std::array<detail::ThreadPhases, 2> stamps{};
          detail::Phases phases{.threads = stamps};
          ASSERT_TRUE(FfnAccess::forward(*ffn, problem.x.data(), row_count, asked.data(), workspace, options,
                                         {.phases = &phases})
                          .ok());
          EXPECT_EQ(std::memcmp(plain.data(), asked.data(), plain.size() * sizeof(float)), 0);
          EXPECT_EQ(phases.used, threads);
          for (std::uint32_t thread = 0; thread < threads; ++thread) {
            EXPECT_GT(sum(stamps[thread]), 0U);
            EXPECT_EQ(at(stamps[thread], detail::Phase::pack) != 0, pack_x);
          }
          // The caller is thread 0, and its phases lie within its call.
          EXPECT_LE(sum(stamps[0]), phases.total);
          const bool waits = threads == 2 && schedule != Schedule::split_rows;
          if (!waits) {
            EXPECT_EQ(at(stamps[0], detail::Phase::wait), 0U);
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, PhasesOf, every_isa(), isa_name);

// An executor that never has threads, so that the call runs on one.
class NoThreads final : public Executor {
 public:
  [[nodiscard]] std::uint32_t max_threads() const noexcept override { return 2; }
  bool run(std::uint32_t threads, void (*task)(void*, std::uint32_t), void* context) noexcept override {
    if (threads != 1) return false;
    task(context, 0);
    return true;
  }
};

TEST(Phases, SayHowManyThreadsTheCallRanOn) {
  const tuner::Problem problem({relu, shape, row_count, false, Order::in_out, false, false, 3});
  const Result<Ffn> ffn = Ffn::pack(shape, relu, problem.weights());
  ASSERT_TRUE(ffn.ok());
  NoThreads executor;
  Plan plan = ffn->plan(row_count, 2).plan;
  plan.threads = 2;
  const Workspace workspace(*ffn->workspace_size(row_count, plan));
  std::vector<float> y(row_count * shape.d_model);
  std::array<detail::ThreadPhases, 2> stamps{};
  detail::Phases phases{.threads = stamps};
  ASSERT_TRUE(FfnAccess::forward(*ffn, problem.x.data(), row_count, y.data(), workspace,
                                 {.executor = &executor, .plan = &plan}, {.phases = &phases})
                  .ok());
  EXPECT_EQ(phases.used, 1U);
  EXPECT_EQ(sum(stamps[1]), 0U);
}

}  // namespace
}  // namespace sluice::tests
