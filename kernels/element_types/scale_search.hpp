// Owns: the scale of a group of weights: by its largest magnitude, or the one that leaves the least sum of squares.
// Does not own: what a scale and a code are (scaled_integer.hpp, mxfp4.hpp). Internal.
//
// Sums go in ascending k in double precision without contraction, so that a group has the same scale everywhere.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/mxfp4.hpp"
#include "kernels/element_types/scaled_integer.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {
namespace {

double square(double value) { return value * value; }

// What the codes of a group leave, and for which scale those codes would leave the least.
struct ScaleFit {
  double error = 0;  // Σ (value − scale·code)²
  double best = 0;   // Σ value·code / Σ code²; 0 if all codes are 0
};

// The codes are those of ScaledInteger::round, without its calls: what was cut to the largest code is rounded, half to
// even, by a sum whose last bit is worth one. A code times its scale is exact.
template <class Integer, class Value>
ScaleFit fit_of(const Value& value, std::size_t count, std::uint16_t scale) {
  constexpr float last_bit_is_one = 0x1.8p23F;
  constexpr float limit = Integer::largest;
  const float step = F16::widen(scale);
  ScaleFit fit;
  double products = 0;
  double squares = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const float given = value(k);
    const float cut = std::min(std::max(given / step, -limit), limit);
    const float code = cut + last_bit_is_one - last_bit_is_one;
    fit.error += square(static_cast<double>(given) - static_cast<double>(code * step));
    products += static_cast<double>(given) * static_cast<double>(code);
    squares += square(static_cast<double>(code));
  }
  if (squares > 0) fit.best = products / squares;
  return fit;
}

// By turns: the codes for a scale, and the scale that is best for these codes, from several starts, since each ends in
// a minimum of its own. Of equals the first stays, which is the scale by the largest magnitude.
template <unsigned bits, class Value>
std::uint16_t least_squares_scale(ScaledInteger<bits>, const Value& value, std::size_t count, float largest) {
  using Integer = ScaledInteger<bits>;
  constexpr int most_turns = 4;
  constexpr std::uint16_t largest_scale = 0x7bff;
  const std::uint16_t by_largest = Integer::scale_of(largest);
  if (by_largest == 0 || by_largest > largest_scale) return by_largest;
  std::uint16_t best = by_largest;
  double least = HUGE_VAL;
  // The largest magnitude becomes the largest code and so many quarters, which are cut off.
  for (const int quarters : {0, 1, 2, 3, 4, 6, 8, 12, 16, 24, -1, -2}) {
    float wanted = largest / (static_cast<float>(Integer::largest) + 0.25F * static_cast<float>(quarters));
    std::uint16_t last = 0;
    for (int turn = 0; turn < most_turns; ++turn) {
      const auto scale = std::clamp<std::uint16_t>(F16::round(wanted), 1, largest_scale);
      if (scale == last) break;
      const ScaleFit fit = fit_of<Integer>(value, count, scale);
      if (fit.error < least) {
        least = fit.error;
        best = scale;
      }
      if (fit.best <= 0) break;
      wanted = static_cast<float>(fit.best);
      last = scale;
    }
  }
  return best;
}

// A power of two: that of the specification or one beside it. With the next larger one nothing is beyond 6.
template <class Value>
std::uint8_t least_squares_scale(Mxfp4, const Value& value, std::size_t count, float largest) {
  constexpr std::uint8_t largest_scale = 254;
  const std::uint8_t by_largest = Mxfp4::scale_of(largest);
  if (by_largest > largest_scale || largest == 0) return by_largest;
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

// The scale of the group value(0) … value(count − 1), whose largest magnitude is `largest`, not finite if one is not.
// Needs round to nearest (float_mode.hpp).
template <class Element, class Value>
typename Element::Scale group_scale(ScaleChoice choice, const Value& value, std::size_t count, float largest) {
  if (choice != ScaleChoice::least_squares) return Element::scale_of(largest);
  // Each is read many times: what is not a whole column is copied first, widened and without strides.
  std::array<float, 128> values;
  if (count > values.size()) return least_squares_scale(Element{}, value, count, largest);
  for (std::size_t k = 0; k < count; ++k) values[k] = value(k);
  return least_squares_scale(
      Element{}, [&values](std::size_t k) { return values[k]; }, count, largest);
}

}  // namespace
}  // namespace sluice::detail
