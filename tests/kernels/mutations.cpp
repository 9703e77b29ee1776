// The checks find real bugs: kernel bugs are planted in a copy of each ISA's table. The same verify() that the
// numerics tests rely on must reject each of them, and must accept the copy without a bug.
#include "kernels/call/ffn_access.hpp"
#include "tests/kernels/damaged_table.hpp"
#include "tests/kernels/support.hpp"
#include "tuner/workload/random_verification.hpp"

namespace sluice::tests {
namespace {

class Mutations : public PerKernel {
 protected:
  void SetUp() override {
    original = detail::kernel_table(isa(), kind().arithmetic);
    ASSERT_NE(original, nullptr);
    weight_type = kind().weights;
    damaged_arithmetic = kind().arithmetic;
  }

  static tuner::KernelVerdict verdict_with(Bug planted) {
    bug = planted;
    const DamagedTable damaged(*original);
    tuner::VerifyOptions options;
    options.coverage = tuner::Coverage::brief;
    options.to_the_end = false;
    options.pack = [&](Shape shape, Kind kind, const Weights& weights, const PackOptions& pack_options) {
      return FfnAccess::pack_with(damaged.table, shape, kind, weights, pack_options);
    };
    const Result<tuner::KernelVerdict> verdict = tuner::verify(isa(), kind(), options);
    bug = Bug::none;
    EXPECT_TRUE(verdict.ok()) << verdict.status().message();
    return verdict.ok() ? *verdict : tuner::KernelVerdict{};
  }
  // Where a bug cannot be it must change nothing: a law of the damaged table, for which an emulator is not needed.
  static void expect_caught_if(bool there, Bug planted) {
    if (there) {
      expect_caught(planted);
    } else if (!brief) {
      EXPECT_TRUE(verdict_with(planted).passed);
    }
  }
  static bool dots() { return kind().arithmetic != Arithmetic::f32; }
  static bool integers() { return dots() && kind().weights.group != 0; }
  static void expect_caught(Bug planted) {
    const tuner::KernelVerdict verdict = verdict_with(planted);
    EXPECT_FALSE(verdict.passed);
    EXPECT_NE(verdict.failure, "");
    RecordProperty("failure", verdict.failure);
  }
};

TEST_P(Mutations, TheCopiedTableItselfPasses) {
  const tuner::KernelVerdict copied = verdict_with(Bug::none);
  EXPECT_TRUE(copied.passed) << copied.failure;
  const Result<tuner::KernelVerdict> shipped = tuner::verify(isa(), kind(), {.coverage = tuner::Coverage::brief});
  ASSERT_TRUE(shipped.ok());
  EXPECT_EQ(copied.digest, shipped->digest);
}

TEST_P(Mutations, ALostTailIsCaught) { expect_caught(Bug::tail); }

TEST_P(Mutations, AForgottenBiasIsCaught) { expect_caught(Bug::bias); }

// A plain kind has no gate, and bilinear's may be swapped: there the bug must change nothing.
TEST_P(Mutations, GateSwappedWithUpIsCaught) {
  expect_caught_if(kind().gated && kind().activation != Activation::identity, Bug::gate_swapped_with_up);
}

TEST_P(Mutations, AStaleHIsCaught) { expect_caught(Bug::stale_h); }

TEST_P(Mutations, AWrongStartOfAKBlockIsCaught) { expect_caught(Bug::wrong_k_block_start); }

TEST_P(Mutations, StaleWidenedWeightsAreCaught) {
  expect_caught_if(kind().weights != WeightType::f32 && !dots(), Bug::stale_widened);
}

TEST_P(Mutations, ALostZeroOfTheCodesIsCaught) { expect_caught_if(integers(), Bug::lost_zero); }

// Whole columns have one scale.
TEST_P(Mutations, ScalesOfAnotherGroupAreCaught) {
  expect_caught_if(integers() && kind().weights.group != WeightType::whole_column, Bug::scales_of_another_group);
}

TEST_P(Mutations, ALostSignIsCaught) { expect_caught_if(dots(), Bug::lost_sign); }

TEST_P(Mutations, SaturationIsCaught) { expect_caught_if(dots(), Bug::saturated); }

TEST_P(Mutations, ALostShortGroupIsCaught) { expect_caught_if(dots(), Bug::short_group); }

// Random cases see the same bugs before many are drawn, and the text of one that failed repeats it: with the damaged
// table it fails again, with the shipped one it passes.
TEST_P(Mutations, AreCaughtByRandomCases) {
  constexpr std::size_t most_cases = 100;
  const DamagedTable damaged(*original);
  const tuner::PackFunction pack = [&](Shape shape, Kind kind, const Weights& weights, const PackOptions& options) {
    return FfnAccess::pack_with(damaged.table, shape, kind, weights, options);
  };
  const Kind functions[] = {kind()};
  const auto drawn = [&](std::size_t index) {
    tuner::RandomCase one = tuner::draw_problem(1, index, functions, kind().weights, kind().arithmetic);
    tuner::draw_plan(one, isa(), 3);
    return one;
  };
  EXPECT_EQ(tuner::verify(drawn(0), pack).failure, "");
  std::vector<Bug> planted{Bug::tail, Bug::bias, Bug::stale_h, Bug::wrong_k_block_start};
  if (integers()) planted.insert(planted.end(), {Bug::lost_zero, Bug::lost_sign, Bug::saturated, Bug::short_group});
  for (const Bug one : planted) {
    SCOPED_TRACE(static_cast<int>(one));
    bug = one;
    std::size_t index = 0;
    while (index < most_cases && tuner::verify(drawn(index), pack).failure.empty()) ++index;
    EXPECT_LT(index, most_cases);
    const Result<tuner::RandomCase> read = tuner::parse_random_case(tuner::describe(drawn(index)));
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_NE(tuner::verify(*read, pack).failure, "");
    bug = Bug::none;
    EXPECT_EQ(tuner::verify(*read).failure, "");
  }
}

// The bugs hardly depend on the activation; an emulator need not repeat them for each.
std::vector<Kind> mutated_kinds() {
  if (!brief) {
    std::vector<Kind> kinds = tested_kinds();
    std::erase_if(kinds, [](Kind kind) { return kind.weights.group == 64 || kind.weights.group == 128; });
    return kinds;
  }
  return {relu,
          bilinear,
          swiglu,
          {Activation::silu, true, WeightType::bf16},
          {Activation::silu, true, WeightType::f16},
          {Activation::silu, true, WeightType::bf16, Arithmetic::bf16},
          {Activation::silu, true, WeightType::int8(32), Arithmetic::int8},
          {Activation::silu, true, WeightType::int4(64), Arithmetic::int8}};
}

INSTANTIATE_TEST_SUITE_P(Kernels, Mutations,
                         testing::Combine(testing::ValuesIn(all_runnable()), testing::ValuesIn(mutated_kinds())),
                         kernel_name);

}  // namespace
}  // namespace sluice::tests
