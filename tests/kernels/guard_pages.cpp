// Nothing outside the caller's memory is read or written: every operand lies next to a page that must not be touched,
// first at its low end, then at its high end, where it is aligned for a float and no more.
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

// The operands of a problem, without the padding behind their last rows.
struct GuardedProblem {
  GuardedProblem(const tuner::Problem& problem, Edge edge)
      : gate(trimmed(problem.gate, problem.up_ld, up_columns(problem)), edge),
        up(trimmed(problem.up, problem.up_ld, up_columns(problem)), edge),
        down(trimmed(problem.down, problem.down_ld, down_columns(problem)), edge),
        gate_bias(problem.gate_bias, edge),
        up_bias(problem.up_bias, edge),
        down_bias(problem.down_bias, edge),
        x(trimmed(problem.x, problem.ldx, problem.definition().shape.d_model), edge),
        y(trimmed(problem.y, problem.ldy, problem.definition().shape.d_model), edge) {
    weights = problem.weights();
    weights.up.data = up.floats();
    weights.down.data = down.floats();
    if (weights.gate.data != nullptr) {
      weights.gate.data = gate.floats();
    }
    if (weights.gate_bias != nullptr) {
      weights.gate_bias = gate_bias.floats();
    }
    if (weights.up_bias != nullptr) {
      weights.up_bias = up_bias.floats();
      weights.down_bias = down_bias.floats();
    }
  }

  static std::span<const float> trimmed(const std::vector<float>& values, std::size_t ld, std::size_t columns) {
    return std::span(values).first(values.empty() ? 0 : values.size() - (ld - columns));
  }
  static std::size_t up_columns(const tuner::Problem& problem) {
    const tuner::Case& one = problem.definition();
    return one.order == Order::in_out ? one.shape.d_ff : one.shape.d_model;
  }
  static std::size_t down_columns(const tuner::Problem& problem) {
    const tuner::Case& one = problem.definition();
    return one.order == Order::in_out ? one.shape.d_model : one.shape.d_ff;
  }

  GuardedMemory gate, up, down, gate_bias, up_bias, down_bias, x, y;
  Weights weights;
};

class GuardPages : public PerKernel {};

TEST_P(GuardPages, NothingOutsideTheOperandsIsTouched) {
  ThreadPool pool(2);
  for (const tuner::Case& one : tuner::standard_cases(kind(), coverage)) {
    SCOPED_TRACE(tuner::describe(one));
    const tuner::Problem problem(one);
    const Result<Ffn> plain = Ffn::pack(one.shape, kind(), problem.weights(), pack_options(isa()));
    ASSERT_TRUE(plain.ok()) << plain.status().message();
    const Result<std::vector<float>> expected = tuner::solve(*plain, problem, nullptr, &pool);
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    tuner::Random random(one.seed);
    const Plan plan = tuner::random_plan(random, isa(), kind(), plain->nr(), pool.max_threads());
    for (const Edge edge : {Edge::low, Edge::high}) {
      for (const Plan* chosen : {static_cast<const Plan*>(nullptr), &plan}) {
        const GuardedProblem guarded(problem, edge);
        const Result<Ffn> ffn = Ffn::pack(one.shape, kind(), guarded.weights, pack_options(isa()));
        ASSERT_TRUE(ffn.ok()) << ffn.status().message();
        const Result<std::size_t> size =
            chosen != nullptr ? ffn->workspace_size(one.m, *chosen) : ffn->workspace_size(one.m, pool.max_threads());
        ASSERT_TRUE(size.ok()) << size.status().message();
        const GuardedMemory scratch(*size, edge);
        const Workspace workspace(scratch.data(), scratch.size());
        ForwardOptions options;
        options.ldx = problem.ldx;
        options.ldy = problem.ldy;
        options.executor = &pool;
        options.plan = chosen;
        options.accumulate = one.accumulate;
        const Status status = ffn->forward(guarded.x.floats(), one.m, guarded.y.floats(), workspace, options);
        ASSERT_TRUE(status.ok()) << status.message();
        const std::span<const float> y(guarded.y.floats(), guarded.y.size() / sizeof(float));
        EXPECT_TRUE(tuner::equal_bits(y, std::span(*expected).first(y.size())));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GuardPages, every_kernel(), kernel_name);

// The guard itself works; without it the tests above would always pass.
TEST(GuardedMemoryDeathTest, DiesOnTheByteBeforeAndTheByteAfter) {
  testing::GTEST_FLAG(death_test_style) = "fast";
  const GuardedMemory low(100, Edge::low);
  const GuardedMemory high(100, Edge::high);
  EXPECT_DEATH(static_cast<volatile char*>(low.data())[-1] = 1, "");
  EXPECT_DEATH(static_cast<volatile char*>(high.data())[100] = 1, "");
  static_cast<volatile char*>(low.data())[99] = 1;
  static_cast<volatile char*>(high.data())[0] = 1;
}

}  // namespace
}  // namespace sluice::tests
