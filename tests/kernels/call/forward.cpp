// The contract of forward: which calls are errors, and what hosts with threads and forks can rely on.
#include <sys/wait.h>

#include <atomic>
#include <limits>
#include <thread>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

constexpr Shape small_shape{40, 72};
constexpr std::size_t row_count = 21;

// A packed swiglu with room for one call.
class Forward : public testing::Test {
 protected:
  Forward()
      : problem_({swiglu, small_shape, row_count, true, Order::in_out, false, false, 5}),
        ffn_(*Ffn::pack(small_shape, swiglu, problem_.weights())),
        workspace_(*ffn_.workspace_size(row_count)),
        y_(row_count * small_shape.d_model, -1.0F) {}

  Status forward(const ForwardOptions& options = {}) {
    return ffn_.forward(problem_.x.data(), row_count, y_.data(), workspace_, options);
  }
  // Expects that the call failed with this code and left y unchanged.
  void expect_refused(const Status& status, Code code, const std::string& word) {
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(std::string(status.message()).find(word), std::string::npos) << status.message();
    EXPECT_EQ(std::string(status.message()).find('\n'), std::string::npos) << status.message();
    for (const float value : y_) {
      EXPECT_EQ(value, -1.0F);
    }
  }

  tuner::Problem problem_;
  Ffn ffn_;
  Workspace workspace_;
  std::vector<float> y_;
};

TEST_F(Forward, NullOperandsAreRefused) {
  expect_refused(ffn_.forward(nullptr, row_count, y_.data(), workspace_), Code::invalid_argument, "x");
  expect_refused(ffn_.forward(problem_.x.data(), row_count, nullptr, workspace_), Code::invalid_argument, "y");
}

TEST_F(Forward, RowsOfYMayNotOverlap) {
  expect_refused(forward({.ldy = small_shape.d_model - 1}), Code::invalid_argument, "ldy");
}

TEST_F(Forward, ATooSmallWorkspaceIsRefused) {
  std::vector<float> memory(workspace_.size() / sizeof(float) + 1);
  const Result<std::size_t> needed = ffn_.workspace_size(row_count, ffn_.plan(row_count, 1).plan);
  ASSERT_TRUE(needed.ok());
  const Workspace small(memory.data(), *needed - 1);
  expect_refused(ffn_.forward(problem_.x.data(), row_count, y_.data(), small, {.max_threads = 1}),
                 Code::invalid_argument, "workspace");
  const Status none = ffn_.forward(problem_.x.data(), row_count, y_.data(), Workspace());
  EXPECT_FALSE(none.ok());
  expect_refused(none, none.code(), "workspace");
  const Workspace enough(memory.data(), *needed);
  EXPECT_TRUE(ffn_.forward(problem_.x.data(), row_count, y_.data(), enough, {.max_threads = 1}).ok());
}

TEST_F(Forward, APlanThatCannotRunHereIsAStatus) {
  Plan plan = ffn_.plan(row_count, 1).plan;
  plan.tiling.mr = 1000;
  expect_refused(forward({.plan = &plan}), Code::invalid_argument, "mr");
  plan = ffn_.plan(row_count, 1).plan;
  plan.tiling.nr += 2;
  expect_refused(forward({.plan = &plan}), Code::invalid_argument, "nr");
  for (const Isa isa : runnable_isas()) {
    for (const RegisterTile& tile : register_tiles(isa)) {
      if (tile.nr != ffn_.nr()) {
        plan = analytical_plan(CacheSizes{}, isa, swiglu, small_shape, row_count, 1, tile.nr);
        expect_refused(forward({.plan = &plan}), Code::invalid_argument, "nr");
      }
    }
  }
}

TEST_F(Forward, APlanWithMoreThreadsThanTheExecutorIsRefused) {
  ThreadPool pool(2);
  Plan plan = ffn_.plan(row_count, 1).plan;
  plan.threads = 3;
  std::vector<float> memory(*ffn_.workspace_size(row_count, plan) / sizeof(float) + 1);
  const Workspace workspace(memory.data(), memory.size() * sizeof(float));
  expect_refused(ffn_.forward(problem_.x.data(), row_count, y_.data(), workspace, {.executor = &pool, .plan = &plan}),
                 Code::invalid_argument, "threads");
}

TEST_F(Forward, NoRowsAreFine) {
  EXPECT_TRUE(ffn_.forward(problem_.x.data(), 0, y_.data(), workspace_).ok());
  EXPECT_TRUE(ffn_.forward(nullptr, 0, nullptr, Workspace()).ok());
  EXPECT_EQ(y_.front(), -1.0F);
}

TEST_F(Forward, SizesThatOverflowAreTooLarge) {
  constexpr std::size_t huge = std::numeric_limits<std::size_t>::max() / 2;
  const float one = 1;
  const Weights weights{{&one}, {&one}, {&one}};
  constexpr std::size_t square_overflows = std::size_t{1} << 33U;
  for (const Shape shape :
       {Shape{huge, huge}, Shape{huge, 1}, Shape{1, huge}, Shape{square_overflows, square_overflows}}) {
    const Result<Ffn> ffn = Ffn::pack(shape, swiglu, weights);
    ASSERT_FALSE(ffn.ok());
    EXPECT_EQ(ffn.status().code(), Code::too_large) << ffn.status().message();
  }
  // The workspace holds blocks of rows, not all of them.
  EXPECT_TRUE(ffn_.workspace_size(huge).ok());
  EXPECT_EQ(*ffn_.workspace_size(1, std::numeric_limits<std::uint32_t>::max()),
            *ffn_.workspace_size(1, max_plan_threads));
  expect_refused(ffn_.forward(problem_.x.data(), huge, y_.data(), workspace_), Code::too_large, "m = ");
  expect_refused(forward({.ldx = huge}), Code::too_large, "stride");
  expect_refused(forward({.ldy = huge}), Code::too_large, "stride");
}

TEST_F(Forward, TheWorkspaceForManyRowsServesFewerRowsAndThreads) {
  const Result<std::size_t> size = ffn_.workspace_size(300, 3);
  ASSERT_TRUE(size.ok()) << size.status().message();
  const Workspace workspace(*size);
  ThreadPool pool(3);
  tuner::Random random(9);
  std::vector<float> x(300 * small_shape.d_model);
  std::generate(x.begin(), x.end(), [&] { return random.value(1.0F); });
  std::vector<float> y(x.size());
  for (std::size_t m = 1; m <= 300; m += brief ? 13 : 1) {
    for (const std::uint32_t threads : {1U, 2U, 3U}) {
      const Status status = ffn_.forward(x.data(), m, y.data(), workspace, {.max_threads = threads, .executor = &pool});
      ASSERT_TRUE(status.ok()) << m << " rows: " << status.message();
    }
  }
}

// Blocks are balanced, so fewer rows may make taller blocks.
TEST_F(Forward, TheWorkspaceForManyRowsServesFewerUnderAnyPlan) {
  const Isa isa = ffn_.isa();
  tuner::Random random(10);
  for (const std::uint32_t mc : {3U, 7U, 90U, 100U, 102U, 127U, 200U}) {
    PlanRow row{isa, swiglu, small_shape, 256, 1, analytical_plan(CacheSizes{}, isa, swiglu, small_shape, 256, 1)};
    row.plan.tiling.mc = mc;
    PackOptions options = pack_options(isa);
    options.plans = {std::span(&row, 1)};
    const Result<Ffn> ffn = Ffn::pack(small_shape, swiglu, problem_.weights(), options);
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    for (const std::size_t max_m : {128U, 256U, 250U}) {
      const std::size_t size = *ffn->workspace_size(max_m, 1);
      for (std::size_t m = 1; m <= max_m; ++m) {
        EXPECT_LE(*ffn->workspace_size(m, ffn->plan(m, 1).plan), size) << m << " of " << max_m << " rows, mc " << mc;
      }
    }
  }
}

// Fewer rows may use fewer threads and another schedule.
TEST_F(Forward, TheWorkspaceForManyRowsServesFewerRowsOfAnyShape) {
  for (const Shape shape : {Shape{64, 96}, Shape{96, 96}, Shape{256, 72}, Shape{72, 512}, Shape{200, 300}}) {
    const std::vector<float> zeros(shape.d_model * shape.d_ff);
    const Result<Ffn> ffn =
        Ffn::pack(shape, swiglu, {{zeros.data()}, {zeros.data()}, {zeros.data()}}, pack_options(ffn_.isa()));
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    for (const std::size_t max_m : {51U, 64U, 77U, 200U, 256U, 300U}) {
      const std::size_t size = *ffn->workspace_size(max_m, 6);
      for (std::size_t m = 1; m <= max_m; ++m) {
        for (std::uint32_t threads = 1; threads <= 6; ++threads) {
          EXPECT_LE(*ffn->workspace_size(m, ffn->plan(m, threads).plan), size)
              << shape.d_model << "x" << shape.d_ff << ", " << m << " of " << max_m << " rows, " << threads
              << " threads";
        }
      }
    }
  }
}

TEST_F(Forward, MaxThreadsLimitsThePlan) {
  struct Counting final : Executor {
    [[nodiscard]] std::uint32_t max_threads() const noexcept override { return pool.max_threads(); }
    bool run(std::uint32_t threads, void (*task)(void*, std::uint32_t), void* context) noexcept override {
      most = std::max(most, threads);
      return pool.run(threads, task, context);
    }
    ThreadPool pool{4};
    std::uint32_t most = 0;
  } executor;
  const Workspace workspace(*ffn_.workspace_size(row_count, 4));
  for (const std::uint32_t limit : {1U, 2U, 4U}) {
    executor.most = 0;
    const Status status =
        ffn_.forward(problem_.x.data(), row_count, y_.data(), workspace, {.max_threads = limit, .executor = &executor});
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_LE(executor.most, limit);
    EXPECT_LE(ffn_.plan(row_count, limit).plan.threads, limit);
  }
}

// With an executor that cannot start its threads the call fails without writing y, or gives the whole answer.
TEST_F(Forward, AnExecutorThatRefusesIsNoCrash) {
  struct Refusing final : Executor {
    [[nodiscard]] std::uint32_t max_threads() const noexcept override { return 2; }
    bool run(std::uint32_t, void (*)(void*, std::uint32_t), void*) noexcept override { return false; }
  } executor;
  Plan plan = ffn_.plan(row_count, 1).plan;
  plan.threads = 2;
  const Workspace workspace(*ffn_.workspace_size(row_count, plan));
  const Status status =
      ffn_.forward(problem_.x.data(), row_count, y_.data(), workspace, {.executor = &executor, .plan = &plan});
  const Result<std::vector<float>> expected = tuner::solve(ffn_, problem_);
  ASSERT_TRUE(expected.ok());
  EXPECT_TRUE(status.ok() ? tuner::equal_bits(y_, *expected) : y_.front() == -1.0F) << status.message();
}

TEST_F(Forward, TwoThreadsMayCallOneFfn) {
  const Result<std::vector<float>> expected = tuner::solve(ffn_, problem_);
  ASSERT_TRUE(expected.ok());
  std::atomic<int> wrong{0};
  const auto host = [&] {
    const Workspace workspace(*ffn_.workspace_size(row_count));
    std::vector<float> y(y_.size());
    for (int round = 0; round < 50; ++round) {
      std::fill(y.begin(), y.end(), 0.0F);
      if (!ffn_.forward(problem_.x.data(), row_count, y.data(), workspace).ok() || !tuner::equal_bits(y, *expected)) {
        ++wrong;
      }
    }
  };
  std::thread other(host);
  host();
  other.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Forward, WorksInAForkedChild) {
  if (!forks_may_start_threads) {
    GTEST_SKIP() << "threads of a forked child are beyond the emulator or sanitizer";
  }
  ThreadPool pool(3);
  Plan plan = ffn_.plan(row_count, 3).plan;
  plan.threads = 3;
  const Result<std::vector<float>> expected = tuner::solve(ffn_, problem_, &plan, &pool);
  ASSERT_TRUE(expected.ok());
  ASSERT_TRUE(forward().ok());  // the process-wide pool has started
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    const Result<std::vector<float>> own_pool = tuner::solve(ffn_, problem_, &plan, &pool);
    const Result<std::vector<float>> shared_pool = tuner::solve(ffn_, problem_);
    _exit(own_pool.ok() && shared_pool.ok() && tuner::equal_bits(*own_pool, *expected) &&
                  tuner::equal_bits(*shared_pool, *expected)
              ? 0
              : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(Forward, WithActivationSharesTheWeights) {
  const Result<Ffn> other = ffn_.with_activation(Activation::gelu);
  ASSERT_TRUE(other.ok()) << other.status().message();
  EXPECT_EQ(other->kind(), geglu);
  const Result<Ffn> packed = Ffn::pack(small_shape, geglu, problem_.weights());
  ASSERT_TRUE(packed.ok());
  const auto left = tuner::solve(*other, problem_);
  const auto right = tuner::solve(*packed, problem_);
  ASSERT_TRUE(left.ok() && right.ok());
  EXPECT_TRUE(tuner::equal_bits(*left, *right));
  EXPECT_EQ(ffn_.kind(), swiglu);
  // No plain kind has a sigmoid: silu → sigmoid would name nothing.
  const Result<Ffn> plain = Ffn::pack(small_shape, silu, {{}, problem_.weights().up, problem_.weights().down});
  ASSERT_TRUE(plain.ok()) << plain.status().message();
  EXPECT_EQ(plain->with_activation(Activation::sigmoid).status().code(), Code::invalid_argument);
}

TEST(Forwarding, AccumulatesOntoTheStoredY) {
  const float x = 2, up = 3, down = 1, down_bias = 10;
  const Result<Ffn> ffn = Ffn::pack({1, 1}, relu, {{}, {&up}, {&down}, nullptr, nullptr, &down_bias});
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  const Workspace workspace(*ffn->workspace_size(1));
  float y = 100;
  ASSERT_TRUE(ffn->forward(&x, 1, &y, workspace, {.accumulate = true}).ok());
  EXPECT_EQ(y, 116.0F);
  ASSERT_TRUE(ffn->forward(&x, 1, &y, workspace).ok());
  EXPECT_EQ(y, 16.0F);
}

TEST(Forwarding, UsesThePlanTableAndSaysSo) {
  const tuner::Problem problem({swiglu, small_shape, row_count, true, Order::in_out, false, false, 5});
  const Isa isa = runnable_isas().back();
  Plan plan = analytical_plan(CacheSizes{}, isa, swiglu, small_shape, row_count, 1);
  plan.tiling.kc = 17;
  const PlanRow row{isa, swiglu, small_shape, m_bucket(row_count), 1, plan};
  PackOptions options = pack_options(isa);
  options.plans = {std::span(&row, 1)};
  const Result<Ffn> ffn = Ffn::pack(small_shape, swiglu, problem.weights(), options);
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  EXPECT_EQ(ffn->plan(row_count, 1).origin, PlanOrigin::exact);
  EXPECT_EQ(ffn->plan(row_count, 1).plan, plan);
  EXPECT_EQ(ffn->plan(row_count, 1).row, &row);
  const Result<Ffn> plain = Ffn::pack(small_shape, swiglu, problem.weights(), pack_options(isa));
  ASSERT_TRUE(plain.ok()) << plain.status().message();
  const auto left = tuner::solve(*ffn, problem);
  const auto right = tuner::solve(*plain, problem);
  ASSERT_TRUE(left.ok() && right.ok());
  EXPECT_TRUE(tuner::equal_bits(*left, *right));
}

}  // namespace
}  // namespace sluice::tests
