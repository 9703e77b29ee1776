// What a smaller type costs in accuracy: known in size from the bits it has, and told apart from the arithmetic's
// error.
#include "tuner/workload/accuracy.hpp"

#include <cmath>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

class Accuracies : public PerIsa {};

TEST_P(Accuracies, RoundedWeightsErrAsTheirBitsSay) {
  for (const tuner::Operands operands : tuner::all_operands) {
    SCOPED_TRACE(name(operands));
    double last = 0;
    for (const WeightType type : {WeightType::f32, WeightType::f16, WeightType::bf16}) {
      const Result<tuner::Accuracy> found = tuner::accuracy(GetParam(), {Activation::silu, true, type}, operands);
      ASSERT_TRUE(found.ok()) << found.status().message();
      // Some hundred roundings of 2⁻²⁴ at most, which mostly cancel; and float32 does round.
      EXPECT_GT(found->arithmetic, 0x1p-26);
      EXPECT_LT(found->arithmetic, 0x1p-24 * 64);
      if (type == WeightType::f32) {
        EXPECT_EQ(found->weights, 0.0);
        continue;
      }
      // A value rounded to p bits errs by 2⁻ᵖ/√3 of its power of two, so by 0.35 to 0.58 of 2⁻ᵖ; three matrices add up.
      const double half_step = type == WeightType::f16 ? 0x1p-11 : 0x1p-8;
      EXPECT_GT(found->weights, 0.35 * half_step);
      EXPECT_LT(found->weights, 3 * half_step);
      EXPECT_GT(found->weights, 4 * last) << "bf16 has three bits less than f16";
      last = found->weights;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, Accuracies, every_isa(), isa_name);

// The same bits, so the same errors.
TEST(AccuraciesOfIsas, AreTheSame) {
  const Kind kind{Activation::relu, false, WeightType::bf16};
  const Result<tuner::Accuracy> expected = tuner::accuracy(Isa::scalar, kind, tuner::Operands::normal);
  ASSERT_TRUE(expected.ok());
  for (const Isa isa : runnable_isas()) {
    const Result<tuner::Accuracy> found = tuner::accuracy(isa, kind, tuner::Operands::normal);
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found->arithmetic, expected->arithmetic) << name(isa);
  }
}

}  // namespace
}  // namespace sluice::tests
