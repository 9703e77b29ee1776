// Owns: weights of 8 bits with a scale per group of a column: quantisation, their values, the place of a code in a
// panel.
//
// An element q in −128 … 127 is stored as the code q + 128: integer dot products take one operand without a sign, and
// no code has to be mapped before it is used. The codes of four consecutive k of a column stand in one 32-bit word, as
// these instructions want them; the words of a panel's columns stand side by side.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/named_group.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct Int8 {
  static constexpr ElementType type = ElementType::int8;
  static constexpr bool grouped = true;
  static constexpr NamedGroup groups[] = {
      {"int8:32", 32}, {"int8:64", 64}, {"int8:128", 128}, {"int8:column", WeightType::whole_column}};
  using Stored = std::uint8_t;
  using Scale = std::uint16_t;  // f16

  static constexpr Stored zero = 128;
  static constexpr int largest = 127;  // −128 is read where it is given, but not made: values are as often negative
  static constexpr std::size_t word_k = 4;  // k steps in a word

  // Of the code of step k of a column in the codes of a group.
  static constexpr std::size_t position(std::size_t k, std::size_t column, std::size_t nr) {
    return (k / word_k * nr + column) * word_k + k % word_k;
  }

  // One rounding of an exact value: (code − 128)·scale has at most 19 bits. A scale that is not finite makes NaN.
  static float widen(Stored code, Scale scale) {
    const float factor = F16::widen(scale);
    return std::fma(static_cast<float>(code), factor, -128.0F * factor);
  }

  // The scale of a group whose largest magnitude is `largest_magnitude`: that over 127, rounded to f16, at most 65504.
  // Not finite: NaN, which makes each value of the group NaN, since no code stands for such an element.
  static Scale scale_of(float largest_magnitude) {
    constexpr std::uint32_t infinite = 0x7f800000U;
    if (std::bit_cast<std::uint32_t>(largest_magnitude) >= infinite) return 0x7e00;
    const Scale rounded = F16::round(largest_magnitude / static_cast<float>(largest));
    constexpr Scale largest_scale = 0x7bff;
    return rounded > largest_scale ? largest_scale : rounded;
  }

  // The code whose value is nearest, of two the even one. Needs round to nearest (float_mode.hpp).
  static Stored round(float value, Scale scale) {
    if (scale == 0 || scale > 0x7bff) return zero;
    const float steps = std::nearbyint(value / F16::widen(scale));
    const float limit = largest;
    return static_cast<Stored>(static_cast<int>(steps > limit ? limit : steps < -limit ? -limit : steps) + zero);
  }
};

}  // namespace
}  // namespace sluice::detail
