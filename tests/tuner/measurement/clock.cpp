// The clock's arithmetic. No speed is asserted.
#include "tuner/measurement/clock.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "tuner/measurement/clocks.hpp"

namespace sluice::tuner {
namespace {

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
    EXPECT_EQ(clock.peak(swiglu), clock.fma_peak());
    EXPECT_EQ(clock.peak({Activation::silu, true, WeightType::int4(32)}), clock.fma_peak());
    for (const WeightType type : {WeightType::bf16, WeightType::int8(32), WeightType::int4(128), WeightType::mxfp4}) {
      for (const Arithmetic arithmetic : {Arithmetic::int8, Arithmetic::int16, Arithmetic::bf16}) {
        if (!offered(type, arithmetic)) continue;
        const Kind kind{Activation::silu, true, type, arithmetic};
        EXPECT_GT(clock.peak(kind), 0);
        EXPECT_NEAR(clock.peak_fraction(2e9, clock.peak(kind), kind), 0.5, 1e-9);
        // The kind's own peak decides: as much work as both roofs allow, and a little more or less.
        const double work = clock.peak(kind);
        EXPECT_EQ(clock.binding_roof(1.01 * work, clock.read_bandwidth(), kind), Roof::fma);
        EXPECT_EQ(clock.binding_roof(0.99 * work, clock.read_bandwidth(), kind), Roof::read);
      }
    }
  }
  const Roofs roofs = clocks.roofs();
  EXPECT_EQ(roofs.fma.size(), 2U);
  EXPECT_EQ(roofs.read.size(), 2U);
  EXPECT_EQ(roofs.dot.size(), 10U);
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
