// Owns: what is done to a finished panel: activation, product, and storing H as the packed A of the down stage; and the
// same transposition for x. Included by the ISA files only.
#pragma once

#include <cstddef>
#include <cstring>

#include "kernels/microkernels/activation.hpp"
#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {
namespace {

// rows × columns, row-major → [column][row], dense. Blocks of four rows and as many columns as a vector has lanes; a
// remainder is covered by a block that overlaps its neighbour and stores the same values again, so nothing beyond the
// operands is touched.
template <class Simd>
[[gnu::always_inline]] inline void transpose(const float* source, std::ptrdiff_t source_stride, std::ptrdiff_t rows,
                                             std::ptrdiff_t columns, float* target) {
  using V = typename Simd::Batch;
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  if (rows == 1) {
    std::memcpy(target, source, static_cast<std::size_t>(columns) * sizeof(float));
    return;
  }
  if (rows < 4 || columns < lanes) {
    for (std::ptrdiff_t column = 0; column < columns; ++column)
      for (std::ptrdiff_t row = 0; row < rows; ++row)
        target[column * rows + row] = source[row * source_stride + column];
    return;
  }
  for (std::ptrdiff_t column = 0; column < columns; column += lanes) {
    if (column > columns - lanes) column = columns - lanes;
    if constexpr (requires { Simd::tall_rows; }) {
      if (rows > Simd::tall_rows / 2 && rows <= Simd::tall_rows) {
        Simd::transpose_tall(source + column, source_stride, rows, target + column * rows);
        continue;
      }
    }
    for (std::ptrdiff_t row = 0; row < rows; row += 4) {
      if (row > rows - 4) row = rows - 4;
      const float* block = source + row * source_stride + column;
      V four[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) four[i] = V::load_unaligned(block + i * source_stride);
      Simd::store_columns(four, target + column * rows + row, rows);
    }
  }
}

template <class Simd>
void pack_rows(const float* x, std::ptrdiff_t ldx, std::size_t rows, std::size_t columns, float* packed) {
  transpose<Simd>(x, ldx, static_cast<std::ptrdiff_t>(rows), static_cast<std::ptrdiff_t>(columns), packed);
}

template <class Simd, Activation activation, bool gated>
void epilogue(const EpilogueCall& call) {
  using V = typename Simd::Batch;
  constexpr std::size_t lanes = V::size;
  constexpr std::size_t max_panel = 16 * 64;  // mr × nr of the largest register tile
  alignas(64) float tile[max_panel];
  const std::size_t panel_width = gated ? call.nr / 2 : call.nr;
  // A panel's columns may straddle slices of the down stage. Says where those from `done` on go and how many fit there.
  struct Part {
    float* at;
    std::size_t columns;
  };
  const auto part = [&](std::size_t t, std::size_t done) {
    const std::size_t column = call.column + done;
    const std::size_t k0 = column - column % call.h.kc;
    const std::size_t slice = call.h.depth - k0 < call.h.kc ? call.h.depth - k0 : call.h.kc;
    const std::size_t left = k0 + slice - column;
    return Part{call.h.base + k0 * call.h.rows + (call.first_row + t * call.mr) * slice + (column - k0) * call.mr,
                call.width - done < left ? call.width - done : left};
  };
  for (std::size_t t = 0; t < call.tiles; ++t) {
    // H is larger than L2 if M is large, so the lines of the next tile are prefetched while this one is made.
    if (t + 1 < call.tiles) {
      const Part next = part(t + 1, 0);
      for (std::size_t i = 0; i < next.columns * call.mr; i += 16) __builtin_prefetch(next.at + i, 1);
    }
    const float* c = call.c + t * call.mr * call.nr;
    for (std::size_t row = 0; row < call.mr; ++row) {
      for (std::size_t column = 0; column < panel_width; column += lanes) {
        V value = activate<Simd, activation>(V::load_unaligned(c + row * call.nr + column));
        if constexpr (gated) value = value * V::load_unaligned(c + row * call.nr + panel_width + column);
        value.store_unaligned(tile + row * panel_width + column);
      }
    }
    for (std::size_t done = 0; done < call.width;) {
      const Part here = part(t, done);
      transpose<Simd>(tile + done, static_cast<std::ptrdiff_t>(panel_width), static_cast<std::ptrdiff_t>(call.mr),
                      static_cast<std::ptrdiff_t>(here.columns), here.at);
      done += here.columns;
    }
  }
}

}  // namespace
}  // namespace sluice::detail
