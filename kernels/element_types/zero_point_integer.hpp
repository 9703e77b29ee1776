// Owns: integers without a sign that have a scale and a zero point per group of a column: quantisation and values.
//
// As scaled_integer.hpp has it, but the code that stands for 0 is that of a group: a value is scale·(code − zero).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/element_types/code_words.hpp"
#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/groups.hpp"

namespace sluice::detail {
namespace {

template <unsigned code_bits>
struct ZeroPointInteger : CodeWords<code_bits> {
  static constexpr bool grouped = true;
  static constexpr bool has_zeros = true;
  using Scale = std::uint16_t;  // f16
  using Group = ScaleAndZero<Scale>;

  static constexpr int largest_byte = (1 << code_bits) - 1;
  // Of 4 bits one more than the largest code: GPTQ's zero points are 1 to 16.
  static constexpr int largest_zero = code_bits == 4 ? 16 : largest_byte;
  // How far a code may be from its zero point.
  static constexpr int most_from_zero = largest_zero;
  static constexpr std::uint8_t zero_code = 0;  // where there is no weight
  static constexpr Group no_group{0, 0};        // of zeros
  static constexpr Scale largest_scale = 0x7bff;

  // One rounding of an exact value: an element times its scale has at most 20 bits.
  static float widen(std::uint8_t code, Group group) {
    const float factor = F16::widen(group.scale);
    return std::fma(static_cast<float>(code), factor, -static_cast<float>(group.zero) * factor);
  }

  // The zero point that gives the least value its code, or the code next to it.
  static std::uint8_t zero_of(float least, float scale) {
    const float steps = std::nearbyint(-least / scale);
    return static_cast<std::uint8_t>(steps > largest_byte ? largest_byte : static_cast<int>(steps));
  }
  // The scale makes all codes of the range from the least value to the largest one, rounded to f16, at most 65504. Not
  // finite: NaN, which makes each value of the group NaN. Needs round to nearest, as what follows (float_mode.hpp).
  static Group group_of(const Extremes& range) {
    constexpr float codes = largest_byte;
    const float step = range.most / codes - range.least / codes;
    if (!(range.magnitude() < HUGE_VALF)) return {0x7e00, 0};
    const Scale rounded = F16::round(step);
    const Scale scale = rounded > largest_scale ? largest_scale : rounded;
    return {scale, scale == 0 ? std::uint8_t{0} : zero_of(range.least, F16::widen(scale))};
  }

  // The code whose value is nearest; halfway between two the one that is an even number of steps from zero.
  static std::uint8_t round(float value, Group group) {
    if (group.scale == 0 || group.scale > largest_scale) return group.zero > largest_byte ? largest_byte : group.zero;
    const float steps = std::nearbyint(value / F16::widen(group.scale));
    const auto zero = static_cast<float>(group.zero);
    const float lowest = -zero;
    const float highest = static_cast<float>(largest_byte) - zero;
    const float cut = steps > highest ? highest : steps < lowest ? lowest : steps;
    return static_cast<std::uint8_t>(static_cast<int>(cut) + group.zero);
  }

  // The values of bytes, which are given as floats, as is the zero point.
  template <class Simd>
  [[gnu::always_inline]] static inline typename Simd::Batch values_of(typename Simd::Batch bytes_as_floats,
                                                                      typename Simd::Batch scale,
                                                                      typename Simd::Batch zero) {
    return Simd::fma(bytes_as_floats, scale, scale * (typename Simd::Batch(0.0F) - zero));
  }
  template <class Simd>
  [[gnu::always_inline]] static inline typename Simd::Batch load_scales(const std::byte* scales) {
    return Simd::widen_half(reinterpret_cast<const Scale*>(scales));
  }
};

}  // namespace
}  // namespace sluice::detail
