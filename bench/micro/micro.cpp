#include "bench/micro/micro.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "bench/micro/dot_micro.hpp"
#include "bench/micro/operands.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/threads/spin.hpp"
#include "kernels/weights/packed_weights.hpp"
#include "tuner/base/failure.hpp"
#include "tuner/measurement/clock.hpp"
#include "tuner/workload/kind_name.hpp"

namespace sluice::bench {
namespace {

constexpr std::size_t pack_depths[] = {768, 2048, 4096};
constexpr std::size_t slice_depth = 384;  // kc of the analytical plan

// What a kernel of `tiles` row tiles does to one slice of a B panel after another.
struct PanelWork {
  detail::PanelKernel kernel;
  std::size_t mr;
  std::size_t nr;
  std::size_t tiles;
  std::size_t k;
  std::size_t slices;
  std::size_t slice_floats;  // of the weights, whatever their type
};

std::function<Run()> panel_run(const PanelWork& work) {
  return [work]() -> Run {
    const Operands operands{work.mr * work.k, work.slices * work.slice_floats, work.tiles * work.mr * work.nr,
                            work.k * work.nr};
    return [work, operands](std::size_t times) {
      detail::PanelCall call{};
      call.a = operands[0];
      call.a_row_stride = static_cast<std::ptrdiff_t>(work.k);
      call.c = operands[2];
      call.c_in = call.c;
      call.c_in_tile_stride = static_cast<std::ptrdiff_t>(work.mr * work.nr);
      call.c_in_row_stride = static_cast<std::ptrdiff_t>(work.nr);
      call.tiles = work.tiles;
      call.k = work.k;
      call.widened = operands[3];  // only widening kernels write it
      for (std::size_t time = 0; time < times; ++time) {
        for (std::size_t slice = 0; slice < work.slices; ++slice) {
          call.b = operands[1] + slice * work.slice_floats;
          call.weight_prefetch = static_cast<const char*>(call.b);
          call.data_prefetch = call.weight_prefetch;
          work.kernel(call);
        }
      }
    };
  };
}

// A single slice, with all operands in L1, or slices that fill half of L2.
Micro panel_micro(const detail::KernelTable& kernels, WeightType weights, const detail::PanelKernels& panels,
                  std::size_t mr, bool packed, bool in_l1, const CacheSizes& caches) {
  const std::size_t nr = panels.tile.nr;
  const std::size_t tiles = in_l1 ? 4 : 1;
  const std::size_t l1_floats = caches.l1d * 3 / 4 / sizeof(float);
  const std::size_t c_floats = tiles * mr * nr;
  const std::size_t fitting = l1_floats > c_floats ? (l1_floats - c_floats) / (mr + nr) : 0;
  const std::size_t k = in_l1 ? std::clamp<std::size_t>(fitting / 4 * 4, 16, 256) : slice_depth;
  const std::size_t slices = in_l1 ? 1 : std::max<std::size_t>(2, caches.l2 / 2 / sizeof(float) / (k * nr));

  Micro micro;
  micro.group = packed ? "microkernel" : "in_place";
  micro.tile = tile_name(mr, nr);
  micro.level = in_l1 ? "L1" : "L2";
  micro.name = fmt::format("micro/{}/{}/{}/{}{}", micro.group, name(kernels.isa), micro.tile, micro.level,
                           tuner::type_suffix(weights));
  micro.flops = 2.0 * static_cast<double>(mr * nr * k * tiles * slices);
  micro.prepare = panel_run({(packed ? panels.packed : panels.in_place)[mr - 1], mr, nr, tiles, k, slices,
                             detail::PanelLayout(weights, Arithmetic::f32, nr).bytes(k) / sizeof(float)});
  return micro;
}

// The first of several row tiles against weights of 16 bits, which it widens, part by part of half of L2.
Micro widening_micro(const detail::KernelTable& kernels, WeightType weights, const detail::PanelKernels& panels,
                     const CacheSizes& caches) {
  constexpr std::size_t k = detail::widened_depth;
  const auto [nr, mr] = panels.tile;
  const std::size_t part_floats = detail::PanelLayout(weights, Arithmetic::f32, nr).bytes(k) / sizeof(float);
  const std::size_t parts = std::max<std::size_t>(2, caches.l2 / 2 / sizeof(float) / part_floats);
  Micro micro;
  micro.group = "widening";
  micro.tile = tile_name(mr, nr);
  micro.level = "L2";
  micro.name = fmt::format("micro/widening/{}/{}{}", name(kernels.isa), micro.tile, tuner::type_suffix(weights));
  micro.flops = 2.0 * static_cast<double>(mr * nr * k * parts);
  micro.bytes = static_cast<double>(sizeof(float) * parts * (part_floats + k * nr));  // read and written
  micro.prepare = panel_run({panels.widening[mr - 1], mr, nr, 1, k, parts, part_floats});
  return micro;
}

// Elements with scales, part by part of half of L2.
Micro widen_groups_micro(const detail::KernelTable& kernels, WeightType weights, const detail::PanelKernels& panels,
                         const CacheSizes& caches) {
  constexpr std::size_t k = detail::widened_depth;
  const std::size_t nr = panels.tile.nr;
  detail::PackedStage stage;
  stage.layout = detail::PanelLayout(weights, Arithmetic::f32, nr);
  const std::size_t part_bytes = stage.layout.bytes(k);
  const std::size_t parts = std::max<std::size_t>(2, caches.l2 / 2 / part_bytes);
  Micro micro;
  micro.group = "widen_groups";
  micro.level = "L2";
  micro.name = fmt::format("micro/widen_groups/{}/{}{}", name(kernels.isa), nr, tuner::type_suffix(weights));
  micro.elements = static_cast<double>(nr * k * parts);
  micro.bytes = static_cast<double>(parts * (part_bytes + sizeof(float) * k * nr));  // read and written
  micro.prepare = [=, widen = panels.widen_groups]() -> Run {
    const Operands operands{(stage.layout.header_bytes + parts * part_bytes) / sizeof(float) + line_floats, k * nr};
    return [=](std::size_t times) {
      detail::PackedStage panel = stage;
      panel.weights = reinterpret_cast<std::byte*>(operands[0]);
      for (std::size_t time = 0; time < times; ++time)
        for (std::size_t part = 0; part < parts; ++part) widen(panel.groups(0, part * k), k, operands[1]);
    };
  };
  return micro;
}

// Few rows against one panel, or against panels side by side, that fill half of L2.
constexpr std::size_t interleaved_slice = 16;
constexpr std::size_t interleaved_panels = 4;

Micro few_rows_micro(const detail::KernelTable& kernels, WeightType weights, const char* group,
                     detail::PanelKernel kernel, std::size_t panels, std::size_t mr, std::size_t nr,
                     const CacheSizes& caches) {
  const std::size_t row_bytes = detail::PanelLayout(weights, Arithmetic::f32, nr).bytes(1);
  const std::size_t k = std::max<std::size_t>(64, caches.l2 / 2 / (panels * row_bytes) / line_floats * line_floats);
  Micro micro;
  micro.group = group;
  micro.tile = tile_name(mr, nr);
  micro.level = "L2";
  micro.name = fmt::format("micro/{}/{}/{}{}", group, name(kernels.isa), micro.tile, tuner::type_suffix(weights));
  micro.flops = 2.0 * static_cast<double>(mr * nr * k * panels);
  micro.bytes = static_cast<double>(row_bytes * k * panels);
  micro.prepare = [=]() -> Run {
    const Operands operands{mr * k, panels * k * row_bytes / sizeof(float) + line_floats, panels * mr * nr};
    return [=](std::size_t times) {
      detail::PanelCall call{};
      call.a = operands[0];
      call.a_row_stride = 1;
      call.a_tile_stride = static_cast<std::ptrdiff_t>(mr);
      call.b = operands[1];
      call.b_panel_stride = static_cast<std::ptrdiff_t>(k * row_bytes);
      call.c = operands[2];
      call.c_in = call.c;
      call.c_in_tile_stride = static_cast<std::ptrdiff_t>(mr * nr);
      call.c_in_row_stride = static_cast<std::ptrdiff_t>(nr);
      call.tiles = panels;  // only interleaved kernels read it
      call.slice = interleaved_slice;
      call.k = k;
      call.weight_prefetch = static_cast<const char*>(call.b);
      for (std::size_t time = 0; time < times; ++time) kernel(call);
    };
  };
  return micro;
}

// Packs one tile of x of that depth, slice by slice.
Micro pack_micro(const detail::KernelTable& kernels, std::size_t depth) {
  const std::size_t rows = detail::preferred_tile(kernels).max_mr;
  const detail::PackRows pack_rows = kernels.pack_rows;
  Micro micro;
  micro.group = "pack_x";
  micro.name = fmt::format("micro/pack_x/{}/{}", name(kernels.isa), depth);
  micro.elements = static_cast<double>(rows * depth);
  micro.bytes = 2 * sizeof(float) * micro.elements;  // read and written
  micro.prepare = [=]() -> Run {
    const Operands operands{rows * depth, rows * depth};
    return [=](std::size_t times) {
      for (std::size_t time = 0; time < times; ++time)
        for (std::size_t k = 0; k < depth; k += slice_depth)
          pack_rows(operands[0] + k, static_cast<std::ptrdiff_t>(depth), rows, std::min(slice_depth, depth - k),
                    operands[1] + k * rows);
    };
  };
  return micro;
}

// Goes through the panels of a block of eight tiles, with the sums in L1 and H in L2.
Micro epilogue_micro(const detail::KernelTable& kernels, const NamedKind& kind) {
  constexpr std::size_t tiles = 8;
  const std::size_t mr = detail::preferred_tile(kernels).max_mr;
  const std::size_t nr = detail::preferred_tile(kernels).nr;
  const std::size_t width = kind.kind.gated ? nr / 2 : nr;
  const std::size_t panels = slice_depth / width;
  const std::size_t rows = tiles * mr;
  const auto index = static_cast<std::size_t>(kind.kind.activation);
  const detail::Epilogue epilogue = kind.kind.gated ? kernels.gated[index] : kernels.plain[index];
  Micro micro;
  micro.group = "epilogue";
  micro.name = fmt::format("micro/epilogue/{}/{}", name(kernels.isa), kind.name);
  micro.elements = static_cast<double>(rows * width * panels);
  micro.bytes = static_cast<double>(sizeof(float) * rows * (nr + width) * panels);
  micro.prepare = [=]() -> Run {
    const Operands operands{rows * nr, rows * width * panels};
    // Values in −3 … 3, where the activations are curved.
    for (std::size_t i = 0; i < rows * nr; ++i) operands[0][i] = static_cast<float>(i % 97) / 16.0f - 3.0f;
    return [=](std::size_t times) {
      detail::EpilogueCall call{.c = operands[0],
                                .nr = nr,
                                .mr = mr,
                                .tiles = tiles,
                                .first_row = 0,
                                .h = {operands[1], rows, width * panels, width * panels},
                                .column = 0,
                                .width = width};
      for (std::size_t time = 0; time < times; ++time)
        for (std::size_t panel = 0; panel < panels; ++panel) {
          call.column = panel * width;
          epilogue(call);
        }
    };
  };
  return micro;
}

// What a forward costs besides the work: the checks, the plan, the blocking.
Micro forward_micro(Isa isa) {
  Micro micro;
  micro.group = "forward_empty";
  micro.name = fmt::format("micro/forward_empty/{}", name(isa));
  micro.prepare = [=]() -> Run {
    static constexpr float weight = 1;
    Weights weights;
    weights.up.data = &weight;
    weights.down.data = &weight;
    Result<Ffn> packed = Ffn::pack({1, 1}, relu, weights, {.isa = isa});
    if (!packed) throw tuner::Failure(tuner::exit_code::unsupported, packed.status().message());
    const auto ffn = std::make_shared<Ffn>(*std::move(packed));
    const auto workspace = std::make_shared<Workspace>(*ffn->workspace_size(1, 1));
    return [=](std::size_t times) {
      const float x = 1;
      float y = 0;
      for (std::size_t time = 0; time < times; ++time)
        if (!ffn->forward(&x, 1, &y, *workspace, {.max_threads = 1}).ok()) return;
    };
  };
  return micro;
}

void run_on(Executor& executor, std::uint32_t threads, void (*task)(void*, std::uint32_t), void* context) {
  if (!executor.run(threads, task, context))
    throw tuner::Failure(tuner::exit_code::unsupported,
                         fmt::format("{} threads could not be started; raise the process limit or use fewer", threads));
}

Micro barrier_micro(std::uint32_t threads, Executor& executor) {
  Micro micro;
  micro.group = "barrier";
  micro.name = fmt::format("micro/barrier/t{}", threads);
  micro.threads = threads;
  micro.prepare = [threads, &executor]() -> Run {
    return [threads, &executor](std::size_t times) {
      struct Shared {
        detail::Barrier barrier;
        std::size_t times;
      } shared{detail::Barrier(threads), times};
      const auto wait = [](void* context, std::uint32_t) {
        auto& mine = *static_cast<Shared*>(context);
        for (std::size_t time = 0; time < mine.times; ++time) mine.barrier.wait();
      };
      run_on(executor, threads, wait, &shared);
    };
  };
  return micro;
}

Micro call_micro(std::uint32_t threads, Executor& executor) {
  Micro micro;
  micro.group = "call";
  micro.name = fmt::format("micro/call/t{}", threads);
  micro.threads = threads;
  micro.prepare = [threads, &executor]() -> Run {
    return [threads, &executor](std::size_t times) {
      for (std::size_t time = 0; time < times; ++time)
        run_on(
            executor, threads, [](void*, std::uint32_t) {}, nullptr);
    };
  };
  return micro;
}

}  // namespace

std::vector<Micro> micros(Isa isa, const CacheSizes& caches, const std::vector<std::uint32_t>& threads,
                          Executor& executor) {
  const detail::KernelTable& kernels = *detail::kernel_table(isa);
  std::vector<Micro> all;
  if (std::find(threads.begin(), threads.end(), 1U) != threads.end()) {
    for (const WeightType weights : all_weight_types()) {
      for (std::size_t family = 0; family < kernels.panel_count; ++family) {
        const detail::PanelKernels& panels = kernels.panels[static_cast<std::size_t>(weights.element)][family];
        const auto few_rows = [&](const char* group, detail::PanelKernel kernel, std::size_t count, std::size_t rows) {
          all.push_back(few_rows_micro(kernels, weights, group, kernel, count, rows, panels.tile.nr, caches));
        };
        if (panels.widen_groups != nullptr) {  // all else are the kernels of f32
          all.push_back(widen_groups_micro(kernels, weights, panels, caches));
          continue;
        }
        for (const bool packed : {true, false})
          for (std::size_t mr = panels.tile.max_mr; mr != 0; --mr)
            for (const bool in_l1 : {true, false})
              all.push_back(panel_micro(kernels, weights, panels, mr, packed, in_l1, caches));
        if (panels.widening != nullptr) all.push_back(widening_micro(kernels, weights, panels, caches));
        for (std::size_t mr = 1; mr <= panels.stream_rows; ++mr) few_rows("stream", panels.stream[mr - 1], 1, mr);
        for (std::size_t mr = 1; mr <= panels.wide_rows; ++mr)
          few_rows("wide", panels.wide[mr - 1], detail::wide_panels, mr);
        for (std::size_t rows = 1; rows <= panels.interleaved_rows; ++rows)
          few_rows("interleaved", panels.interleaved_packed[rows - 1], interleaved_panels, rows);
      }
    }
    // int8 stands for all that is not f32: these may be kernels that the operating system is asked for.
    append_dot_micros(*detail::kernel_table(isa, Arithmetic::int8), caches, all);
    for (const std::size_t depth : pack_depths) all.push_back(pack_micro(kernels, depth));
    for (const NamedKind& kind : kinds()) all.push_back(epilogue_micro(kernels, kind));
    all.push_back(forward_micro(isa));
  }
  for (const std::uint32_t count : threads) {
    if (count == 1) continue;
    all.push_back(barrier_micro(count, executor));
    all.push_back(call_micro(count, executor));
  }
  return all;
}

}  // namespace sluice::bench
