// Owns: the scale of a group of weights, and its zero point: by its range, or those that leave the least sum of
// squares. Does not own: what a scale and a code are (scaled_integer.hpp, zero_point_integer.hpp, mxfp4.hpp). Internal.
//
// Sums go in ascending k in double precision without contraction, so that a group has the same scale everywhere.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/groups.hpp"
#include "kernels/element_types/mxfp4.hpp"
#include "kernels/element_types/scaled_integer.hpp"
#include "kernels/element_types/zero_point_integer.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {
namespace {

double square(double value) { return value * value; }

// What the elements of a group leave, and for which scale those elements would leave the least.
struct ScaleFit {
  double error = 0;  // Σ (value − scale·element)²
  double best = 0;   // Σ value·element / Σ element²; 0 if all elements are 0
};

// The elements, from `lowest` to `highest`, are those of ScaledInteger::round or ZeroPointInteger::round, without their
// calls: what was cut is rounded, half to even, by a sum whose last bit is worth one. An element times its scale is
// exact.
template <class Value>
ScaleFit fit_of(const Value& value, std::size_t count, std::uint16_t scale, float lowest, float highest) {
  constexpr float last_bit_is_one = 0x1.8p23F;
  const float step = F16::widen(scale);
  ScaleFit fit;
  double products = 0;
  double squares = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const float given = value(k);
    const float cut = std::min(std::max(given / step, lowest), highest);
    const float code = cut + last_bit_is_one - last_bit_is_one;
    fit.error += square(static_cast<double>(given) - static_cast<double>(code * step));
    products += static_cast<double>(given) * static_cast<double>(code);
    squares += square(static_cast<double>(code));
  }
  if (squares > 0) fit.best = products / squares;
  return fit;
}

// The largest magnitude, or the range, becomes that of the elements and so many quarters of one, which are cut off.
constexpr int cut_quarters[] = {0, 1, 2, 3, 4, 6, 8, 12, 16, 24, -1, -2};

// By turns: the elements for a scale, and the scale that is best for these elements. Calls take(scale, error) for each.
template <class Value, class Take>
void refine_scale(const Value& value, std::size_t count, float wanted, float lowest, float highest, const Take& take) {
  constexpr int most_turns = 4;
  constexpr std::uint16_t largest_scale = 0x7bff;
  std::uint16_t last = 0;
  for (int turn = 0; turn < most_turns; ++turn) {
    const auto scale = std::clamp<std::uint16_t>(F16::round(wanted), 1, largest_scale);
    if (scale == last) return;
    const ScaleFit fit = fit_of(value, count, scale, lowest, highest);
    take(scale, fit.error);
    if (fit.best <= 0) return;
    wanted = static_cast<float>(fit.best);
    last = scale;
  }
}

// From several starts, since each ends in a minimum of its own. Of equals the first stays, which is the scale by the
// largest magnitude.
template <unsigned bits, class Value>
std::uint16_t least_squares(ScaledInteger<bits>, const Value& value, std::size_t count, const Extremes& range) {
  using Integer = ScaledInteger<bits>;
  const std::uint16_t by_largest = Integer::group_of(range);
  if (by_largest == 0 || by_largest > Integer::largest_scale) return by_largest;
  std::uint16_t best = by_largest;
  double least = HUGE_VAL;
  constexpr float largest = Integer::largest;
  for (const int quarters : cut_quarters)
    refine_scale(value, count, range.magnitude() / (largest + 0.25F * static_cast<float>(quarters)), -largest, largest,
                 [&](std::uint16_t scale, double error) {
                   if (error >= least) return;
                   least = error;
                   best = scale;
                 });
  return best;
}

// The same for each start with the zero point that it asks for, and those beside it.
template <unsigned bits, class Value>
ScaleAndZero<std::uint16_t> least_squares(ZeroPointInteger<bits>, const Value& value, std::size_t count,
                                          const Extremes& range) {
  using Integer = ZeroPointInteger<bits>;
  const auto by_range = Integer::group_of(range);
  if (by_range.scale == 0 || by_range.scale > Integer::largest_scale) return by_range;
  auto best = by_range;
  constexpr float codes = Integer::largest_byte;
  double least = fit_of(value, count, by_range.scale, -static_cast<float>(by_range.zero),
                        codes - static_cast<float>(by_range.zero))
                     .error;
  const float width = range.most / codes - range.least / codes;
  for (const int quarters : cut_quarters) {
    const float wanted = width * (codes / (codes + 0.25F * static_cast<float>(quarters)));
    if (!(wanted > 0)) continue;
    const int middle = Integer::zero_of(range.least, wanted);
    for (int zero = std::max(0, middle - 1); zero <= std::min(Integer::largest_byte, middle + 1); ++zero)
      refine_scale(value, count, wanted, -static_cast<float>(zero), codes - static_cast<float>(zero),
                   [&](std::uint16_t scale, double error) {
                     if (error >= least) return;
                     least = error;
                     best = {scale, static_cast<std::uint8_t>(zero)};
                   });
  }
  return best;
}

// A power of two: that of the specification or one beside it. With the next larger one nothing is beyond 6.
template <class Value>
std::uint8_t least_squares(Mxfp4, const Value& value, std::size_t count, const Extremes& range) {
  constexpr std::uint8_t largest_scale = 254;
  const std::uint8_t by_largest = Mxfp4::group_of(range);
  if (by_largest > largest_scale || range.magnitude() == 0) return by_largest;
  std::uint8_t best = by_largest;
  double least = HUGE_VAL;
  for (const int step : {0, 1, -1}) {
    const auto scale = static_cast<std::uint8_t>(std::clamp<int>(by_largest + step, 0, largest_scale));
    double error = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const double found = Mxfp4::widen(Mxfp4::round(value(k), scale), scale);
      error += square(static_cast<double>(value(k)) - found);
    }
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

// What the group value(0) … value(count − 1) has in common, whose values are of that range. Needs round to nearest
// (float_mode.hpp).
template <class Element, class Value>
typename Element::Group group_of(ScaleChoice choice, const Value& value, std::size_t count, const Extremes& range) {
  if (choice != ScaleChoice::least_squares) return Element::group_of(range);
  // Each is read many times: what is not a whole column is copied first, widened and without strides.
  std::array<float, 128> values;
  if (count > values.size()) return least_squares(Element{}, value, count, range);
  for (std::size_t k = 0; k < count; ++k) values[k] = value(k);
  return least_squares(
      Element{}, [&values](std::size_t k) { return values[k]; }, count, range);
}
template <class Element, class Value>
typename Element::Group group_of(ScaleChoice choice, const Value& value, std::size_t count) {
  Extremes range;
  for (std::size_t k = 0; k < count; ++k) range.take(value(k));
  return group_of<Element>(choice, value, count, range);
}

}  // namespace
}  // namespace sluice::detail
