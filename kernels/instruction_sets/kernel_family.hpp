// Owns: turning one Simd description into the table that an ISA exports. Included by the ISA files only.
// Does not own: its dot products (dot_family.hpp).
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "kernels/element_types/element_types.hpp"
#include "kernels/microkernels/epilogue.hpp"
#include "kernels/microkernels/interleaved_kernel.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/microkernels/microkernel.hpp"
#include "kernels/microkernels/probe.hpp"
#include "kernels/microkernels/widening.hpp"

namespace sluice::detail {
namespace {

// The microkernels of one panel width for weights of one type: for 1 to max_mr rows with A packed and in place; for up
// to stream_rows as one stream of weights; for panels side by side as far as `accumulators` registers reach; for up to
// interleaved_rows.
template <class Simd, class Element, int vectors, int max_mr, int accumulators, int interleaved_rows = 0>
struct PanelFamily {
  template <class Of, bool packed, bool widening, int... index>
  struct Kernels {
    static constexpr PanelKernel entries[] = {panel_kernel<Simd, Of, index + 1, vectors, packed, widening>...};
  };
  template <class Of, bool packed, bool widening, int... index>
  static constexpr const PanelKernel* entries(std::integer_sequence<int, index...>) {
    return Kernels<Of, packed, widening, index...>::entries;
  }

  template <int panels, int... index>
  struct FewRows {
    static constexpr PanelKernel entries[] = {few_rows_kernel<Simd, Element, index + 1, vectors, panels>...};
  };
  template <int panels, int... index>
  static constexpr const PanelKernel* few_rows_entries(std::integer_sequence<int, index...>) {
    return FewRows<panels, index...>::entries;
  }
  template <bool packed, int... index>
  struct Interleaved {
    static constexpr PanelKernel entries[] = {interleaved_kernel<Simd, Element, index + 1, max_mr, vectors, packed>...};
  };
  template <bool packed, int... index>
  static constexpr const PanelKernel* interleaved_entries(std::integer_sequence<int, index...>) {
    if constexpr (sizeof...(index) == 0)
      return nullptr;
    else
      return Interleaved<packed, index...>::entries;
  }
  // Elements with scales are widened before, into what the kernels of f32 read.
  static constexpr PanelKernels scaled_value() {
    using Rows = std::make_integer_sequence<int, max_mr>;
    PanelKernels kernels{};
    kernels.tile = {vectors * static_cast<std::uint32_t>(Simd::Batch::size), max_mr};
    kernels.packed = entries<F32, true, false>(Rows{});
    kernels.in_place = entries<F32, false, false>(Rows{});
    kernels.widen_groups = widen_groups<Simd, Element, vectors>;
    return kernels;
  }

  template <class Rows>
  static constexpr const PanelKernel* widening(Rows rows) {
    if constexpr (std::is_same_v<Element, F32>)
      return nullptr;
    else
      return entries<Element, true, true>(rows);
  }
  template <class Rows>
  static constexpr const PanelKernel* widened(Rows rows) {
    return std::is_same_v<Element, F32> ? nullptr : entries<F32, true, false>(rows);
  }
  // Three rows reach 79 % of the read roof as one stream, 98 % as two (Zen 4).
  static constexpr int stream_rows = 2;
  // A row of weights of 16 bits is two vectors at once, and a mask, which leaves registers for a row less.
  static constexpr int f32_wide_rows = accumulators / (static_cast<int>(wide_panels) * vectors);
  static constexpr int wide_rows =
      std::is_same_v<Element, F32> || f32_wide_rows == 1 ? f32_wide_rows : f32_wide_rows - 1;

  static constexpr PanelKernels value() {
    if constexpr (Element::grouped)
      return scaled_value();
    else
      return plain_value();
  }
  static constexpr PanelKernels plain_value() {
    using Rows = std::make_integer_sequence<int, max_mr>;
    return {{vectors * static_cast<std::uint32_t>(Simd::Batch::size), max_mr},
            entries<Element, true, false>(Rows{}),
            entries<Element, false, false>(Rows{}),
            widening(Rows{}),
            widened(Rows{}),
            nullptr,
            few_rows_entries<1>(std::make_integer_sequence<int, stream_rows>{}),
            stream_rows,
            few_rows_entries<wide_panels>(std::make_integer_sequence<int, wide_rows>{}),
            wide_rows,
            interleaved_entries<true>(std::make_integer_sequence<int, interleaved_rows>{}),
            interleaved_entries<false>(std::make_integer_sequence<int, interleaved_rows>{}),
            interleaved_rows};
  }
};

template <class Simd, bool gated, std::size_t... index>
constexpr void fill_epilogues(Epilogue (&table)[activation_count], std::index_sequence<index...>) {
  ((table[index] = epilogue<Simd, static_cast<Activation>(index), gated>), ...);
}

// Panels is a template over the type of weights, whose `value` is an array of the microkernels of each panel width.
template <class Simd, template <class Element> class Panels>
constexpr KernelTable make_table(Isa isa, DotTable dots) {
  KernelTable table{};
  table.isa = isa;
  table.lanes = static_cast<std::uint32_t>(Simd::Batch::size);
  ElementTypes::for_each([&]<class Element>(Element) {
    table.panels[static_cast<std::size_t>(Element::type)] = Panels<Element>::value;
    table.panel_count = sizeof Panels<Element>::value / sizeof(PanelKernels);
    static_assert(sizeof Panels<Element>::value / sizeof(PanelKernels) <= most_widths);
  });
  table.dots = dots;
  fill_epilogues<Simd, true>(table.gated, std::make_index_sequence<activation_count>{});
  fill_epilogues<Simd, false>(table.plain, std::make_index_sequence<activation_count>{});
  table.pack_rows = pack_rows<Simd>;
  table.probes = {fma_probe<Simd>, read_probe<Simd>};
  return table;
}

}  // namespace
}  // namespace sluice::detail
