// Owns: bfloat16 weights: rounding to nearest even, and two vectors of a panel row side by side in 32-bit words.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/element_types/named_group.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct Bf16 {
  static constexpr ElementType type = ElementType::bf16;
  static constexpr bool grouped = false;
  static constexpr NamedGroup groups[] = {{"bf16", 0}};
  using Stored = std::uint16_t;

  // A value beyond the largest becomes infinite. A NaN becomes quiet and keeps its sign and upper bits. Integer
  // arithmetic alone, so that the caller's floating-point mode does not matter.
  static constexpr Stored round(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<Stored>((bits >> 16U) | 0x40U);
    return static_cast<Stored>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
  }
  static constexpr float widen(Stored stored) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(stored) << 16U);
  }

  // Of each pair of vectors, word i holds column i of the first in its lower half and of the second in its upper half.
  // One load then gives both, by a shift and a mask, where widening 16-bit lanes takes two loads and two shuffles.
  static constexpr std::size_t position(std::size_t column, std::size_t lanes) {
    const std::size_t vector = column / lanes;
    return vector / 2 * 2 * lanes + 2 * (column % lanes) + vector % 2;
  }

  template <class Simd, int accumulators, int vectors>
  [[gnu::always_inline]] static inline void load_row(const Stored* row, typename Simd::Batch (&columns)[vectors]) {
    static_assert(vectors % 2 == 0);
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j += 2)
      Simd::template widen_pair<accumulators>(row + j * static_cast<int>(Simd::Batch::size), columns[j],
                                              columns[j + 1]);
  }
};

}  // namespace
}  // namespace sluice::detail
