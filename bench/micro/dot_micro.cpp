#include "bench/micro/dot_micro.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "bench/micro/operands.hpp"
#include "kernels/weights/packed_weights.hpp"
#include "tuner/workload/kind_name.hpp"

namespace sluice::bench {
namespace {

constexpr std::size_t longest_group = detail::whole_column_block;

// A kernel, and the kind whose products it computes.
struct Subject {
  const detail::KernelTable& kernels;
  const detail::DotKernels& dots;
  Kind kind;
};

// Scales of E8M0 that are zero would make denormals, which a product of takes many times as long.
void fill(const Operands& operands, std::size_t index, std::size_t bytes) {
  constexpr int neither_zero_nor_large = 0x3c;  // as a byte, in f16 and in f32
  std::memset(operands[index], neither_zero_nor_large, bytes);
}

std::size_t floats_of(std::size_t bytes) { return (bytes + sizeof(float) - 1) / sizeof(float); }

Micro named(const Subject& subject, const char* group, std::size_t mr, const char* level) {
  Micro micro;
  micro.group = group;
  micro.tile = tile_name(mr, subject.dots.nr);
  micro.level = level;
  micro.name = fmt::format("micro/{}/{}/{}/{}{}", group, name(subject.kernels.isa), micro.tile, level,
                           tuner::type_suffix(subject.kind));
  micro.kind = subject.kind;
  return micro;
}

// `tiles` row tiles against `panels` panels of k steps, side by side or one.
Micro dot_micro(const Subject& subject, const char* group, const char* level, std::size_t mr, std::size_t tiles,
                std::size_t panels, std::size_t k) {
  const std::size_t nr = subject.dots.nr;
  Micro micro = named(subject, group, mr, level);
  micro.flops = 2.0 * static_cast<double>(mr * nr * k * tiles * panels);
  detail::PackedStage stage;
  stage.layout = detail::PanelLayout(subject.kind.weights, subject.kind.arithmetic, nr);
  stage.panel_bytes = stage.layout.header_bytes + stage.layout.bytes(k);
  if (panels > 1) micro.bytes = static_cast<double>(panels * stage.panel_bytes);
  const std::size_t tile_bytes = mr * subject.dots.row_bytes(k, stage.layout.block_k);
  const detail::DotKernel kernel = (panels > 1 ? subject.dots.wide : subject.dots.packed)[mr - 1];
  micro.prepare = [=, end = subject.dots.end]() -> Run {
    // All tiles read the same A.
    const Operands operands{floats_of(tile_bytes), floats_of(panels * stage.panel_bytes) + line_floats,
                            tiles * panels * mr * nr};
    fill(operands, 0, tile_bytes);
    fill(operands, 1, panels * stage.panel_bytes);
    return [=](std::size_t times) {
      detail::PackedStage panel = stage;
      panel.weights = reinterpret_cast<std::byte*>(operands[1]);
      detail::DotCall call{};
      call.a = reinterpret_cast<const std::byte*>(operands[0]);
      call.groups = panel.groups(0, 0);
      call.b_panel_stride = static_cast<std::ptrdiff_t>(stage.panel_bytes);
      call.k = k;
      call.c = operands[2];
      call.c_in = call.c;
      call.c_in_tile_stride = call.c_in_panel_stride = static_cast<std::ptrdiff_t>(mr * nr);
      call.c_in_row_stride = static_cast<std::ptrdiff_t>(nr);
      call.tiles = tiles;
      call.weight_prefetch = reinterpret_cast<const char*>(operands[1]);
      detail::DotState state;
      call.state = &state;
      for (std::size_t time = 0; time < times; ++time) kernel(call);
      if (end != nullptr) end(state);
    };
  };
  return micro;
}

// Quantises as many columns as one tile of A has.
Micro quantise_micro(const Subject& subject) {
  constexpr std::size_t depth = 16 * longest_group;
  const std::size_t rows = subject.dots.max_mr;
  const std::size_t group = detail::PanelLayout(subject.kind.weights, subject.kind.arithmetic, subject.dots.nr).block_k;
  const std::size_t bytes = rows * subject.dots.row_bytes(depth, group);
  Micro micro = named(subject, "quantise", rows, "L2");
  micro.elements = static_cast<double>(rows * depth);
  micro.bytes = sizeof(float) * micro.elements + static_cast<double>(bytes);
  micro.prepare = [=, quantise = subject.dots.quantise[rows - 1]]() -> Run {
    const Operands operands{rows * depth, floats_of(bytes)};
    for (std::size_t i = 0; i < rows * depth; ++i) operands[0][i] = static_cast<float>(i % 97) / 16.0F - 3.0F;
    return [=](std::size_t times) {
      for (std::size_t time = 0; time < times; ++time)
        quantise({.x = operands[0],
                  .ldx = static_cast<std::ptrdiff_t>(depth),
                  .rows = rows,
                  .k = depth,
                  .group = group,
                  .a = reinterpret_cast<std::byte*>(operands[1])});
    };
  };
  return micro;
}

}  // namespace

void append_dot_micros(const detail::KernelTable& kernels, const CacheSizes& caches, std::vector<Micro>& all) {
  for (const WeightType type : all_weight_types()) {
    for (const Arithmetic arithmetic : all_arithmetics()) {
      if (!offered(type, arithmetic) || arithmetic == Arithmetic::f32) continue;
      for (std::size_t width = 0; width < kernels.panel_count; ++width) {
        const std::uint32_t nr = kernels.panels[0][width].tile.nr;
        const detail::DotKernels* const dots = detail::dot_kernels(kernels, nr, type.element, arithmetic);
        if (dots == nullptr) continue;
        const Subject subject{kernels, *dots, {Activation::silu, true, type, arithmetic}};
        constexpr std::size_t tiles = 4;
        for (std::size_t mr = dots->max_mr; mr != 0; --mr)
          all.push_back(dot_micro(subject, "dot", "L1", mr, tiles, 1, 2 * longest_group));
        for (std::size_t rows = 1; rows <= dots->wide_rows; ++rows) {
          const std::size_t panels = dots->wide_panels[rows - 1];
          const double step_bytes = static_cast<double>(panels * nr) * weight_bytes(type);
          const auto steps = static_cast<std::size_t>(static_cast<double>(caches.l2) / 2 / step_bytes);
          const std::size_t k = std::max<std::size_t>(1, steps / longest_group) * longest_group;
          all.push_back(dot_micro(subject, "dot_side_by_side", "L2", rows, 1, panels, k));
        }
        all.push_back(quantise_micro(subject));
      }
    }
  }
}

}  // namespace sluice::bench
