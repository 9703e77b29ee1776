// Owns: turning the dot products of an instruction set into the table of them. Included by the ISA files only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/element_types/element_types.hpp"
#include "kernels/microkernels/bf16_dot_kernel.hpp"
#include "kernels/microkernels/dot_kernel.hpp"
#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {
namespace {

// What a family is of: the kernel of `mr` rows of `panels` panels side by side, and how its A is quantised.
//
// Exact integers. largest: 127 or 32767.
template <class Simd, class Dot, class Element, int largest, int panel_vectors>
struct IntegerDots {
  static constexpr int vectors = panel_vectors;
  static constexpr std::uint32_t nr = vectors * static_cast<std::uint32_t>(Simd::Batch::size);
  static constexpr std::size_t word_k = Element::word_k;
  static constexpr std::size_t fill_k = Element::word_k;
  static constexpr std::size_t code_bytes = Dot::parts;
  static constexpr std::size_t sum_k = start_k<Dot, Element>;
  template <int mr, int panels>
  static constexpr DotKernel kernel = dot_kernel<Simd, Dot, Element, mr, vectors, panels>;
  static constexpr QuantiseRows quantise = quantise_rows<Simd, Dot, Element, largest>;
  static constexpr DotProbe probe = dot_probe<Simd, Dot>;
};

// bf16 by FMAs.
template <class Simd, int panel_vectors>
struct Bf16Dots {
  static constexpr int vectors = panel_vectors;
  static constexpr std::uint32_t nr = vectors * static_cast<std::uint32_t>(Simd::Batch::size);
  static constexpr std::size_t word_k = Bf16Pairs::word_k;
  static constexpr std::size_t fill_k = Bf16Pairs::block_k;
  static constexpr std::size_t code_bytes = sizeof(float);
  static constexpr std::size_t sum_k = 0;
  template <int mr, int panels>
  static constexpr DotKernel kernel = bf16_dot_kernel<Simd, mr, vectors, panels>;
  static constexpr QuantiseRows quantise = round_rows;
  static constexpr DotProbe probe = bf16_fma_probe<Simd>;
};

// The microkernels of one panel width, for up to max_mr rows; for up to most_wide_rows of panels side by side as far as
// `sums` registers reach.
template <class Of, int max_mr, int sums, int most_wide_rows = max_mr>
struct DotFamily {
  static constexpr int side_by_side(int rows) {
    return 4 * rows * Of::vectors <= sums ? 4 : 2 * rows * Of::vectors <= sums ? 2 : 1;
  }
  static constexpr int wide_rows() {
    int rows = 0;
    while (rows < most_wide_rows && side_by_side(rows + 1) > 1) ++rows;
    return rows;
  }
  template <int>
  static constexpr QuantiseRows quantisation = Of::quantise;
  template <int... index>
  struct Packed {
    static constexpr DotKernel entries[] = {Of::template kernel<index + 1, 1>...};
    static constexpr QuantiseRows quantise[] = {quantisation<index>...};
  };
  template <int... index>
  struct Wide {
    static constexpr DotKernel entries[] = {Of::template kernel<index + 1, side_by_side(index + 1)>...};
    static constexpr std::uint8_t panels[] = {static_cast<std::uint8_t>(side_by_side(index + 1))...};
  };
  template <int... packed, int... wide>
  static constexpr DotKernels make(std::integer_sequence<int, packed...>, std::integer_sequence<int, wide...>) {
    return {Of::nr,
            max_mr,
            Of::word_k,
            Of::fill_k,
            Of::code_bytes,
            Of::sum_k,
            Packed<packed...>::entries,
            Wide<wide...>::entries,
            Wide<wide...>::panels,
            sizeof...(wide),
            Packed<packed...>::quantise,
            Of::probe};
  }
  static constexpr DotKernels value() {
    return make(std::make_integer_sequence<int, max_mr>{}, std::make_integer_sequence<int, wide_rows()>{});
  }
};

// Dots is a template over the type of elements and the largest quantised element, 127 or 32767, whose `value` is an
// array of the microkernels of each panel width. This table has those of 127 alone.
template <template <class Element, int largest> class Dots, class Table = DotTable>
constexpr Table make_byte_dot_table() {
  Table table{};
  ElementTypes::for_each([&]<class Element>(Element) {
    if constexpr (Element::grouped)
      table.of[static_cast<std::size_t>(Element::type)][static_cast<std::size_t>(Arithmetic::int8)] =
          Dots<Element, 127>::value;
  });
  return table;
}
template <template <class Element, int largest> class Dots, class Table = DotTable>
constexpr Table make_dot_table() {
  Table table = make_byte_dot_table<Dots, Table>();
  ElementTypes::for_each([&]<class Element>(Element) {
    if constexpr (Element::grouped)
      table.of[static_cast<std::size_t>(Element::type)][static_cast<std::size_t>(Arithmetic::int16)] =
          Dots<Element, 32767>::value;
  });
  return table;
}

// With the microkernels of bf16, an array of each panel width.
template <class Table, class Of>
constexpr Table with_bf16(Table table, const Of* bf16) {
  table.of[static_cast<std::size_t>(ElementType::bf16)][static_cast<std::size_t>(Arithmetic::bf16)] = bf16;
  return table;
}

}  // namespace
}  // namespace sluice::detail
