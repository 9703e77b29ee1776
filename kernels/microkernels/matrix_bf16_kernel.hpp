// Owns: the microkernel of bf16 dot products by registers that hold a matrix. Included by the ISA files only.
//
// One instruction computes a block of 32 k of a whole row tile and 16 columns as Arithmetic::bf16 (kind.hpp) has it.
// Matrix is what matrix_dot_kernel.hpp asks for: the sums of a tile stay in registers 0 to 3 through a slice of k. A of
// a block are its rows, of 64 bytes each, in the first half of what the floats of bf16_dot_kernel.hpp take, since tiles
// of fewer rows are computed by that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/microkernels/bf16_dot_kernel.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/microkernels/matrix_dot_kernel.hpp"

namespace sluice::detail {
namespace {

// Of A, of a row.
inline constexpr std::ptrdiff_t block_row_bytes = Bf16Pairs::block_k * sizeof(float);

// One function serves tiles of every height.
template <class Matrix, int registers>
[[gnu::noinline]] void matrix_bf16_dots(const DotCall& call, std::ptrdiff_t mr) {
  static_assert(registers <= 4);
  constexpr std::ptrdiff_t nr = registers * matrix_columns;
  constexpr std::ptrdiff_t row_bytes = nr * 4;
  const auto each =
      []<int... index>(std::integer_sequence<int, index...>, auto&& action) __attribute__((always_inline)) {
    (action(std::integral_constant<int, index>{}), ...);
  };
  constexpr std::make_integer_sequence<int, registers> all;
  const auto configuration = static_cast<std::uint32_t>(mr << 16U | matrix_row_bytes);
  if (call.state->configuration != configuration) {
    Matrix::configure(mr, matrix_row_bytes);
    call.state->configuration = configuration;
  }
  const std::byte* a_tile = call.a;
  const float* c_in = call.c_in;
  float* c = call.c;
  const char* ahead = call.weight_prefetch;
  for (std::size_t tile = call.tiles; tile != 0; --tile) {
    each(
        all, [&](auto j) __attribute__((always_inline)) {
          Matrix::template load<decltype(j)::value>(c_in + j * matrix_columns, call.c_in_row_stride * 4);
        });
    const std::byte* a = a_tile;
    const std::byte* b = call.groups.codes;
    const auto block = [&](auto number) __attribute__((always_inline)) {
      constexpr int of_a = 4 + decltype(number)::value;
      Matrix::template load<of_a>(a, matrix_row_bytes);
      each(
          all, [&](auto j) __attribute__((always_inline)) {
            constexpr int sums = decltype(j)::value;
            constexpr int of_b = 6 + sums % 2;
            Matrix::template load<of_b>(b + sums * matrix_row_bytes, row_bytes);
            Matrix::template multiply_bf16<sums, of_a, of_b>();
            // A part of the lines that the step asks for.
            const std::ptrdiff_t asked = words_of_block * call.weight_prefetch_step / registers;
            for (std::ptrdiff_t line = 0; line < asked; line += 64) __builtin_prefetch(ahead + line, 0, 2);
            ahead += asked;
          });
      a += mr * block_row_bytes;
      b += call.groups.step;
    };
    std::size_t k = 0;
    for (; k + Bf16Pairs::block_k < call.k; k += 2 * Bf16Pairs::block_k) {
      block(std::integral_constant<int, 0>{});
      block(std::integral_constant<int, 1>{});
    }
    if (k < call.k) block(std::integral_constant<int, 0>{});
    each(
        all, [&](auto j) __attribute__((always_inline)) {
          Matrix::template store<decltype(j)::value>(c + j * matrix_columns, row_bytes);
        });
    a_tile += call.a_tile_stride;
    c_in += call.c_in_tile_stride;
    c += mr * nr;
  }
}

template <class Matrix, int registers, int mr>
void matrix_bf16_kernel(const DotCall& call) {
  matrix_bf16_dots<Matrix, registers>(call, mr);
}

inline void round_rows_to_pairs(const QuantiseCall& call) {
  std::byte* a = call.a;
  for (std::size_t k = 0; k < call.k; k += Bf16Pairs::block_k) {
    const std::size_t length = call.k - k < Bf16Pairs::block_k ? call.k - k : Bf16Pairs::block_k;
    for (std::size_t row = 0; row < call.rows; ++row) {
      Bf16::Stored rounded[Bf16Pairs::block_k];
      round_block(call.x + static_cast<std::ptrdiff_t>(row) * call.ldx + k, length, rounded);
      __builtin_memcpy(a + row * sizeof rounded, rounded, sizeof rounded);
    }
    a += call.rows * block_row_bytes;
  }
}

// Independent sums on registers alone, whose speed is the peak.
template <class Matrix>
std::uint32_t matrix_bf16_probe(std::size_t iterations, double* flops) {
  constexpr int rows = 16;
  Matrix::configure(rows, matrix_row_bytes);
  zero_registers<Matrix>();
  for (std::size_t iteration = 0; iteration < iterations; ++iteration) {
    Matrix::template multiply_bf16<0, 4, 6>();
    Matrix::template multiply_bf16<1, 4, 7>();
    Matrix::template multiply_bf16<2, 5, 6>();
    Matrix::template multiply_bf16<3, 5, 7>();
  }
  alignas(64) float sums[16][matrix_columns];
  Matrix::template store<0>(sums, matrix_row_bytes);
  Matrix::release();
  *flops = 2.0 * rows * matrix_columns * Bf16Pairs::block_k * 4 * static_cast<double>(iterations);
  return __builtin_bit_cast(std::uint32_t, sums[0][0]);
}

}  // namespace
}  // namespace sluice::detail
