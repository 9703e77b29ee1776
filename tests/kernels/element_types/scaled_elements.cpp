// Elements with scales: their quantisation, their values, the place of a code in a panel.
#include <cmath>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "kernels/element_types/element_types.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

using detail::Int4;
using detail::Int8;
using detail::Mxfp4;
using detail::UInt4;
using detail::UInt8;

// Four or eight codes of a column in a word, the words of the columns side by side; each is read where it was stored.
template <class Element>
void expect_places_of_their_own() {
  for (const std::size_t nr : {std::size_t{8}, std::size_t{64}}) {
    std::vector<std::uint8_t> codes(32 * nr * Element::bits / 8, 0xff);
    const auto code = [](std::size_t k, std::size_t column) {
      return static_cast<std::uint8_t>((k * 7 + column * 3) % (1U << Element::bits));
    };
    for (std::size_t k = 0; k < 32; ++k)
      for (std::size_t column = 0; column < nr; ++column) Element::store(codes.data(), k, column, nr, code(k, column));
    std::set<std::pair<std::size_t, unsigned>> places;
    for (std::size_t k = 0; k < 32; ++k) {
      for (std::size_t column = 0; column < nr; ++column) {
        const std::size_t byte = Element::position(k, column, nr);
        places.insert({byte, Element::shift(k)});
        ASSERT_LT(byte, codes.size());
        EXPECT_EQ(codes[byte] >> Element::shift(k) & ((1 << Element::bits) - 1), code(k, column)) << k << ' ' << column;
      }
    }
    EXPECT_EQ(places.size(), 32 * nr);
  }
}

TEST(ScaledElements, EachCodeOfAGroupHasAPlaceOfItsOwn) {
  expect_places_of_their_own<Int8>();
  expect_places_of_their_own<Int4>();
  expect_places_of_their_own<Mxfp4>();
  expect_places_of_their_own<UInt4>();
  EXPECT_EQ(Int8::position(6, 3, 16), 4U * 16 + 4 * 3 + 2);
  EXPECT_EQ(Int4::position(14, 3, 16), 4U * 16 + 4 * 3 + 2);
  EXPECT_EQ(Int4::shift(14), 4U);
}

TEST(ScaledElements, ACodeTimesItsScaleIsExact) {
  for (const float scale : {1.0F, 0x1p-24F, 0x1.234p-3F, 65504.0F}) {
    const Int8::Scale stored = detail::F16::round(scale);
    const auto value = static_cast<double>(detail::F16::widen(stored));
    for (int code = 0; code < 256; ++code)
      EXPECT_EQ(Int8::widen(static_cast<std::uint8_t>(code), stored), value * (code - 128));
    for (int code = 0; code < 16; ++code)
      EXPECT_EQ(Int4::widen(static_cast<std::uint8_t>(code), stored), value * (code - 8));
    for (int zero = 0; zero < 256; ++zero)
      for (int code = 0; code < 256; ++code) {
        const UInt8::Group group{stored, static_cast<std::uint8_t>(zero)};
        EXPECT_EQ(UInt8::widen(static_cast<std::uint8_t>(code), group), value * (code - zero));
      }
  }
}

TEST(ScaledElements, Int4IsQuantisedByTheLargestMagnitude) {
  const Int4::Scale half = Int4::scale_of(3.5F);
  EXPECT_EQ(detail::F16::widen(half), 0.5F);
  EXPECT_EQ(Int4::round(3.5F, half), 8 + 7);
  EXPECT_EQ(Int4::round(-3.5F, half), 8 - 7);
  EXPECT_EQ(Int4::round(0.75F, half), 8 + 2);
  EXPECT_EQ(Int4::round(-1.25F, half), 8 - 2);
  EXPECT_EQ(Int4::round(-1000.0F, half), 8 - 7);
  EXPECT_EQ(Int4::round(0, 0), 8);
  EXPECT_TRUE(std::isnan(Int4::widen(Int4::round(1.0F, Int4::scale_of(std::numeric_limits<float>::infinity())),
                                     Int4::scale_of(std::numeric_limits<float>::infinity()))));
}

detail::Extremes range_of(float least, float most) {
  detail::Extremes range;
  range.take(least);
  range.take(most);
  return range;
}

// The range is divided into all codes, of which one stands for zero.
TEST(ScaledElements, ZeroPointsFollowFromTheRange) {
  const UInt4::Group half = UInt4::group_of(range_of(-2.5F, 5.0F));
  EXPECT_EQ(half, (UInt4::Group{detail::F16::round(0.5F), 5}));
  EXPECT_EQ(UInt4::round(-2.5F, half), 0);
  EXPECT_EQ(UInt4::round(5.0F, half), 15);
  EXPECT_EQ(UInt4::round(0, half), 5);
  EXPECT_EQ(UInt4::round(0.25F, half), 5) << "halfway, to an even number of steps";
  EXPECT_EQ(UInt4::round(-0.75F, half), 5 - 2);
  EXPECT_EQ(UInt4::round(-1000.0F, half), 0);
  EXPECT_EQ(UInt4::round(1000.0F, half), 15);
  // Of one sign: the range begins or ends at zero, which is always a value.
  EXPECT_EQ(UInt4::group_of(range_of(3.0F, 7.5F)), half.scale == 0 ? half : (UInt4::Group{half.scale, 0}));
  EXPECT_EQ(UInt4::group_of(range_of(-7.5F, -3.0F)), (UInt4::Group{half.scale, 15}));
  const UInt8::Group quarter = UInt8::group_of(range_of(-0.25F, 63.5F));
  EXPECT_EQ(quarter, (UInt8::Group{detail::F16::round(0.25F), 1}));
  EXPECT_EQ(UInt8::round(63.5F, quarter), 255);
}

TEST(ScaledElements, ExtremeGroupsWithZeroPointsAreDefined) {
  constexpr float largest = std::numeric_limits<float>::max();
  EXPECT_EQ(UInt8::group_of({}), (UInt8::Group{0, 0}));
  EXPECT_EQ(UInt8::round(0, {0, 7}), 7) << "a group of zeros has the code of zero";
  EXPECT_EQ(UInt4::round(1, {0, 16}), 15) << "and at most the largest";
  EXPECT_EQ(UInt8::group_of(range_of(-0x1p-149F, 0x1p-149F)).scale, 0);
  const UInt8::Group huge = UInt8::group_of(range_of(-largest, largest));
  EXPECT_EQ(huge, (UInt8::Group{0x7bff, 255}));
  EXPECT_EQ(UInt8::round(-largest, huge), 0);
  for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    const UInt8::Group group = UInt8::group_of(range_of(value, 1.0F));
    for (const float other : {value, -1.0F, 0.0F})
      EXPECT_TRUE(std::isnan(UInt8::widen(UInt8::round(other, group), group))) << value;
  }
}

// Section 5.3.3 and 5.4.1 of the specification.
TEST(ScaledElements, Mxfp4HasTheValuesOfTheSpecification) {
  constexpr double values[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (int scale = 0; scale < 256; ++scale) {
    const auto stored = static_cast<Mxfp4::Scale>(scale);
    for (std::uint8_t code = 0; code < 16; ++code) {
      const float value = Mxfp4::widen(code, stored);
      const double expected = std::ldexp(code < 8 ? values[code] : -values[code - 8], scale - 127);
      if (scale == 255) {
        EXPECT_TRUE(std::isnan(value));
      } else if (std::abs(expected) < 0x1p128) {
        EXPECT_EQ(value, expected) << scale << ' ' << +code;
        if (expected != 0) {
          EXPECT_EQ(Mxfp4::round(value, stored), code) << scale;
        }
      } else {
        EXPECT_TRUE(std::isinf(value)) << scale << ' ' << +code;
      }
    }
  }
}

TEST(ScaledElements, Mxfp4IsQuantisedToNearestEven) {
  constexpr Mxfp4::Scale one = 127;
  EXPECT_EQ(Mxfp4::scale_of(4.0F), one);
  EXPECT_EQ(Mxfp4::scale_of(7.99F), one);
  EXPECT_EQ(Mxfp4::scale_of(8.0F), one + 1);
  EXPECT_EQ(Mxfp4::scale_of(0), one);
  EXPECT_EQ(Mxfp4::scale_of(0x1p-149F), 0);
  EXPECT_EQ(Mxfp4::scale_of(std::numeric_limits<float>::infinity()), 255);
  EXPECT_EQ(Mxfp4::scale_of(std::numeric_limits<float>::quiet_NaN()), 255);
  // Halfway between two values: 0, 1, 2, 4 have codes that are even.
  const std::pair<float, float> rounded[] = {{0.25F, 0}, {0.26F, 0.5F}, {0.75F, 1}, {1.25F, 1}, {1.75F, 2}, {2.5F, 2},
                                             {2.51F, 3}, {3.5F, 4},     {5, 4},     {5.01F, 6}, {7.9F, 6}};
  for (const auto& [value, expected] : rounded) {
    EXPECT_EQ(Mxfp4::widen(Mxfp4::round(value, one), one), expected) << value;
    EXPECT_EQ(Mxfp4::widen(Mxfp4::round(-value, one), one), -expected) << value;
  }
}

// The largest magnitude of a group becomes 127 steps; a value halfway between two steps goes to the even one.
TEST(ScaledElements, Int8IsQuantisedByTheLargestMagnitude) {
  const Int8::Scale half = Int8::scale_of(63.5F);
  EXPECT_EQ(detail::F16::widen(half), 0.5F);
  EXPECT_EQ(Int8::round(63.5F, half), 128 + 127);
  EXPECT_EQ(Int8::round(-63.5F, half), 128 - 127);
  EXPECT_EQ(Int8::round(0.25F, half), 128);
  EXPECT_EQ(Int8::round(0.75F, half), 128 + 2);
  EXPECT_EQ(Int8::round(-1.25F, half), 128 - 2);
  // A scale that was rounded down leaves the largest value beyond 127 steps.
  EXPECT_EQ(Int8::round(1000.0F, half), 128 + 127);
  EXPECT_EQ(Int8::round(-1000.0F, half), 128 - 127);
}

TEST(ScaledElements, ExtremeGroupsOfInt8AreDefined) {
  EXPECT_EQ(Int8::scale_of(0), 0);
  EXPECT_EQ(Int8::round(0, 0), 128);
  EXPECT_EQ(Int8::scale_of(0x1p-149F), 0) << "a scale below the smallest f16 makes the group zero";
  EXPECT_EQ(Int8::round(0x1p-149F, 0), 128);
  EXPECT_EQ(Int8::scale_of(std::numeric_limits<float>::max()), 0x7bff) << "the largest f16";
  EXPECT_EQ(Int8::round(-std::numeric_limits<float>::max(), 0x7bff), 128 - 127);
  for (const float value : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const Int8::Scale scale = Int8::scale_of(value);
    for (const float other : {value, -1.0F, 0.0F})
      EXPECT_TRUE(std::isnan(Int8::widen(Int8::round(other, scale), scale)));
  }
}

}  // namespace
}  // namespace sluice::tests
