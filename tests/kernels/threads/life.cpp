// Before and after main: dispatch that an early constructor asks for, and forward in what runs last. Each case's
// process goes through all of it; what is wrong after main ends it with a code of its own.
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

constexpr int wrong_after_main = 77;
constexpr unsigned patience_seconds = 60;

// What the instruction sets were when the first constructors ran.
struct Early {
  Early() noexcept : best(runnable_isas().back()) {}
  Isa best;
};
[[gnu::init_priority(101)]] const Early early;

struct Layer {
  tuner::Case one{swiglu, {256, 512}, 8, true, Order::in_out, false, false, 7};
  tuner::Problem problem{one};
  Result<Ffn> ffn = Ffn::pack(one.shape, swiglu, problem.weights());
  std::vector<float> expected;

  // With the threads of the process-wide pool as long as there are some.
  [[nodiscard]] std::vector<float> forward() const {
    const Plan plan = analytical_plan(CacheSizes{}, ffn->isa(), swiglu, one.shape, one.m, 2, ffn->nr());
    const Result<std::size_t> size = ffn->workspace_size(one.m, plan);
    const Workspace workspace(size ? *size : 0);
    std::vector<float> y(one.m * one.shape.d_model);
    const Status status = ffn->forward(problem.x.data(), one.m, y.data(), workspace,
                                       {.plan = ThreadPool::process_wide().max_threads() > 1 ? &plan : nullptr});
    return status.ok() ? y : std::vector<float>{};
  }
};

Layer& layer() {
  static auto* const made = new Layer;  // outlives everything
  return *made;
}

void check_after_main() {
  ::alarm(patience_seconds);  // a call that hangs ends the process
  if (!layer().expected.empty() && !tuner::equal_bits(layer().expected, layer().forward())) ::_exit(wrong_after_main);
}

// All of these were made before the pool, so they end after its threads.
struct Late {
  Late() { (void)std::atexit(check_after_main); }
  ~Late() { check_after_main(); }
};
const Late late;
struct OfThread {
  ~OfThread() { check_after_main(); }
};
thread_local const OfThread of_thread;

TEST(Life, AnEarlyConstructorFindsAllInstructionSets) {
  EXPECT_EQ(early.best, runnable_isas().back());
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    EXPECT_NE(early.best, Isa::scalar);
  }
#endif
}

TEST(Life, ForwardWorksInDestructorsOfGlobalsInAtexitAndOfThreads) {
  (void)&of_thread;
  layer().expected = layer().forward();
  ASSERT_FALSE(layer().expected.empty());
}

TEST(Life, AForkedChildMayCallAndExit) {
  if (!forks_may_start_threads) {
    GTEST_SKIP() << "a forked child cannot start threads here";
  }
  layer().expected = layer().forward();
  ASSERT_FALSE(layer().expected.empty());
  EXPECT_EXIT(std::exit(tuner::equal_bits(layer().expected, layer().forward()) ? 0 : 1), testing::ExitedWithCode(0),
              "");
}

}  // namespace
}  // namespace sluice::tests
