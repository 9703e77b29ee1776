// The cells of a selection.
#include "tuner/workload/cell.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tuner/base/failure.hpp"

namespace sluice::tuner {
namespace {

CellAxes selection(std::vector<Kind> kinds) {
  CellAxes chosen;
  chosen.workloads = {*find_workload("t5-base"), *find_workload("tinyllama")};
  chosen.kinds = std::move(kinds);
  chosen.m = {1, 64};
  chosen.threads = {1, 2};
  return chosen;
}

std::size_t count(const std::vector<Cell>& all, Kind kind, Shape shape) {
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const Cell& c) { return c.kind == kind && c.shape == shape; }));
}

TEST(Cells, AreExactlyWhatWasAskedFor) {
  const std::vector<Cell> all = cells(selection({swiglu, relu}), {});
  EXPECT_EQ(all.size(), 2U * 2 * 2 * 2);
  EXPECT_EQ(count(all, swiglu, {768, 2048}), 4U);
  EXPECT_EQ(count(all, relu, {768, 3072}), 4U);
  EXPECT_EQ(count(all, relu, {2048, 5632}), 4U);
}

TEST(Cells, EqualWidthAndBudgetSizeThePlainKinds) {
  const std::vector<Cell> all = cells(selection({swiglu, relu}), parse_plain_sizes({"width", "budget"}));
  EXPECT_EQ(all.size(), 2U * 2 * 2 * 3);
  EXPECT_EQ(count(all, relu, {2048, 5632}), 4U);
  EXPECT_EQ(count(all, relu, {2048, 8448}), 4U);
  EXPECT_EQ(count(all, relu, {768, 2048}), 4U);
  EXPECT_EQ(count(all, relu, {768, 3072}), 4U);
  for (const Cell& cell : all) EXPECT_EQ(cell.models.size(), 1U);
  EXPECT_THROW(parse_plain_sizes({"height"}), Failure);
}

TEST(Cells, ASharedShapeIsOneCellOfTwoModels) {
  CellAxes chosen = selection({swiglu});
  chosen.workloads = {*find_workload("llama3-8b"), *find_workload("mistral-7b")};
  const std::vector<Cell> all = cells(chosen, {});
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all.front().models, (std::vector<std::string>{"llama3-8b", "mistral-7b"}));
}

}  // namespace
}  // namespace sluice::tuner
