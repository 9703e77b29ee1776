// Owns: IEEE 754 binary16 weights: rounding to nearest even, denormals, each panel row in the order of its columns.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/element_types/named_group.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct F16 {
  static constexpr ElementType type = ElementType::f16;
  static constexpr bool grouped = false;
  static constexpr NamedGroup groups[] = {{"f16", 0}};
  using Stored = std::uint16_t;

  // A value beyond 65504 by half a step or more becomes infinite, one below 2⁻²⁵ zero. A NaN becomes quiet and keeps
  // its sign and upper bits. Integer arithmetic alone, so that the caller's floating-point mode does not matter.
  static constexpr Stored round(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint32_t>((bits >> 16U) & 0x8000U);
    const std::uint32_t magnitude = bits & 0x7fffffffU;
    if (magnitude > 0x7f800000U) return static_cast<Stored>(sign | 0x7e00U | ((magnitude >> 13U) & 0x3ffU));
    constexpr std::uint32_t first_infinite = 0x477ff000U;  // 65520, halfway between 65504 and the next step
    if (magnitude >= first_infinite) return static_cast<Stored>(sign | 0x7c00U);
    constexpr std::uint32_t smallest_normal = 0x38800000U;  // 2⁻¹⁴
    if (magnitude >= smallest_normal) {
      constexpr std::uint32_t rebias = (127U - 15U) << 23U;
      return static_cast<Stored>(sign | ((magnitude - rebias + 0xfffU + ((magnitude >> 13U) & 1U)) >> 13U));
    }
    // A denormal: the significand, with its leading one, in units of 2⁻²⁴.
    const std::uint32_t exponent = magnitude >> 23U;
    constexpr std::uint32_t rounds_to_zero = 127U - 25U;  // of 2⁻²⁵; what is smaller is zero
    if (exponent < rounds_to_zero) return static_cast<Stored>(sign);
    const std::uint32_t significand = (magnitude & 0x7fffffU) | 0x800000U;
    const std::uint32_t shift = 126U - exponent;
    const std::uint32_t half = (1U << (shift - 1U)) - 1U;
    return static_cast<Stored>(sign | ((significand + half + ((significand >> shift) & 1U)) >> shift));
  }

  static constexpr float widen(Stored stored) {
    const std::uint32_t sign = (stored & 0x8000U) << 16U;
    const std::uint32_t exponent = (stored >> 10U) & 0x1fU;
    const std::uint32_t fraction = stored & 0x3ffU;
    if (exponent == 0x1fU)  // infinite, or NaN, which becomes quiet
      return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13U) | (fraction == 0U ? 0U : 0x400000U));
    if (exponent != 0U) return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (fraction << 13U));
    if (fraction == 0U) return std::bit_cast<float>(sign);
    const auto leading = static_cast<std::uint32_t>(__builtin_clz(fraction)) - 21U;  // zeros within 11 bits
    return std::bit_cast<float>(sign | ((113U - leading) << 23U) | ((fraction << (13U + leading)) & 0x7fffffU));
  }

  static constexpr std::size_t position(std::size_t column, std::size_t) { return column; }

  template <class Simd, int accumulators, int vectors>
  [[gnu::always_inline]] static inline void load_row(const Stored* row, typename Simd::Batch (&columns)[vectors]) {
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) columns[j] = Simd::widen_half(row + j * static_cast<int>(Simd::Batch::size));
  }
};

}  // namespace
}  // namespace sluice::detail
