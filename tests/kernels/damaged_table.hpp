// Owns: copies of an instruction set's table with a planted bug. Does not own: whether it is caught (mutations.cpp).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernels/microkernels/kernel_table.hpp"
#include "sluice/ffn.hpp"

namespace sluice::tests {
namespace {

using detail::Epilogue;
using detail::EpilogueCall;
using detail::KernelTable;
using detail::PanelCall;
using detail::PanelKernel;
using detail::PanelKernels;

enum class Bug {
  none,
  tail,
  bias,
  gate_swapped_with_up,
  stale_h,
  wrong_k_block_start,
  stale_widened,
  lost_zero,
  scales_of_another_group,
  lost_sign,
  saturated,
  short_group
};

// Kernels are plain functions without state, so the bug and the table that it damages are global.
const KernelTable* original = nullptr;
WeightType weight_type = WeightType::f32;
Arithmetic damaged_arithmetic = Arithmetic::f32;
Bug bug = Bug::none;

const PanelKernels& original_panels(std::size_t panel) {
  return original->panels[static_cast<std::size_t>(weight_type.element)][panel];
}

// Of one weight as the kernels read it.
double read_bytes() { return weight_type.group == 0 ? weight_bytes(weight_type) : weight_bytes(WeightType::f32); }

constexpr std::size_t most_panels = 4;
constexpr std::size_t most_rows = 24;
constexpr std::size_t most_width = 64;

// a_step: floats from one k to the next. b_step: bytes.
PanelCall damage(const PanelCall& call, std::ptrdiff_t a_step, double b_step) {
  static constexpr std::array<float, most_width> zeros{};
  PanelCall damaged = call;
  const bool continues = call.c_in_row_stride != 0;
  if (bug == Bug::tail) {
    damaged.k = call.k / 4 * 4;
  } else if (bug == Bug::bias && !continues) {
    damaged.c_in = zeros.data();
    damaged.c_in_tile_stride = 0;
  } else if (bug == Bug::wrong_k_block_start && continues && call.k > 1) {
    damaged.a += a_step;
    damaged.b = static_cast<const char*>(call.b) + static_cast<std::size_t>(b_step);
    damaged.k -= 1;
  }
  return damaged;
}

template <std::size_t panel, std::size_t row, bool packed>
void damaged_panel(const PanelCall& call) {
  const PanelKernels& panels = original_panels(panel);
  (packed ? panels.packed : panels.in_place)[row](damage(call, packed ? row + 1 : 1, read_bytes() * panels.tile.nr));
}

template <std::size_t panel, std::size_t row>
void damaged_widening(const PanelCall& call) {
  static std::array<float, detail::widened_depth * most_width> elsewhere{};
  PanelCall damaged = damage(call, row + 1, read_bytes() * original_panels(panel).tile.nr);
  // The other row tiles read what was there before.
  if (bug == Bug::stale_widened) damaged.widened = elsewhere.data();
  original_panels(panel).widening[row](damaged);
}

template <std::size_t panel, std::size_t row>
void damaged_widened(const PanelCall& call) {
  const PanelKernels& panels = original_panels(panel);
  panels.widened[row](damage(call, row + 1, weight_bytes(WeightType::f32) * panels.tile.nr));
}

template <std::size_t panel>
void damaged_widen_groups(const detail::PanelGroups& groups, std::size_t k, float* widened) {
  static std::array<float, (detail::widened_depth + 3) * most_width> elsewhere{};
  original_panels(panel).widen_groups(groups, k, bug == Bug::stale_widened ? elsewhere.data() : widened);
}

const detail::DotKernels& original_dots(std::size_t panel) {
  return original->dots
      .of[static_cast<std::size_t>(weight_type.element)][static_cast<std::size_t>(damaged_arithmetic)][panel];
}

template <std::size_t panel, std::size_t row, bool wide>
void damaged_dot(const detail::DotCall& call) {
  static constexpr std::array<float, most_width> zeros{};
  const detail::DotKernels& dots = original_dots(panel);
  detail::DotCall damaged = call;
  const bool continues = call.c_in_row_stride != 0;
  const std::size_t length = call.groups.length;
  if (bug == Bug::tail) {
    const std::size_t unit = std::max<std::size_t>(4, dots.fill_k);
    damaged.k = call.k / unit * unit;
  } else if (bug == Bug::bias && !continues) {
    damaged.c_in = zeros.data();
    damaged.c_in_tile_stride = damaged.c_in_panel_stride = 0;
  } else if (bug == Bug::wrong_k_block_start && continues && call.k > length) {
    damaged.a += dots.row_bytes(length, length) * (row + 1);
    damaged.groups.codes += call.groups.step;
    damaged.groups.scales += call.groups.scale_step;
    damaged.k -= length;
  } else if (bug == Bug::scales_of_another_group && call.k > length) {
    damaged.groups.scales += call.groups.scale_step;
    damaged.groups.scale_step = 0;
  }
  (wide ? dots.wide : dots.packed)[row](damaged);
}

template <std::size_t panel>
void damaged_quantise(const detail::QuantiseCall& call) {
  const detail::DotKernels& dots = original_dots(panel);
  std::vector<float> x(call.rows * call.k);
  for (std::size_t row = 0; row < call.rows; ++row)
    for (std::size_t k = 0; k < call.k; ++k)
      x[row * call.k + k] = call.x[static_cast<std::ptrdiff_t>(row) * call.ldx + static_cast<std::ptrdiff_t>(k)];
  if (bug == Bug::lost_sign)
    for (float& value : x) value = std::abs(value);
  // What lies in the upper tenth of a group becomes its beginning.
  for (std::size_t row = 0; bug == Bug::saturated && row < call.rows; ++row) {
    for (std::size_t k0 = 0; k0 < call.k; k0 += call.group) {
      const auto group = std::span(x).subspan(row * call.k + k0, std::min(call.group, call.k - k0));
      float most = 0;
      for (const float value : group) most = std::max(most, std::abs(value));
      for (float& value : group) value = std::clamp(value, -0.9F * most, 0.9F * most);
    }
  }
  detail::QuantiseCall damaged = call;
  damaged.x = x.data();
  damaged.ldx = static_cast<std::ptrdiff_t>(call.k);
  dots.quantise[call.rows - 1](damaged);
  std::byte* a = call.a;
  for (std::size_t k0 = 0; k0 < call.k; k0 += call.group) {
    const std::size_t length = std::min(call.group, call.k - k0);
    const std::size_t bytes = dots.row_bytes(length, call.group) * call.rows;
    if (dots.start_k == 0) {
      if (bug == Bug::short_group && length < call.group) std::fill_n(a, bytes, std::byte{});
      a += bytes;
      continue;
    }
    auto* const scales = reinterpret_cast<float*>(a);
    for (std::size_t row = 0; row < call.rows; ++row) {
      if (bug == Bug::lost_zero) reinterpret_cast<std::int32_t*>(scales + call.rows)[row] = 0;
      // As if the short group were not there.
      if (bug == Bug::short_group && length < call.group) scales[row] = 0;
    }
    a += bytes;
  }
}

template <std::size_t panel, bool wide, std::size_t... row>
constexpr std::array<detail::DotKernel, most_rows> damaged_dots_of(std::index_sequence<row...>) {
  return {damaged_dot<panel, row, wide>...};
}

template <bool wide, std::size_t... panel>
constexpr std::array<std::array<detail::DotKernel, most_rows>, most_panels> damaged_dots_all(
    std::index_sequence<panel...>) {
  return {damaged_dots_of<panel, wide>(std::make_index_sequence<most_rows>{})...};
}

template <std::size_t panel>
constexpr std::array<detail::QuantiseRows, most_rows> damaged_quantise_of() {
  std::array<detail::QuantiseRows, most_rows> all{};
  all.fill(damaged_quantise<panel>);
  return all;
}

template <std::size_t... panel>
constexpr std::array<std::array<detail::QuantiseRows, most_rows>, most_panels> damaged_quantise_all(
    std::index_sequence<panel...>) {
  return {damaged_quantise_of<panel>()...};
}

constexpr auto damaged_packed_dots = damaged_dots_all<false>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_wide_dots = damaged_dots_all<true>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_quantisations = damaged_quantise_all(std::make_index_sequence<most_panels>{});

template <std::size_t panel, std::size_t row, bool wide>
void damaged_few_rows(const PanelCall& call) {
  const PanelKernels& panels = original_panels(panel);
  (wide ? panels.wide : panels.stream)[row](damage(call, call.a_tile_stride, read_bytes() * panels.tile.nr));
}

template <std::size_t panel, std::size_t row, bool packed>
void damaged_interleaved(const PanelCall& call) {
  const PanelKernels& panels = original_panels(panel);
  (packed ? panels.interleaved_packed
          : panels.interleaved_in_place)[row](damage(call, packed ? row + 1 : 1, read_bytes() * panels.tile.nr));
}

// Whether H already holds something where this panel belongs (the workspace starts as NaN).
bool holds_h(const EpilogueCall& call) {
  const std::size_t k0 = call.column - call.column % call.h.kc;
  const std::size_t slice = std::min(call.h.kc, call.h.depth - k0);
  const float* first = call.h.base + k0 * call.h.rows + call.first_row * slice + (call.column - k0) * call.mr;
  return !std::isnan(*first);
}

template <std::size_t activation, bool gated>
void damaged_epilogue(const EpilogueCall& call) {
  const Epilogue epilogue = (gated ? original->gated : original->plain)[activation];
  if (bug == Bug::stale_h && holds_h(call)) {
    return;
  }
  if (bug != Bug::gate_swapped_with_up || !gated) {
    epilogue(call);
    return;
  }
  std::vector<float> swapped(call.c, call.c + call.tiles * call.mr * call.nr);
  for (auto row = swapped.begin(); row != swapped.end(); row += static_cast<std::ptrdiff_t>(call.nr)) {
    std::rotate(row, row + static_cast<std::ptrdiff_t>(call.nr / 2), row + static_cast<std::ptrdiff_t>(call.nr));
  }
  EpilogueCall damaged = call;
  damaged.c = swapped.data();
  epilogue(damaged);
}

template <std::size_t panel, bool packed, std::size_t... row>
constexpr std::array<PanelKernel, most_rows> damaged_rows(std::index_sequence<row...>) {
  return {damaged_panel<panel, row, packed>...};
}

template <bool packed, std::size_t... panel>
constexpr std::array<std::array<PanelKernel, most_rows>, most_panels> damaged_panels(std::index_sequence<panel...>) {
  return {damaged_rows<panel, packed>(std::make_index_sequence<most_rows>{})...};
}

template <std::size_t panel, bool first, std::size_t... row>
constexpr std::array<PanelKernel, most_rows> damaged_widening_of(std::index_sequence<row...>) {
  return {(first ? damaged_widening<panel, row> : damaged_widened<panel, row>)...};
}

template <bool first, std::size_t... panel>
constexpr std::array<std::array<PanelKernel, most_rows>, most_panels> damaged_widening_all(
    std::index_sequence<panel...>) {
  return {damaged_widening_of<panel, first>(std::make_index_sequence<most_rows>{})...};
}

template <std::size_t panel, bool packed, std::size_t... row>
constexpr std::array<PanelKernel, most_rows> damaged_interleaved_of(std::index_sequence<row...>) {
  return {damaged_interleaved<panel, row, packed>...};
}

template <bool packed, std::size_t... panel>
constexpr std::array<std::array<PanelKernel, most_rows>, most_panels> damaged_interleaved_all(
    std::index_sequence<panel...>) {
  return {damaged_interleaved_of<panel, packed>(std::make_index_sequence<most_rows>{})...};
}

template <std::size_t panel, bool wide, std::size_t... row>
constexpr std::array<PanelKernel, most_rows> damaged_few_rows_of(std::index_sequence<row...>) {
  return {damaged_few_rows<panel, row, wide>...};
}

template <bool wide, std::size_t... panel>
constexpr std::array<std::array<PanelKernel, most_rows>, most_panels> damaged_few_rows_all(
    std::index_sequence<panel...>) {
  return {damaged_few_rows_of<panel, wide>(std::make_index_sequence<most_rows>{})...};
}

template <std::size_t... panel>
constexpr std::array<detail::WidenGroups, most_panels> damaged_widen_all(std::index_sequence<panel...>) {
  return {damaged_widen_groups<panel>...};
}

constexpr auto damaged_widen = damaged_widen_all(std::make_index_sequence<most_panels>{});
constexpr auto damaged_first_tiles = damaged_widening_all<true>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_other_tiles = damaged_widening_all<false>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_packed = damaged_panels<true>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_in_place = damaged_panels<false>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_stream = damaged_few_rows_all<false>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_interleaved_packed = damaged_interleaved_all<true>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_interleaved_in_place = damaged_interleaved_all<false>(std::make_index_sequence<most_panels>{});
constexpr auto damaged_wide = damaged_few_rows_all<true>(std::make_index_sequence<most_panels>{});

// A table like `kernels`, all of whose entries go through the damage.
struct DamagedTable {
  explicit DamagedTable(const KernelTable& kernels) : table(kernels) {
    if (kernels.panel_count > most_panels) {
      throw std::logic_error("more panel widths than the mutations wrap; raise most_panels");
    }
    for (std::size_t i = 0; i < kernels.panel_count; ++i) {
      const PanelKernels& source = original_panels(i);
      if (source.tile.max_mr > most_rows || source.wide_rows > most_rows || source.interleaved_rows > most_rows ||
          source.tile.nr > most_width) {
        throw std::logic_error("a larger register tile than the mutations wrap; raise most_rows or most_width");
      }
      PanelKernels& copy = panels.at(i);
      copy = source;
      if (source.widening != nullptr) {
        copy.widening = damaged_first_tiles.at(i).data();
        copy.widened = damaged_other_tiles.at(i).data();
      }
      if (source.widen_groups != nullptr) copy.widen_groups = damaged_widen.at(i);
      copy.packed = damaged_packed.at(i).data();
      copy.in_place = damaged_in_place.at(i).data();
      copy.stream = damaged_stream.at(i).data();
      copy.wide = damaged_wide.at(i).data();
      copy.interleaved_packed = damaged_interleaved_packed.at(i).data();
      copy.interleaved_in_place = damaged_interleaved_in_place.at(i).data();
    }
    table.panels[static_cast<std::size_t>(weight_type.element)] = panels.data();
    if (damaged_arithmetic != Arithmetic::f32) {
      for (std::size_t i = 0; i < kernels.panel_count; ++i) {
        dots.at(i) = original_dots(i);
        dots.at(i).packed = damaged_packed_dots.at(i).data();
        dots.at(i).wide = damaged_wide_dots.at(i).data();
        dots.at(i).quantise = damaged_quantisations.at(i).data();
      }
      table.dots.of[static_cast<std::size_t>(weight_type.element)][static_cast<std::size_t>(damaged_arithmetic)] =
          dots.data();
    }
    wrap(std::make_index_sequence<activation_count>{});
  }

  template <std::size_t... activation>
  void wrap(std::index_sequence<activation...>) {
    ((table.gated[activation] = damaged_epilogue<activation, true>), ...);
    ((table.plain[activation] = damaged_epilogue<activation, false>), ...);
  }

  KernelTable table;
  std::array<PanelKernels, most_panels> panels{};
  std::array<detail::DotKernels, most_panels> dots{};
};

}  // namespace
}  // namespace sluice::tests
