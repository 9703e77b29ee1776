// Every kernel that runs here against the oracle: kind × biases × weight order × remainders, with padded leading
// dimensions and accumulation, each under the library's plan and under a random one.
#include <set>

#include "sluice/reference.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

class Numerics : public PerKernel {};
class EveryCase : public PerKernel {};

TEST_P(EveryCase, IsWithinTheBound) {
  const Result<tuner::KernelVerdict> verdict = tuner::verify(isa(), kind(), {.coverage = coverage});
  ASSERT_TRUE(verdict.ok()) << verdict.status().message();
  EXPECT_TRUE(verdict->passed) << verdict->failure;
  EXPECT_EQ(verdict->kernel, std::string(name(isa())) + "/" + tuner::kind_name(kind()));
  EXPECT_EQ(verdict->cases, tuner::standard_cases(kind(), coverage).size());
  EXPECT_LE(verdict->worst_error_over_bound, 1.0);
  // Float32 rounds somewhere. An error of zero would mean that nothing was compared.
  EXPECT_GT(verdict->worst_error_over_bound, 0.0);
  RecordProperty("worst_error_over_bound", std::to_string(verdict->worst_error_over_bound));
}

// Overlapping rows: row i of x begins at float i, a causal convolution's view.
TEST_P(Numerics, RowsOfXMayOverlap) {
  tuner::Problem problem({kind(), {19, 37}, 23, true, Order::out_in, false, false, 7});
  problem.ldx = 1;
  problem.x.resize(22 + 19);
  const Result<Ffn> ffn = Ffn::pack({19, 37}, kind(), problem.weights(), pack_options(isa()));
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  const tuner::Answer answer(problem);
  tuner::Random random(1);
  ThreadPool pool(2);
  for (int trial = 0; trial < 4; ++trial) {
    const Plan plan = tuner::random_plan(random, isa(), kind(), ffn->nr(), 2);
    const Result<std::vector<float>> y = tuner::solve(*ffn, problem, &plan, &pool);
    ASSERT_TRUE(y.ok()) << y.status().message();
    EXPECT_LE(tuner::worst_error_over_bound(answer, *y, {19, 37}, 23, problem.ldy), 1.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Numerics, every_kernel(), kernel_name);
// The digests of the brief cases (one_chain.cpp) are those of every kernel, within the bound.
INSTANTIATE_TEST_SUITE_P(Kernels, EveryCase,
                         testing::Combine(testing::ValuesIn(all_runnable()),
                                          testing::ValuesIn(brief ? std::vector<Kind>{relu, swiglu} : tested_kinds())),
                         kernel_name);

class GatedNumerics : public PerKernel {};

// A merged gate_up_proj: gate and up are views of one array.
TEST_P(GatedNumerics, GateAndUpMayShareAnArray) {
  const Shape shape{13, 21};
  const tuner::Problem separate({kind(), shape, 5, false, Order::in_out, false, false, 11});
  std::vector<float> merged(shape.d_model * 2 * shape.d_ff);
  for (std::size_t k = 0; k < shape.d_model; ++k) {
    std::copy_n(separate.gate.data() + k * shape.d_ff, shape.d_ff, merged.data() + 2 * k * shape.d_ff);
    std::copy_n(separate.up.data() + k * shape.d_ff, shape.d_ff, merged.data() + (2 * k + 1) * shape.d_ff);
  }
  Weights views = separate.weights();
  views.gate = {merged.data(), Order::in_out, 2 * shape.d_ff};
  views.up = {merged.data() + shape.d_ff, Order::in_out, 2 * shape.d_ff};
  const Result<Ffn> expected = Ffn::pack(shape, kind(), separate.weights(), pack_options(isa()));
  const Result<Ffn> actual = Ffn::pack(shape, kind(), views, pack_options(isa()));
  ASSERT_TRUE(expected.ok() && actual.ok());
  const auto left = tuner::solve(*expected, separate);
  const auto right = tuner::solve(*actual, separate);
  ASSERT_TRUE(left.ok() && right.ok());
  EXPECT_TRUE(tuner::equal_bits(*left, *right));
}

INSTANTIATE_TEST_SUITE_P(Kernels, GatedNumerics,
                         testing::Combine(testing::ValuesIn(all_runnable()), testing::ValuesIn(gated_kinds())),
                         kernel_name);

// The list of cases holds all combinations that the test above is meant to visit.
TEST(StandardCases, VisitEveryRemainderInEveryDimension) {
  std::set<std::size_t> rows, widths, hidden;
  for (const Kind kind : all_kinds()) {
    std::set<std::tuple<bool, Order>> combinations;
    std::set<bool> padded, accumulate;
    for (const tuner::Case& one : tuner::standard_cases(kind, coverage)) {
      rows.insert(one.m);
      widths.insert(one.shape.d_model);
      hidden.insert(one.shape.d_ff);
      combinations.insert({one.biases, one.order});
      padded.insert(one.padded);
      accumulate.insert(one.accumulate);
    }
    EXPECT_EQ(combinations.size(), 4U) << name(kind);
    EXPECT_EQ(padded.size(), 2U) << name(kind);
    EXPECT_EQ(accumulate.size(), 2U) << name(kind);
  }
  std::set<std::size_t> tile_rows{1, 2, 53}, tile_widths{1, 2, 127, 131};
  for (const Isa isa : all_isas()) {
    for (const RegisterTile& tile : register_tiles(isa)) {
      tile_rows.insert({tile.max_mr - 1, tile.max_mr, tile.max_mr + 1});
      tile_widths.insert({tile.nr / 2 - 1, tile.nr / 2, tile.nr / 2 + 1, tile.nr - 1, tile.nr, tile.nr + 1});
    }
  }
  EXPECT_TRUE(std::includes(rows.begin(), rows.end(), tile_rows.begin(), tile_rows.end()));
  EXPECT_TRUE(std::includes(widths.begin(), widths.end(), tile_widths.begin(), tile_widths.end()));
  EXPECT_TRUE(std::includes(hidden.begin(), hidden.end(), tile_widths.begin(), tile_widths.end()));
}

// The oracle, computed by hand: 1×1 and x = 1, so that every number can be checked on paper.
TEST(Oracle, AgreesWithHandComputedValues) {
  const float x = 1, gate = 2, up = 3, down = 0.5F, gate_bias = -1, up_bias = 1, down_bias = 10;
  const Weights weights{{&gate}, {&up}, {&down}, &gate_bias, &up_bias, &down_bias};
  const auto y = [&](Kind kind, const float* accumulated = nullptr) {
    double value = 0, bound = 0;
    reference_forward({1, 1}, kind, weights, &x, 1, 0, std::span(&value, 1), std::span(&bound, 1), accumulated);
    EXPECT_GT(bound, 0);
    EXPECT_LT(bound, 1e-4);
    return value;
  };
  EXPECT_DOUBLE_EQ(y(relu), 12.0);                                 // relu(3 + 1)/2 + 10
  EXPECT_DOUBLE_EQ(y(bilinear), 12.0);                             // (2 − 1)·4/2 + 10
  EXPECT_NEAR(y(glu), 10 + 2 * 0.7310585786300049, 1e-14);         // sigmoid(1)
  EXPECT_NEAR(y(swiglu), 10 + 2 * 0.7310585786300049, 1e-14);      // 1·sigmoid(1)
  EXPECT_NEAR(y(geglu), 10 + 2 * 0.8413447460685429, 1e-14);       // Φ(1)
  EXPECT_NEAR(y(geglu_tanh), 10 + 2 * 0.8411919906082768, 1e-14);  // (1 + tanh(√(2/π)·1.044715))/2
  const float stored = 100;
  EXPECT_DOUBLE_EQ(y(relu, &stored), 112.0);
}

}  // namespace
}  // namespace sluice::tests
