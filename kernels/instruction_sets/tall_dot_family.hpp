// Owns: turning registers that hold a matrix into the dot products of tall tiles that an ISA exports. Included by the
// ISA files only.
#pragma once

#include <utility>

#include "kernels/microkernels/dot_kernel.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/microkernels/matrix_bf16_kernel.hpp"
#include "kernels/microkernels/matrix_dot_kernel.hpp"

namespace sluice::detail {
namespace {

// The microkernels of one panel width for tiles of first_mr rows and more. Digits says how quantised elements stand
// in A.
template <class Simd, class Matrix, class Digits, class Element, int largest, int vectors, int first_mr>
struct TallDotFamily {
  template <int... index>
  struct Packed {
    static constexpr DotKernel entries[] = {
        matrix_dot_kernel<Simd, Matrix, Digits, Element, first_mr + index, vectors>...};
  };
  template <int... index>
  static constexpr TallDots make(std::integer_sequence<int, index...>) {
    return {vectors * static_cast<std::uint32_t>(Simd::Batch::size),
            first_mr,
            most_tall_mr,
            Packed<index...>::entries,
            quantise_rows<Simd, Digits, Element, largest>,
            matrix_dot_probe<Matrix, Digits::parts>,
            end_matrix_dots<Matrix>};
  }
  static constexpr TallDots value() {
    return make(std::make_integer_sequence<int, static_cast<int>(most_tall_mr) - first_mr + 1>{});
  }
};

// The same of bf16. registers: of 16 columns, in a panel. Two panels go side by side where there are registers for the
// sums of both.
template <class Matrix, int registers, int first_mr>
struct TallBf16Family {
  static constexpr int side_by_side = 4 / registers;
  template <int panels, int... index>
  struct Kernels {
    static constexpr DotKernel entries[] = {matrix_bf16_kernel<Matrix, registers, panels, first_mr + index>...};
  };
  template <int... index>
  static constexpr TallDots make(std::integer_sequence<int, index...>) {
    return {registers * static_cast<std::uint32_t>(matrix_columns),
            first_mr,
            most_tall_mr,
            Kernels<1, index...>::entries,
            round_rows_to_pairs,
            matrix_bf16_probe<Matrix>,
            end_matrix_dots<Matrix>,
            side_by_side > 1 ? Kernels<side_by_side, index...>::entries : nullptr,
            side_by_side};
  }
  static constexpr TallDots value() {
    return make(std::make_integer_sequence<int, static_cast<int>(most_tall_mr) - first_mr + 1>{});
  }
};

}  // namespace
}  // namespace sluice::detail
