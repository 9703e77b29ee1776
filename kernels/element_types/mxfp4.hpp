// Owns: MXFP4 weights of the OCP Microscaling Formats (MX) Specification 1.0: E2M1 elements, and an E8M0 scale, a power
// of two, for each 32 of a column.
//
// All values of E2M1 are halves, so that they are integers of half the scale: twice a value, plus 12, is a byte without
// a sign, which a table of sixteen gives.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/element_types/code_words.hpp"
#include "kernels/element_types/groups.hpp"
#include "kernels/element_types/named_group.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct Mxfp4 : CodeWords<4> {
  static constexpr ElementType type = ElementType::mxfp4;
  static constexpr bool grouped = true;
  static constexpr bool has_zeros = false;
  static constexpr NamedGroup groups[] = {{"mxfp4", 32}};
  using Scale = std::uint8_t;  // E8M0: 2^(scale − 127), 255 is NaN
  using Group = Scale;

  // The bytes of codes: a bit of sign, two of exponent, one of fraction: 0, ½, 1, 1½, 2, 3, 4, 6 and their negatives.
  alignas(16) static constexpr std::uint8_t bytes[] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
  static constexpr int zero = 12;
  static constexpr int most_from_zero = 12;
  static constexpr std::uint8_t zero_code = 0;
  static constexpr Group no_group =
      127;  // of zeros: 1, since with the smallest scale denormals would slow each product

  // Half of the scale's value, which is what a step of the bytes is worth; of the two smallest a denormal.
  static constexpr float step_of(Scale scale) {
    if (scale == 255) return std::bit_cast<float>(0x7fc00000U);
    return std::bit_cast<float>(scale < 2 ? 0x00200000U << scale : (scale - 1U) << 23U);
  }
  static float widen(std::uint8_t code, Scale scale) { return static_cast<float>(bytes[code] - zero) * step_of(scale); }

  // As the specification has it (section 6.3): the largest power of two in the group over that in E2M1, which is 4.
  // Not finite: NaN.
  static Scale scale_of(float largest_magnitude) {
    constexpr std::uint32_t infinite = 0x7f800000U;
    const auto magnitude = std::bit_cast<std::uint32_t>(largest_magnitude);
    if (magnitude >= infinite) return 255;
    if (magnitude == 0) return no_group;
    const std::uint32_t exponent = magnitude >> 23U;  // a denormal's is too small as well
    return static_cast<Scale>(exponent < 2 ? 0 : exponent - 2);
  }

  static Group group_of(const Extremes& range) { return scale_of(range.magnitude()); }

  // The code whose value is nearest, of two the one with the even last bit, as round to nearest has it; beyond 6 that
  // of 6. What rounds to zero has no sign.
  static std::uint8_t round(float value, Scale scale) {
    if (scale == 255) return zero_code;
    const float magnitude = std::abs(value) / step_of(scale);  // in halves; step_of is a power of two
    // The numbers halfway between neighbours; one of them goes to the neighbour whose code is even.
    constexpr float halfway[] = {0.5F, 1.5F, 2.5F, 3.5F, 5, 7, 10};
    std::uint8_t code = 0;
    for (std::size_t i = 0; i < std::size(halfway); ++i)
      if (magnitude > halfway[i] || (magnitude == halfway[i] && i % 2 == 1)) code = static_cast<std::uint8_t>(i + 1);
    return static_cast<std::uint8_t>(code == 0 || value > 0 ? code : code | 8U);
  }

  template <class Simd, int quad>
  [[gnu::always_inline]] static inline typename Simd::Words bytes_of(typename Simd::Words words) {
    return Simd::look_up(bytes, Simd::template nibbles<quad>(words));
  }
  // Not by one FMA: 12 steps of the largest scales are beyond float32.
  template <class Simd>
  [[gnu::always_inline]] static inline typename Simd::Batch values_of(typename Simd::Batch bytes_as_floats,
                                                                      typename Simd::Batch scale,
                                                                      typename Simd::Batch of_zero) {
    return (bytes_as_floats - of_zero) * scale;
  }
  template <class Simd>
  [[gnu::always_inline]] static inline typename Simd::Batch load_scales(const std::byte* scales) {
    using V = typename Simd::Batch;
    // 2^(scale − 127), 255 infinite; its difference from itself is zero, or NaN.
    const V power = Simd::powers_of_two(reinterpret_cast<const Scale*>(scales));
    return Simd::fma(power, V(0.5F), power - power);
  }
};

}  // namespace
}  // namespace sluice::detail
