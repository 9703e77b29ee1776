// Peers with weights of each type: what they are given, what their forms say that they round, which answers pass with
// that, and which form takes the turns.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bench/peer_runner/error_budget.hpp"
#include "bench/peer_runner/quantised_matrix.hpp"
#include "sluice/reference.hpp"
#include "tests/bench/peer_runner/peer_cell.hpp"

namespace sluice::bench {
namespace {

Kind with(WeightType weights, Arithmetic arithmetic = Arithmetic::f32) {
  return {Activation::silu, true, weights, arithmetic};
}

TEST(PeerForms, EveryTypeOfWeightsReachesThem) {
  for (const WeightType type : all_weight_types()) {
    const PeerCell cell(with(type), {40, 70});
    EXPECT_EQ(cell.failure("right"), "") << name(type);
    EXPECT_NE(cell.failure("wrong").find("its result is wrong"), std::string::npos) << name(type);
    if (type.group == 0) continue;
    EXPECT_EQ(cell.failure("coded"), "") << name(type);
  }
}

TEST(PeerForms, SluicesOwnArithmeticIsAllowedFor) {
  for (const Arithmetic arithmetic : {Arithmetic::int8, Arithmetic::int16}) {
    const PeerCell cell(with(WeightType::int4(32), arithmetic), {40, 70});
    EXPECT_EQ(cell.failure("right"), "") << name(arithmetic);
    EXPECT_EQ(cell.failure("quantising"), "") << name(arithmetic);
  }
}

TEST(PeerForms, WhatRoundsMustSaySo) {
  const PeerCell cell(with(WeightType::int8(32)), {96, 160});
  const auto quantising = cell.prepared("quantising");
  EXPECT_EQ(describe(quantising->rounding()), "x int8:32");
  EXPECT_GT(quantising->error(), 1e-3);
  EXPECT_LE(quantising->error(), quantising->tolerance());
  // A tolerance that lets pass far more than what the form rounds would find nothing.
  EXPECT_LE(quantising->tolerance(), 10 * quantising->error());
  EXPECT_NE(cell.failure("lying").find("its result is"), std::string::npos) << cell.failure("lying");
  EXPECT_EQ(describe(cell.prepared("truncating")->rounding()), "weights bf16");
}

TEST(PeerForms, WrongOnesAndRefusedOnesAreLeftOut) {
  const PeerCell cell(with(WeightType::int4(128)));
  const auto choosy = cell.prepared("choosy");
  EXPECT_EQ(choosy->form(), "right");
  ASSERT_EQ(choosy->left_out().size(), 2U);
  EXPECT_EQ(choosy->left_out()[0].form, "quick");
  EXPECT_NE(choosy->left_out()[0].reason.find("its result is wrong"), std::string::npos);
  EXPECT_EQ(choosy->left_out()[1].form, "refused");
  EXPECT_EQ(choosy->left_out()[1].reason, "no kernel for this");
  EXPECT_FALSE(choosy->left_out()[0].refused);
  EXPECT_TRUE(choosy->left_out()[1].refused);
  choosy->run();
  EXPECT_NO_THROW(choosy->check());
}

TEST(PeerForms, OneThatEndsTheProcessLeavesTheOthers) {
  const PeerCell cell(with(WeightType::int8(32)));
  const auto fragile = cell.prepared("fragile");
  EXPECT_EQ(fragile->form(), "quick");
  ASSERT_EQ(fragile->left_out().size(), 1U);
  EXPECT_EQ(fragile->left_out()[0].form, "deadly");
  EXPECT_NE(fragile->left_out()[0].reason.find("signal 6"), std::string::npos) << fragile->left_out()[0].reason;
  EXPECT_EQ(fragile->run(), 5e4);
  EXPECT_NO_THROW(fragile->check());
}

TEST(PeerForms, APeerWithoutAnySaysSo) {
  EXPECT_EQ(PeerCell(with(WeightType::bf16)).failure("plain"), "it has no form for bf16 weights");
  EXPECT_EQ(PeerCell(with(WeightType::f32)).failure("plain"), "");
}

TEST(PeerForms, APrecisionThatIsNoneIsRefused) {
  const std::string message = PeerCell(with(WeightType::bf16)).failure("talking");
  EXPECT_NE(message.find("rounds inputs to \"f8\"; expected f32, bf16 or f16"), std::string::npos) << message;
}

TEST(QuantisedMatrix, ElementsTimesScalesAreTheValues) {
  constexpr std::size_t in = 70;
  constexpr std::size_t out = 67;
  std::vector<float> from(in * out);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = std::sin(static_cast<float>(i));
  for (const WeightType type :
       {WeightType::int8(32), WeightType::int4(64), WeightType::int8(WeightType::whole_column)}) {
    std::vector<float> values(in * out);
    std::vector<std::int8_t> elements(in * out);
    std::vector<std::byte> scales(out * scale_count(type, in) * scale_bytes(type));
    quantise(from.data(), in, out, type, {values.data(), elements.data(), scales.data(), nullptr});
    const float steps = type.element == ElementType::int8 ? 127 : 7;
    for (std::size_t k = 0; k < in; ++k) {
      for (std::size_t n = 0; n < out; ++n) {
        const float value = values[k * out + n];
        EXPECT_LE(std::abs(value - from[k * out + n]), 1.01F / (2 * steps)) << name(type);
        EXPECT_LE(std::abs(elements[n * in + k]), steps);
        EXPECT_EQ(std::signbit(value) && value != 0, elements[n * in + k] < 0);
      }
    }
  }
}

// The budget against roundings that are made: of all weights to f16.
TEST(ErrorBudget, IsWhatRoundingsAddUpTo) {
  const Shape shape{256, 512};
  const tuner::Layer layer(shape, with(WeightType::f32), Isa::scalar, 0, 2, 0);
  const Weights weights = layer.weights();
  const auto answer = [&](WeightType type) {
    std::vector<double> y(2 * shape.d_model);
    std::vector<double> bound(y.size());
    reference_forward(shape, with(type), weights, layer.x().data(), 2, 0, y, bound);
    return y;
  };
  const std::vector<double> exact = answer(WeightType::f32);
  const std::vector<double> moved = answer(WeightType::f16);
  const std::size_t rows[] = {0, 1};
  const std::vector<double> variance =
      rounding_variance(shape, with(WeightType::f32), weights, layer.x().data(), rows, {.weights = Precision::f16});
  double squares = 0;
  double budget = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    squares += (moved[i] - exact[i]) * (moved[i] - exact[i]);
    budget += variance[i];
    EXPECT_LT(std::abs(moved[i] - exact[i]), 8 * std::sqrt(variance[i]));
  }
  EXPECT_GT(budget, squares);
  EXPECT_LT(budget, 9 * squares);
}

}  // namespace
}  // namespace sluice::bench
