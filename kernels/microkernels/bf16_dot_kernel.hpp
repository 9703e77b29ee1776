// Owns: the microkernel of bf16 dot products by FMAs (Arithmetic::bf16 in kind.hpp), and the rounding of its A.
// Included by the ISA files only.
//
// A word of weights holds two k, which are widened by a shift and a mask. A block of 32 k is computed in two passes,
// the even k and then the odd ones, so that a tile needs no more registers than one of f32. A of a block are the
// rounded values as floats: [16][mr] of the even k, then of the odd ones.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/element_types/bf16_pairs.hpp"
#include "kernels/element_types/float_mode.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/microkernels/microkernel.hpp"
#include "kernels/microkernels/probe.hpp"

namespace sluice::detail {
namespace {

inline constexpr std::ptrdiff_t words_of_block = Bf16Pairs::block_k / Bf16Pairs::word_k;

// The even or the odd k of a block. finish(p, i, j, sum) is called with each vector of sums. Returns what is to be
// prefetched next.
template <class Simd, int mr, int vectors, int panels, bool odd, class Finish>
[[gnu::always_inline]] inline const char* multiply_half(const DotCall& call, const float* a, const std::byte* b,
                                                        const char* ahead, Finish&& finish) {
  using V = typename Simd::Batch;
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  constexpr std::ptrdiff_t step_bytes = vectors * lanes * 4;
  const std::ptrdiff_t panel_stride = call.b_panel_stride;
  const std::ptrdiff_t distance = call.distance;
  const std::ptrdiff_t ahead_step = call.weight_prefetch_step;
  V acc[panels][mr][vectors];
  const auto each = [](auto&& action) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int p = 0; p < panels; ++p)
#pragma GCC unroll 16
      for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) action(p, i, j);
  };
  each([&](int p, int i, int j) __attribute__((always_inline)) { acc[p][i][j] = V(0.0F); });
#pragma GCC unroll 1
  for (std::ptrdiff_t word = words_of_block; word != 0; --word) {
#pragma GCC unroll 8
    for (int p = 0; p < panels; ++p) {
      const std::byte* const words = b + p * panel_stride;
      if constexpr (!odd) {
#pragma GCC unroll 4
        for (std::ptrdiff_t line = 0; line < step_bytes; line += 64) {
          if constexpr (panels > 1)
            __builtin_prefetch(words + line + distance, 0, 3);
          else
            __builtin_prefetch(ahead + line, 0, 2);
        }
        ahead += ahead_step;
      }
      V values[vectors];
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j)
        values[j] = Simd::template half_of<odd>(Simd::load_words(words + j * lanes * 4));
#pragma GCC unroll 16
      for (int i = 0; i < mr; ++i) {
        const Factor<Simd> factor(a[i]);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) Simd::accumulate(acc[p][i][j], factor, values[j]);
      }
    }
    b += step_bytes;
    a += mr;
    if constexpr (keeps_registers<Simd>)
      each([&](int p, int i, int j) __attribute__((always_inline)) { Simd::keep_in_register(acc[p][i][j]); });
  }
  each([&](int p, int i, int j) __attribute__((always_inline)) { finish(p, i, j, acc[p][i][j]); });
  return ahead;
}

// Not inlined, so that no operation is moved to where denormals are honoured.
template <class Simd, int mr, int vectors, int panels>
[[gnu::noinline]] void bf16_dots(const DotCall& call) {
  using V = typename Simd::Batch;
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  constexpr std::ptrdiff_t nr = vectors * lanes;
  const std::byte* a_tile = call.a;
  const float* c_in_tile = call.c_in;
  float* c_tile = call.c;
  const char* ahead = call.weight_prefetch;
  for (std::size_t tile = call.tiles; tile != 0; --tile) {
    const auto* a = reinterpret_cast<const float*>(a_tile);
    const std::byte* block = call.groups.codes;
    const float* c_in = c_in_tile;
    std::ptrdiff_t c_in_row = call.c_in_row_stride;
    std::ptrdiff_t c_in_panel = call.c_in_panel_stride;
    for (std::size_t k = 0; k < call.k; k += Bf16Pairs::block_k) {
      alignas(64) float evens[panels * mr * nr];
      const auto store_even = [&](int p, int i, int j, const V& sum) __attribute__((always_inline)) {
        sum.store_unaligned(evens + (p * mr + i) * nr + j * lanes);
      };
      const auto add_both = [&](int p, int i, int j, const V& sum) __attribute__((always_inline)) {
        const std::ptrdiff_t at = (p * mr + i) * nr + j * lanes;
        const V both = V::load_unaligned(evens + at) + sum;
        (V::load_unaligned(c_in + p * c_in_panel + i * c_in_row + j * lanes) + both).store_unaligned(c_tile + at);
      };
      ahead = multiply_half<Simd, mr, vectors, panels, false>(call, a, block, ahead, store_even);
      a += words_of_block * mr;
      // Else the compiler would keep these sums in registers and spill those of the odd k.
      asm volatile("" ::"r"(evens) : "memory");
      ahead = multiply_half<Simd, mr, vectors, panels, true>(call, a, block, ahead, add_both);
      a += words_of_block * mr;
      c_in = c_tile;
      c_in_row = nr;
      c_in_panel = mr * nr;
      block += call.groups.step;
    }
    a_tile += call.a_tile_stride;
    c_in_tile += call.c_in_tile_stride;
    c_tile += mr * nr;
  }
}

template <class Simd, int mr, int vectors, int panels>
void bf16_dot_kernel(const DotCall& call) {
  const FlushingMode mode;
  bf16_dots<Simd, mr, vectors, panels>(call);
}

// FMAs are what it computes with.
template <class Simd>
std::uint32_t bf16_fma_probe(std::size_t iterations, double* flops) {
  return std::bit_cast<std::uint32_t>(fma_probe<Simd>(iterations, flops));
}

// A block of a row, rounded; what is beyond `length` is zero.
[[gnu::always_inline]] inline void round_block(const float* x, std::size_t length,
                                               Bf16::Stored (&rounded)[Bf16Pairs::block_k]) {
  float values[Bf16Pairs::block_k] = {};
  __builtin_memcpy(values, x, length * sizeof(float));
  for (std::size_t k = 0; k < Bf16Pairs::block_k; ++k) rounded[k] = Bf16::round(values[k]);
}

inline void round_rows(const QuantiseCall& call) {
  float* a = reinterpret_cast<float*>(call.a);
  for (std::size_t k = 0; k < call.k; k += Bf16Pairs::block_k) {
    const std::size_t length = call.k - k < Bf16Pairs::block_k ? call.k - k : Bf16Pairs::block_k;
    for (std::size_t row = 0; row < call.rows; ++row) {
      Bf16::Stored rounded[Bf16Pairs::block_k];
      round_block(call.x + static_cast<std::ptrdiff_t>(row) * call.ldx + k, length, rounded);
      for (std::size_t i = 0; i < Bf16Pairs::block_k; ++i)
        a[(i % 2 * words_of_block + i / 2) * call.rows + row] = Bf16::widen(rounded[i]);
    }
    a += Bf16Pairs::block_k * call.rows;
  }
}

}  // namespace
}  // namespace sluice::detail
