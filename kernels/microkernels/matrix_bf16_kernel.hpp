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

// Calls action(index) for 0 to count − 1, each a constant.
template <int count, class Action>
[[gnu::always_inline]] inline void for_each_index(Action&& action) {
  [&]<int... index>(std::integer_sequence<int, index...>) __attribute__((always_inline)) {
    (action(std::integral_constant<int, index>{}), ...);
  }
  (std::make_integer_sequence<int, count>{});
}

// Some row tiles by the panels of a call, in the registers of sums: of the first row tile those of each 16 columns of
// each panel, then of the second one.
template <class Matrix, int registers, int panels, int row_tiles>
class MatrixBf16Block {
  static constexpr int columns = registers * panels;  // in units of 16
  static_assert(columns * row_tiles <= 4 && row_tiles <= 2);
  static constexpr std::ptrdiff_t nr = registers * matrix_columns;
  static constexpr std::ptrdiff_t row_bytes = nr * 4;
  static constexpr std::ptrdiff_t unit_bytes = matrix_columns * matrix_row_bytes;  // of a block of 16 columns

 public:
  [[gnu::always_inline]] inline MatrixBf16Block(const DotCall& call, std::ptrdiff_t mr) : call_(call), mr_(mr) {}

  // Returns what is to be prefetched next.
  [[gnu::always_inline]] inline const char* run(const std::byte* a, const float* c_in, float* c, const char* ahead) {
    for_each_index<columns * row_tiles>([&](auto sums) __attribute__((always_inline)) {
      constexpr int unit = decltype(sums)::value % columns;
      Matrix::template load<decltype(sums)::value>(c_in + sums / columns * call_.c_in_tile_stride +
                                                       unit / registers * call_.c_in_panel_stride +
                                                       unit % registers * matrix_columns,
                                                   call_.c_in_row_stride * 4);
    });
    a_ = a;
    b_ = call_.groups.codes;
    ahead_ = ahead;
    std::size_t k = 0;
    for (; k + Bf16Pairs::block_k < call_.k; k += 2 * Bf16Pairs::block_k) {
      multiply<0>();
      multiply<1>();
    }
    if (k < call_.k) multiply<0>();
    for_each_index<columns * row_tiles>([&](auto sums) __attribute__((always_inline)) {
      constexpr int unit = decltype(sums)::value % columns;
      Matrix::template store<decltype(sums)::value>(
          c + (sums / columns + unit / registers) * mr_ * nr + unit % registers * matrix_columns, row_bytes);
    });
    return ahead_;
  }

 private:
  // 32 k. number: its parity, by which a single row tile of A changes its register.
  template <int number>
  [[gnu::always_inline]] inline void multiply() {
    constexpr auto of_a = [](int tile) { return 4 + (row_tiles == 1 ? number : tile); };
    Matrix::template load<of_a(0)>(a_, matrix_row_bytes);
    if constexpr (row_tiles == 2) Matrix::template load<of_a(1)>(a_ + call_.a_tile_stride, matrix_row_bytes);
    for_each_index<columns>([&](auto unit) __attribute__((always_inline)) {
      constexpr int index = decltype(unit)::value;
      constexpr int of_b = 6 + index % 2;
      const std::byte* const panel = b_ + index / registers * call_.b_panel_stride;
      Matrix::template load<of_b>(panel + index % registers * matrix_row_bytes, row_bytes);
      Matrix::template multiply_bf16<index, of_a(0), of_b>();
      if constexpr (row_tiles == 2) Matrix::template multiply_bf16<columns + index, of_a(1), of_b>();
      if constexpr (panels > 1) {
        prefetch(reinterpret_cast<const char*>(panel) + call_.distance + index % registers * unit_bytes, unit_bytes);
      } else {
        // A part of the lines that the steps of all row tiles ask for.
        const std::ptrdiff_t asked = row_tiles * words_of_block * call_.weight_prefetch_step / registers;
        prefetch(ahead_, asked);
        ahead_ += asked;
      }
    });
    a_ += mr_ * block_row_bytes;
    b_ += call_.groups.step;
  }
  [[gnu::always_inline]] static inline void prefetch(const char* from, std::ptrdiff_t bytes) {
    for (std::ptrdiff_t line = 0; line < bytes; line += 64) __builtin_prefetch(from + line, 0, 2);
  }

  const DotCall& call_;
  const std::ptrdiff_t mr_;
  const std::byte* a_ = nullptr;
  const std::byte* b_ = nullptr;
  const char* ahead_ = nullptr;
};

// One function serves tiles of every height. registers: of 16 columns, in a panel. Panels side by side are of one row
// tile. With fewer than four sums at once each waits for its last product (52 cycles, for a product each 16).
template <class Matrix, int registers, int panels>
[[gnu::noinline]] void matrix_bf16_dots(const DotCall& call, std::ptrdiff_t mr) {
  constexpr std::ptrdiff_t nr = registers * matrix_columns;
  constexpr int at_once = registers * panels <= 2 ? 2 : 1;
  const auto configuration = static_cast<std::uint32_t>(mr << 16U | matrix_row_bytes);
  if (call.state->configuration != configuration) {
    Matrix::configure(mr, matrix_row_bytes);
    call.state->configuration = configuration;
  }
  const std::byte* a = call.a;
  const float* c_in = call.c_in;
  float* c = call.c;
  const char* ahead = call.weight_prefetch;
  const auto run = [&](auto tiles) __attribute__((always_inline)) {
    constexpr int count = decltype(tiles)::value;
    ahead = MatrixBf16Block<Matrix, registers, panels, count>(call, mr).run(a, c_in, c, ahead);
    a += count * call.a_tile_stride;
    c_in += count * call.c_in_tile_stride;
    c += count * mr * nr;
  };
  std::size_t left = call.tiles;
  for (; left >= at_once; left -= at_once) run(std::integral_constant<int, at_once>{});
  if (left != 0) run(std::integral_constant<int, 1>{});
}

template <class Matrix, int registers, int panels, int mr>
void matrix_bf16_kernel(const DotCall& call) {
  matrix_bf16_dots<Matrix, registers, panels>(call, mr);
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
