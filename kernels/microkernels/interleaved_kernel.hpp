// Owns: the microkernel for few rows against some panels side by side, on rows × panels × slices of k. Included by the
// ISA files only.
//
// One panel is one stream of weights, and a processor's own prefetcher brings one stream slower than several (Zen 3:
// one 22 GB/s, two 27, four 28). The registers do not hold all rows beside several panels. So a pass takes a short
// slice of k of each panel and computes the row tiles one after another while the slice is in L1, where the partial
// sums wait as well. The slices must be short, since no new line is fetched while the later row tiles compute (M = 8,
// four panels, Zen 3, of the 28 GB/s: slices of 16 reach 20.9, of 32 14.2, of 64 12.7, of 256 12.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/microkernels/microkernel.hpp"

namespace sluice::detail {
namespace {

// `depth` steps of one row tile: C = C_in + A·B by the same ascending chain as everywhere.
template <class Simd, class Element, int mr, int vectors, bool packed, bool ask>
[[gnu::always_inline]] inline void row_tile(const float* a, std::ptrdiff_t a_row_stride,
                                            const typename Element::Stored* b, std::size_t depth, const float* c_in,
                                            std::ptrdiff_t c_in_row_stride, float* c, const char* ahead,
                                            std::ptrdiff_t ahead_step) {
  using V = typename Simd::Batch;
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  constexpr std::ptrdiff_t nr = vectors * lanes;
  constexpr std::ptrdiff_t row_bytes = nr * static_cast<std::ptrdiff_t>(sizeof(typename Element::Stored));
  V acc[mr][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) acc[i][j] = V::load_unaligned(c_in + i * c_in_row_stride + j * lanes);
  for (; depth != 0; --depth) {
    if constexpr (ask) {
#pragma GCC unroll 8
      for (std::ptrdiff_t line = 0; line < row_bytes; line += 64) __builtin_prefetch(ahead + line, 0, 3);
      ahead += ahead_step;
    }
    rank_one<Simd, Element, mr, vectors, packed>(acc, a, a_row_stride, b);
    a += packed ? mr : 1;
    b += nr;
  }
#pragma GCC unroll 16
  for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) acc[i][j].store_unaligned(c + i * nr + j * lanes);
}

// `rows` rows, in as few tiles of at most max_mr as they need, balanced as RowTiles (stage.hpp) has them.
template <class Simd, class Element, int rows, int max_mr, int vectors, bool packed>
void interleaved_kernel(const PanelCall& call) {
  constexpr int tiles = (rows + max_mr - 1) / max_mr;
  constexpr int height = rows / tiles;
  constexpr int tall = rows % tiles;
  using Stored = typename Element::Stored;
  constexpr std::ptrdiff_t nr = vectors * static_cast<std::ptrdiff_t>(Simd::Batch::size);
  // Each row tile prefetches its part of the lines of the slice that is `ahead` bytes further on.
  constexpr std::ptrdiff_t ahead_step = nr * static_cast<std::ptrdiff_t>(sizeof(Stored)) / tiles;
  const char* const weights = static_cast<const char*>(call.b);
  const std::ptrdiff_t ahead = call.weight_prefetch - weights;
  const auto run = [&](auto ask) __attribute__((always_inline)) {
    for (std::size_t k0 = 0; k0 < call.k; k0 += call.slice) {
      const std::size_t depth = call.k - k0 < call.slice ? call.k - k0 : call.slice;
      for (std::size_t p = 0; p < call.tiles; ++p) {
        const auto* const b =
            reinterpret_cast<const Stored*>(weights + static_cast<std::ptrdiff_t>(p) * call.b_panel_stride) + k0 * nr;
        float* const c = call.c + p * rows * nr;
        const float* const c_in = k0 == 0 ? call.c_in + static_cast<std::ptrdiff_t>(p) * call.c_in_tile_stride : c;
        const std::ptrdiff_t c_in_row = k0 == 0 ? call.c_in_row_stride : nr;
        const auto tile = [&](auto index) __attribute__((always_inline)) {
          constexpr int number = decltype(index)::value;
          constexpr int mr = height + (number < tall ? 1 : 0);
          constexpr std::ptrdiff_t first = number * height + (number < tall ? number : tall);
          const float* const a = packed ? call.a + k0 * rows + first * static_cast<std::ptrdiff_t>(depth)
                                        : call.a + k0 + first * call.a_row_stride;
          const char* const lines =
              reinterpret_cast<const char*>(b) + ahead + number * ahead_step * static_cast<std::ptrdiff_t>(depth);
          row_tile<Simd, Element, mr, vectors, packed, decltype(ask)::value>(
              a, call.a_row_stride, b, depth, c_in + first * c_in_row, c_in_row, c + first * nr, lines, ahead_step);
        };
        [&]<int... index>(std::integer_sequence<int, index...>) __attribute__((always_inline)) {
          (tile(std::integral_constant<int, index>{}), ...);
        }
        (std::make_integer_sequence<int, tiles>{});
      }
    }
  };
  if (ahead == 0)
    run(std::false_type{});
  else
    run(std::true_type{});
}

}  // namespace
}  // namespace sluice::detail
