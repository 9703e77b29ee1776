// Every public call in the floating-point environments that a host may have: traps of all exceptions, other directions
// of rounding, denormals flushed. Nothing changes, nothing traps, and the environment stays what it was.
#include <array>
#include <cfenv>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

struct Environment {
  std::string what;
  int traps = 0;
  int rounding = FE_TONEAREST;
  bool flushes_denormals = false;
};

const std::vector<Environment>& environments() {
  static const std::vector<Environment> all{
      {"usual"},
      {"traps inexact results", FE_INEXACT},
      {"traps divisions by zero and invalid operations", FE_DIVBYZERO | FE_INVALID},
      {"traps everything, rounds upward", FE_ALL_EXCEPT, FE_UPWARD},
      {"rounds downward, flushes denormals", 0, FE_DOWNWARD, true},
      {"traps overflow and underflow, rounds toward zero", FE_OVERFLOW | FE_UNDERFLOW, FE_TOWARDZERO},
  };
  return all;
}

// What a call may not change. The flags of exceptions that have happened are not part of it.
struct Kept {
  int traps = fegetexcept();
  int rounding = std::fegetround();
#if defined(__x86_64__)
  unsigned flushing = _mm_getcsr() & (_MM_FLUSH_ZERO_MASK | _MM_DENORMALS_ZERO_MASK);
#else
  unsigned flushing = 0;
#endif
  bool operator==(const Kept&) const = default;
};

// Runs the call in the environment. Returns whether it left the environment as it was.
bool leaves_unchanged(const Environment& environment, const std::function<void()>& call) {
  std::fenv_t usual{};
  std::feholdexcept(&usual);
  std::fesetround(environment.rounding);
#if defined(__x86_64__)
  if (environment.flushes_denormals) _mm_setcsr(_mm_getcsr() | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON);
#endif
  feenableexcept(environment.traps);
  const Kept before;
  call();
  const Kept after;
  std::fesetenv(&usual);
  return before == after;
}

// The answers of one environment.
struct Answers {
  std::size_t workspace = 0;
  std::size_t workspace_of_plan = 0;
  std::uint32_t threads = 0;
  std::vector<Plan> plans;
  std::vector<std::vector<float>> y;
};

class FloatEnvironment : public testing::TestWithParam<Isa> {};

TEST_P(FloatEnvironment, ChangesNoAnswerAndIsKept) {
  const Isa isa = GetParam();
  const CacheSizes caches;
  constexpr std::array<std::uint32_t, 2> calls{1, 13};
  constexpr Shape tuned_shape{96, 160};
  std::vector<PlanRow> rows;
  for (const std::uint32_t m : calls)
    rows.push_back({isa, swiglu, tuned_shape, m, 2, analytical_plan(caches, isa, swiglu, tuned_shape, m, 2)});
  Answers usual;
  for (const Environment& environment : environments()) {
    SCOPED_TRACE(environment.what);
    Answers answers;
    // Without and with a table of plans, whose rows are compared by logarithms.
    for (const bool tuned : {false, true}) {
      for (const std::uint32_t m : calls) {
        const tuner::Case one{swiglu, {100, 170}, m, true, Order::in_out, false, false, 3};
        const tuner::Problem problem(one);
        ThreadPool pool(2);
        std::vector<float> y(m * one.shape.d_model);
        Status status;
        PlanOrigin origin{};
        EXPECT_TRUE(leaves_unchanged(environment, [&] {
          answers.threads = available_threads();
          const PlanTable table = tuned ? PlanTable{rows} : PlanTable{};
          Result<Ffn> packed = Ffn::pack(one.shape, swiglu, problem.weights(),
                                         {.plans = table, .isa = isa, .caches = caches, .executor = &pool});
          if (!packed.ok()) return;
          const Result<Ffn> ffn = packed->with_activation(Activation::gelu);
          if (!ffn.ok()) return;
          const Plan plan = analytical_plan(caches, isa, swiglu, one.shape, m, 2, ffn->nr());
          answers.plans.push_back(plan);
          const PlanChoice choice = ffn->plan(m, 2);
          origin = choice.origin;
          answers.plans.push_back(choice.plan);
          if (const auto size = ffn->workspace_size(m, plan); size.ok()) answers.workspace_of_plan = *size;
          if (const auto size = ffn->workspace_size(m, 2); size.ok()) answers.workspace = *size;
          const Workspace workspace(answers.workspace);
          status = ffn->forward(problem.x.data(), m, y.data(), workspace, {.executor = &pool});
        }));
        ASSERT_TRUE(status.ok()) << status.message();
        EXPECT_EQ(origin, tuned ? PlanOrigin::transferred : PlanOrigin::analytical);
        answers.y.push_back(y);
      }
    }
    ASSERT_EQ(answers.plans.size(), 8U);
    EXPECT_GT(answers.workspace, 0U);
    if (usual.y.empty()) usual = answers;
    EXPECT_EQ(answers.workspace, usual.workspace);
    EXPECT_EQ(answers.workspace_of_plan, usual.workspace_of_plan);
    EXPECT_EQ(answers.threads, usual.threads);
    EXPECT_EQ(answers.plans, usual.plans);
    for (std::size_t i = 0; i < answers.y.size(); ++i) EXPECT_TRUE(tuner::equal_bits(answers.y[i], usual.y[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, FloatEnvironment, every_isa(), isa_name);

}  // namespace
}  // namespace sluice::tests
