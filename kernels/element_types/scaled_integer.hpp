// Owns: integers with a scale per group of a column: quantisation, their values, their codes without a sign.
//
// What a type of elements with scales is: its codes, as they stand in words (code_words.hpp) and, after bytes_of(), as
// bytes without a sign, of which `zero` is the element 0; its scales; and the float32 value of both, scale·(byte −
// zero), which is exact. Integer dot products take one operand without a sign. Group is what the elements of a group
// have in common: the scale alone, or that and a zero point in place of `zero` (zero_point_integer.hpp).
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/element_types/code_words.hpp"
#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/groups.hpp"

namespace sluice::detail {
namespace {

// An element q is stored as the code q + zero.
template <unsigned code_bits>
struct ScaledInteger : CodeWords<code_bits> {
  static constexpr bool grouped = true;
  static constexpr bool has_zeros = false;
  using Scale = std::uint16_t;  // f16
  using Group = Scale;

  static constexpr int zero = 1 << (code_bits - 1);
  static constexpr int most_from_zero = zero;  // how far a byte may be from it
  static constexpr std::uint8_t zero_code = zero;
  static constexpr Group no_group = 0;  // of zeros
  static constexpr Scale largest_scale = 0x7bff;
  static constexpr int largest =
      zero - 1;  // −zero is read where it is given, but not made: values are as often negative

  // One rounding of an exact value: an element times its scale has at most 19 bits.
  static float widen(std::uint8_t code, Scale scale) {
    const float factor = F16::widen(scale);
    return std::fma(static_cast<float>(code), factor, -static_cast<float>(zero) * factor);
  }

  // The scale of a group whose largest magnitude is `largest_magnitude`: that over the largest element, rounded to f16,
  // at most 65504. Not finite: NaN, which makes each value of the group NaN, since no code stands for such an element.
  static Scale scale_of(float largest_magnitude) {
    constexpr std::uint32_t infinite = 0x7f800000U;
    if (std::bit_cast<std::uint32_t>(largest_magnitude) >= infinite) return 0x7e00;
    const Scale rounded = F16::round(largest_magnitude / static_cast<float>(largest));
    return rounded > largest_scale ? largest_scale : rounded;
  }

  static Group group_of(const Extremes& range) { return scale_of(range.magnitude()); }

  // The code whose value is nearest, of two the even one. Needs round to nearest (float_mode.hpp).
  static std::uint8_t round(float value, Scale scale) {
    if (scale == 0 || scale > largest_scale) return zero_code;
    const float steps = std::nearbyint(value / F16::widen(scale));
    const float limit = largest;
    return static_cast<std::uint8_t>(static_cast<int>(steps > limit ? limit : steps < -limit ? -limit : steps) + zero);
  }

  // The values of bytes, which are given as floats.
  template <class Simd>
  [[gnu::always_inline]] static inline typename Simd::Batch values_of(typename Simd::Batch bytes_as_floats,
                                                                      typename Simd::Batch scale,
                                                                      typename Simd::Batch of_zero) {
    return Simd::fma(bytes_as_floats, scale, scale * (typename Simd::Batch(0.0F) - of_zero));
  }
  template <class Simd>
  [[gnu::always_inline]] static inline typename Simd::Batch load_scales(const std::byte* scales) {
    return Simd::widen_half(reinterpret_cast<const Scale*>(scales));
  }
};

}  // namespace
}  // namespace sluice::detail
