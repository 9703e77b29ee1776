// Owns: turning one Simd description into the tables an ISA exports. Included by the ISA files only.
#pragma once

#include <cstddef>
#include <utility>

#include "kernels/epilogue.hpp"
#include "kernels/kernel_table.hpp"
#include "kernels/microkernel.hpp"
#include "kernels/probe.hpp"

namespace sluice::detail {
namespace {

// The microkernels of one panel width: 1 … max_mr rows with A packed and in place, and wide ones as far as
// `accumulators` registers reach for at least two panels.
template <class Simd, int vectors, int max_mr, int accumulators>
struct PanelFamily {
  template <bool packed, int... index>
  struct Kernels {
    static constexpr PanelKernel entries[] = {panel_kernel<Simd, index + 1, vectors, packed>...};
  };
  template <bool packed, int... index>
  static constexpr const PanelKernel* entries(std::integer_sequence<int, index...>) {
    return Kernels<packed, index...>::entries;
  }

  // One row, or two where the panel is two cache lines wide, are fastest as one stream (Zen 4, AVX-512: one row, of the
  // read roof: one stream 100 %, two 93 %, four 89 %; two rows: one stream takes 0.965 of the time of two, six pairs).
  // More rows need the loads of two in flight (three rows: one stream 79 %, two 98 %; AVX2, two rows: one stream 1.10).
  static constexpr int line_floats = 16;
  static constexpr int wide_panels(int mr) {
    const int fit = accumulators / (mr * vectors);
    const int most = mr <= 2 && mr * line_floats <= vectors * static_cast<int>(Simd::Batch::size) ? 1 : 2;
    return fit < most ? fit : most;
  }
  static constexpr int wide_rows = accumulators / (2 * vectors);
  template <int... index>
  struct Wide {
    static constexpr WideKernel entries[] = {
        {wide_kernel<Simd, index + 1, vectors, wide_panels(index + 1)>, wide_panels(index + 1)}...};
  };
  template <int... index>
  static constexpr const WideKernel* wide_entries(std::integer_sequence<int, index...>) {
    return Wide<index...>::entries;
  }

  static constexpr PanelKernels value() {
    using Rows = std::make_integer_sequence<int, max_mr>;
    return {{vectors * static_cast<std::uint32_t>(Simd::Batch::size), max_mr},
            entries<true>(Rows{}),
            entries<false>(Rows{}),
            wide_entries(std::make_integer_sequence<int, wide_rows>{}),
            wide_rows};
  }
};

template <class Simd, bool gated, std::size_t... index>
constexpr void fill_epilogues(Epilogue (&table)[activation_count], std::index_sequence<index...>) {
  ((table[index] = epilogue<Simd, static_cast<Activation>(index), gated>), ...);
}

template <class Simd>
constexpr KernelTable make_table(Isa isa, const PanelKernels* panels, std::size_t panel_count) {
  KernelTable table{};
  table.isa = isa;
  table.lanes = static_cast<std::uint32_t>(Simd::Batch::size);
  table.panels = panels;
  table.panel_count = panel_count;
  fill_epilogues<Simd, true>(table.gated, std::make_index_sequence<activation_count>{});
  fill_epilogues<Simd, false>(table.plain, std::make_index_sequence<activation_count>{});
  table.pack_rows = pack_rows<Simd>;
  table.probes = {fma_probe<Simd>, read_probe<Simd>};
  return table;
}

}  // namespace
}  // namespace sluice::detail
