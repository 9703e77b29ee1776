// The checks find real bugs: six kernel bugs are planted in a copy of each ISA's table. The same verify() that the
// numerics tests rely on must reject each of them, and must accept the copy without a bug.
#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernels/call/ffn_access.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

using detail::Epilogue;
using detail::EpilogueCall;
using detail::KernelTable;
using detail::PanelCall;
using detail::PanelKernel;
using detail::PanelKernels;

enum class Bug { none, tail, bias, gate_swapped_with_up, stale_h, wrong_k_block_start, stale_widened };

// Kernels are plain functions without state, so the bug and the table that it damages are global.
const KernelTable* original = nullptr;
WeightType weight_type = WeightType::f32;
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
    wrap(std::make_index_sequence<activation_count>{});
  }

  template <std::size_t... activation>
  void wrap(std::index_sequence<activation...>) {
    ((table.gated[activation] = damaged_epilogue<activation, true>), ...);
    ((table.plain[activation] = damaged_epilogue<activation, false>), ...);
  }

  KernelTable table;
  std::array<PanelKernels, most_panels> panels{};
};

class Mutations : public PerKernel {
 protected:
  void SetUp() override {
    original = detail::kernel_table(isa());
    ASSERT_NE(original, nullptr);
    weight_type = kind().weights;
  }

  static tuner::KernelVerdict verdict_with(Bug planted) {
    bug = planted;
    const DamagedTable damaged(*original);
    tuner::VerifyOptions options;
    options.coverage = tuner::Coverage::brief;
    options.pack = [&](Shape shape, Kind kind, const Weights& weights, const PackOptions& pack_options) {
      return FfnAccess::pack_with(damaged.table, shape, kind, weights, pack_options);
    };
    const Result<tuner::KernelVerdict> verdict = tuner::verify(isa(), kind(), options);
    bug = Bug::none;
    EXPECT_TRUE(verdict.ok()) << verdict.status().message();
    return verdict.ok() ? *verdict : tuner::KernelVerdict{};
  }
  static void expect_caught(Bug planted) {
    const tuner::KernelVerdict verdict = verdict_with(planted);
    EXPECT_FALSE(verdict.passed);
    EXPECT_NE(verdict.failure, "");
    RecordProperty("failure", verdict.failure);
  }
};

TEST_P(Mutations, TheCopiedTableItselfPasses) {
  const tuner::KernelVerdict copied = verdict_with(Bug::none);
  EXPECT_TRUE(copied.passed) << copied.failure;
  const Result<tuner::KernelVerdict> shipped = tuner::verify(isa(), kind(), {.coverage = tuner::Coverage::brief});
  ASSERT_TRUE(shipped.ok());
  EXPECT_EQ(copied.digest, shipped->digest);
}

TEST_P(Mutations, ALostTailIsCaught) { expect_caught(Bug::tail); }

TEST_P(Mutations, AForgottenBiasIsCaught) { expect_caught(Bug::bias); }

// A plain kind has no gate, and bilinear's may be swapped: there the bug must change nothing.
TEST_P(Mutations, GateSwappedWithUpIsCaught) {
  if (kind().gated && kind().activation != Activation::identity) {
    expect_caught(Bug::gate_swapped_with_up);
  } else {
    EXPECT_TRUE(verdict_with(Bug::gate_swapped_with_up).passed);
  }
}

TEST_P(Mutations, AStaleHIsCaught) { expect_caught(Bug::stale_h); }

TEST_P(Mutations, AWrongStartOfAKBlockIsCaught) { expect_caught(Bug::wrong_k_block_start); }

// f32 weights are not widened: there the bug must change nothing.
TEST_P(Mutations, StaleWidenedWeightsAreCaught) {
  if (kind().weights != WeightType::f32) {
    expect_caught(Bug::stale_widened);
  } else {
    EXPECT_TRUE(verdict_with(Bug::stale_widened).passed);
  }
}

// The bugs hardly depend on the activation; an emulator need not repeat them for each.
std::vector<Kind> mutated_kinds() {
  if (!brief) return tested_kinds();
  return {
      relu, bilinear, swiglu, {Activation::silu, true, WeightType::bf16}, {Activation::silu, true, WeightType::f16}};
}

INSTANTIATE_TEST_SUITE_P(Kernels, Mutations,
                         testing::Combine(testing::ValuesIn(all_runnable()), testing::ValuesIn(mutated_kinds())),
                         kernel_name);

}  // namespace
}  // namespace sluice::tests
