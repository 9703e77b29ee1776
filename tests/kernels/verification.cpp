// The tools of verification: numbers that are the same everywhere, the comparison, the digest, the check of plans.
#include <cmath>
#include <limits>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

// Whether the verification accepts the plan.
bool verify_plan(const Ffn& ffn, const Weights& weights, const Plan& plan, std::size_t m,
                 Executor* executor = nullptr) {
  tuner::Random random(m);
  std::vector<float> x(m * ffn.shape().d_model);
  for (float& value : x) value = random.value(1.0F);
  tuner::PlanVerification verification(ffn, weights, x, m);
  return verification.verify(plan, executor).ok();
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// xoshiro256** with its state from splitmix64, computed by the authors' definitions in another language.
TEST(Random, GivesTheSameNumbersEverywhere) {
  tuner::Random random(42);
  EXPECT_EQ(random.next(), 0x15780b2e0c2ec716U);
  EXPECT_EQ(random.next(), 0x6104d9866d113a7eU);
  for (int trial = 0; trial < 1000; ++trial) {
    const float value = random.value(2.0F);
    EXPECT_GE(value, -2.0F);
    EXPECT_LT(value, 2.0F);
    EXPECT_EQ(value, std::nearbyint(value * 0x1p22F) * 0x1p-22F);
    const std::uint64_t integer = random.between(3, 5);
    EXPECT_GE(integer, 3U);
    EXPECT_LE(integer, 5U);
  }
}

TEST(Digest, IsFnv1aOfTheBitsWithOneNan) {
  tuner::Digest empty;
  EXPECT_EQ(empty.value(), 0xcbf29ce484222325U);
  tuner::Digest one;
  one.add(std::vector<float>{1.0F});  // 00 00 80 3f
  EXPECT_EQ(one.value(), 0x4b72477f9c5c2f98U);
  tuner::Digest nan, other_nan;
  nan.add(std::vector<float>{not_a_number});
  other_nan.add(std::vector<float>{-not_a_number});
  EXPECT_EQ(nan.value(), other_nan.value());
  EXPECT_NE(nan.value(), one.value());
}

TEST(EqualBits, TellsZerosApartButNotNans) {
  const auto equal = [](float a, float b) { return tuner::equal_bits(std::span(&a, 1), std::span(&b, 1)); };
  EXPECT_TRUE(equal(1.0F, 1.0F));
  EXPECT_TRUE(equal(not_a_number, -not_a_number));
  EXPECT_FALSE(equal(0.0F, -0.0F));
  EXPECT_FALSE(equal(1.0F, std::nextafter(1.0F, 2.0F)));
}

TEST(WorstErrorOverBound, CountsWhatIsNotFiniteAsInfinite) {
  tuner::Answer answer;
  answer.y = {1.0, 2.0};
  answer.bound = {0.5, 0.0};
  const auto worst = [&](float first, float second) {
    return tuner::worst_error_over_bound(answer, std::vector<float>{first, second}, {2, 1}, 1, 2);
  };
  EXPECT_EQ(worst(1.0F, 2.0F), 0.0);
  EXPECT_EQ(worst(1.25F, 2.0F), 0.5);
  EXPECT_EQ(worst(2.0F, 2.0F), 2.0);
  EXPECT_TRUE(std::isinf(worst(1.0F, 2.5F)));
  EXPECT_TRUE(std::isinf(worst(not_a_number, 2.0F)));
}

class PlanVerifications : public PerIsa {};

TEST_P(PlanVerifications, AcceptAPlanThatKeepsTheBits) {
  const tuner::Problem problem({swiglu, {67, 131}, 29, true, Order::in_out, false, false, 3});
  const Result<Ffn> ffn = Ffn::pack({67, 131}, swiglu, problem.weights(), pack_options(GetParam()));
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  ThreadPool pool(2);
  tuner::PlanVerification verification(*ffn, problem.weights(), problem.x, 29);
  ASSERT_TRUE(verification.status().ok()) << verification.status().message();
  EXPECT_GT(verification.worst_error_over_bound(), 0.0);
  EXPECT_LE(verification.worst_error_over_bound(), 1.0);
  tuner::Random random(8);
  for (int trial = 0; trial < 5; ++trial) {
    const Plan plan = tuner::random_plan(random, GetParam(), swiglu, ffn->nr(), 2);
    EXPECT_TRUE(verification.verify(plan, &pool).ok());
    EXPECT_TRUE(verify_plan(*ffn, problem.weights(), plan, 29, &pool));
  }
  Plan invalid = ffn->plan(29, 1).plan;
  invalid.tiling.mr = 0;
  EXPECT_FALSE(verification.verify(invalid, &pool).ok());
  EXPECT_FALSE(verify_plan(*ffn, problem.weights(), invalid, 29, &pool));
}

// The weights are not those of the FFN, which looks as if every kernel were wrong.
TEST_P(PlanVerifications, RefuseAnFfnThatTheOracleContradicts) {
  const tuner::Problem problem({swiglu, {67, 131}, 29, false, Order::in_out, false, false, 3});
  const Result<Ffn> ffn = Ffn::pack({67, 131}, swiglu, problem.weights(), pack_options(GetParam()));
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  Weights swapped = problem.weights();
  std::swap(swapped.gate, swapped.up);
  tuner::PlanVerification verification(*ffn, swapped, problem.x, 29);
  EXPECT_FALSE(verification.status().ok());
  EXPECT_GT(verification.worst_error_over_bound(), 1.0);
  EXPECT_FALSE(verification.verify(ffn->plan(29, 1).plan).ok());
  EXPECT_FALSE(verify_plan(*ffn, swapped, ffn->plan(29, 1).plan, 29));
}

INSTANTIATE_TEST_SUITE_P(Isas, PlanVerifications, every_isa(), isa_name);

}  // namespace
}  // namespace sluice::tests
