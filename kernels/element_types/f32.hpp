// Owns: float32 weights: a value as it is, each panel row in the order of its columns.
//
// What a type of elements without scales is: its name, how it is stored, its conversions from and to float32, where a
// column stands in a row of a panel, and how a kernel that holds so many accumulators in registers loads a row as
// vectors of floats. All of it has internal linkage, since the objects of instruction sets may share no function
// (README.md, "Sealed objects"). scaled_integer.hpp says what one with scales is.
#pragma once

#include <cstddef>

#include "kernels/element_types/named_group.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct F32 {
  static constexpr ElementType type = ElementType::f32;
  static constexpr bool grouped = false;
  static constexpr NamedGroup groups[] = {{"f32", 0}};
  using Stored = float;

  static constexpr Stored round(float value) { return value; }
  static constexpr float widen(Stored stored) { return stored; }

  static constexpr std::size_t position(std::size_t column, std::size_t) { return column; }

  template <class Simd, int accumulators, int vectors>
  [[gnu::always_inline]] static inline void load_row(const Stored* row, typename Simd::Batch (&columns)[vectors]) {
    using V = typename Simd::Batch;
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) columns[j] = V::load_unaligned(row + j * static_cast<int>(V::size));
  }
};

}  // namespace
}  // namespace sluice::detail
