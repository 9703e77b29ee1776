// The cells of a selection, and the clock's arithmetic. No speed is asserted.
#include "tuner/workload/cell.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "tuner/base/failure.hpp"
#include "tuner/measurement/clock.hpp"
#include "tuner/measurement/clocks.hpp"

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

TEST(Clock, MeasuresBothRoofsAndScalesBySandwich) {
  Machine machine;
  machine.l3 = std::size_t{1} << 20U;
  const Isa isa = runnable_isas().back();
  Clocks clocks(isa, machine, 2);
  for (const std::uint32_t threads : {1U, 2U}) {
    Clock& clock = clocks[threads];
    EXPECT_GT(clock.fma_peak(), 0);
    EXPECT_GT(clock.read_bandwidth(), 0);
    EXPECT_GT(clock.level(Roof::fma), 0);
    EXPECT_GT(clock.level(Roof::read), 0);
    int calls = 0;
    const Sample measured = clock.measure(Roof::fma, 0, [&] { ++calls; });
    EXPECT_EQ(calls, 1);
    EXPECT_GT(measured.ns, 0);
    EXPECT_GT(measured.before, 0);
    EXPECT_GT(measured.after, 0);

    // A sample between probes of half the level is contended.
    const double level = clock.level(Roof::fma);
    const Sample slow{.ns = 1000, .roof = Roof::fma, .before = level / 2, .after = level / 2};
    const Sample calm{.ns = 1000, .roof = Roof::fma, .before = level, .after = level};
    EXPECT_TRUE(clock.contended(slow));
    EXPECT_FALSE(clock.contended(calm));
    EXPECT_NEAR(clock.fma_fraction(1e9, clock.fma_peak()), 1, 1e-9);
    EXPECT_NEAR(clock.fma_fraction(2e9, clock.fma_peak()), 0.5, 1e-9);
  }
  const Roofs roofs = clocks.roofs();
  EXPECT_EQ(roofs.fma.size(), 2U);
  EXPECT_EQ(roofs.read.size(), 2U);
}

TEST(Clock, HasAReadRoofForEachFootprint) {
  Machine machine;
  machine.l3 = std::size_t{1} << 20U;
  Clocks clocks(runnable_isas().back(), machine, 1);
  Clock& clock = clocks[1];
  const std::size_t cold = clock.footprint();
  const Sample before = clock.measure(Roof::read, 0, [] {});
  const StreamBuffer small(std::size_t{64} << 10U);
  const std::span<const float> memory{small.data(), small.bytes() / sizeof(float)};
  clock.read_from(memory);
  EXPECT_EQ(clock.footprint(), small.bytes());
  const Sample hot = clock.measure(Roof::read, 0, [] {});
  EXPECT_EQ(hot.footprint, small.bytes());
  // A sample keeps the level of the footprint that it was taken at.
  EXPECT_EQ(before.footprint, cold);
  clock.measure(Roof::read, 0, [] {});
  EXPECT_NEAR(clock.read_fraction(1e9, clock.read_bandwidth(before.footprint), before.footprint), 1, 1e-9);
  EXPECT_EQ(clock.footprints(), (std::vector<std::size_t>{small.bytes(), cold}));
  const Roofs roofs = clocks.roofs();
  ASSERT_EQ(roofs.read.size(), 2U);
  EXPECT_EQ(roofs.read[0].footprint_bytes, small.bytes());
  EXPECT_EQ(roofs.read[0].bytes_per_second, clock.read_bandwidth());
  // If the work reads many times the footprint, the probe goes through the footprint as many times.
  const Sample long_hot = clock.measure(Roof::read, 1e8, [] {});
  EXPECT_GT(long_hot.before, 0);
  EXPECT_EQ(long_hot.footprint, small.bytes());
  // Memory that is too small to share among threads: the probe returns to the large buffer.
  clock.read_from(memory.first(16));
  EXPECT_EQ(clock.footprint(), cold);
}

}  // namespace
}  // namespace sluice::tuner
