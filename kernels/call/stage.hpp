// Owns: one blocked GEMM stage, a function of (A, panels, start, finish) that knows nothing of the FFN around it.
// The up and the down stage are two calls of it. Internal.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/call/row_tiles.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/weights/packed_weights.hpp"

namespace sluice::detail {

// A as a view: packed (ld = 0) as PackedRows describes, or row-major in place.
struct RowView {
  const float* base;
  std::size_t ld;
};

struct StageCall {
  const PanelKernels* kernels;
  const PackedStage* stage;
  RowTiles tiles;
  RowView a;
  std::size_t first_k;  // the rows of the packed panels that this call covers: [first_k, first_k + depth)
  std::size_t depth;
  std::size_t kc;
  std::size_t block_panels;  // panels whose partial sums are kept together (nc / nr)
  std::size_t prefetch;      // bytes of weights asked for ahead; 0: none
  bool start_from_bias;      // false: start from the partial sums in c
  float* c;                  // [panel][rows][nr]
  bool c_per_block;          // c holds one block of panels at a time; else all panels from `begin` on
  float* widened;            // room for widened_depth rows of a panel, and three, for weights that are not f32
};

// A part of a panel's slice of k, [first_step, first_step + call.k) of the `length` steps from k0 on, against row tiles
// [begin, end).
inline void run_tiles(const StageCall& s, const PanelKernel* kernels, const PanelCall& call, std::size_t k0,
                      std::size_t length, std::size_t first_step, std::size_t begin, std::size_t end) noexcept {
  const std::size_t nr = s.kernels->tile.nr;
  const bool packed = s.a.ld == 0;
  const float* a = packed ? s.a.base + k0 * s.tiles.rows : s.a.base + k0 + first_step;
  const std::size_t a_row = packed ? length : s.a.ld;
  const bool from_bias = call.c_in_row_stride == 0;
  const std::size_t groups_per_tile = call.k / 4;  // only whole groups of four k steps prefetch
  for (const bool tall : {true, false}) {
    const std::size_t height = s.tiles.height + (tall ? 1 : 0);
    const std::size_t first = std::max(begin, tall ? 0 : s.tiles.tall);
    const std::size_t last = tall ? std::min(end, s.tiles.tall) : end;
    if (first >= last) continue;
    PanelCall part = call;
    part.tiles = last - first;
    part.a = a + s.tiles.first_row(first) * a_row + (packed ? first_step * height : 0);
    part.a_row_stride = static_cast<std::ptrdiff_t>(s.a.ld);
    part.a_tile_stride = static_cast<std::ptrdiff_t>(height * a_row);
    const std::size_t c_offset = s.tiles.first_row(first) * nr;
    part.c = call.c + c_offset;
    part.c_in = from_bias ? call.c_in : part.c;
    part.c_in_tile_stride = from_bias ? 0 : static_cast<std::ptrdiff_t>(height * nr);
    const auto groups_done = static_cast<std::ptrdiff_t>(first * groups_per_tile);
    part.weight_prefetch += 4 * groups_done * part.weight_prefetch_step;
    part.data_prefetch += groups_done * part.data_prefetch_step;
    kernels[height - 1](part);
  }
}

// Computes panels from `begin` on with the kernels for few rows, by two, or one by one if a block is a single panel.
// Returns the first panel that is left.
inline std::size_t run_few_rows(const StageCall& s, std::size_t begin, std::size_t end, std::size_t c_origin,
                                std::size_t k0, std::size_t length) noexcept {
  const std::size_t nr = s.kernels->tile.nr;
  const std::size_t rows = s.tiles.rows;
  const bool one_stream = s.block_panels == 1;
  if (s.tiles.count != 1 || rows > (one_stream ? s.kernels->stream_rows : s.kernels->wide_rows)) return begin;
  const PanelKernel kernel = (one_stream ? s.kernels->stream : s.kernels->wide)[rows - 1];
  const std::size_t panels = one_stream ? 1 : wide_panels;
  const bool packed = s.a.ld == 0;
  PanelCall call{};
  call.k = length;
  call.tiles = 1;
  call.a = packed ? s.a.base + k0 * rows : s.a.base + k0;
  call.a_row_stride = packed ? 1 : static_cast<std::ptrdiff_t>(s.a.ld);
  call.a_tile_stride = packed ? static_cast<std::ptrdiff_t>(rows) : 1;
  call.b_panel_stride = static_cast<std::ptrdiff_t>(s.stage->panel_bytes);
  const bool from_bias = k0 == 0 && s.start_from_bias;
  call.c_in_tile_stride = static_cast<std::ptrdiff_t>(from_bias ? nr : rows * nr);
  call.c_in_row_stride = from_bias ? 0 : static_cast<std::ptrdiff_t>(nr);
  std::size_t p = begin;
  for (; p + panels <= end; p += panels) {
    call.b = s.stage->row(p, s.first_k + k0);
    call.c = s.c + (p - c_origin) * rows * nr;
    call.c_in = from_bias ? s.stage->bias + p * nr : call.c;
    call.weight_prefetch = static_cast<const char*>(call.b) + s.prefetch;
    kernel(call);
  }
  return p;
}

// Computes panels [begin, end) with the kernels that interleave them, if there are any for so few rows and panels in
// slices of k. Returns whether there are.
inline bool run_interleaved(const StageCall& s, std::size_t begin, std::size_t end, std::size_t c_origin) noexcept {
  const PanelKernels& kernels = *s.kernels;
  const std::size_t nr = kernels.tile.nr;
  const std::size_t rows = s.tiles.rows;
  if (rows > kernels.interleaved_rows || s.block_panels > most_interleaved || s.kc >= s.depth ||
      s.tiles.count != (rows + kernels.tile.max_mr - 1) / kernels.tile.max_mr)
    return false;
  const bool packed = s.a.ld == 0;
  PanelCall call{};
  call.k = s.depth;
  call.slice = s.kc;
  call.tiles = end - begin;
  call.a = s.a.base;
  call.a_row_stride = static_cast<std::ptrdiff_t>(s.a.ld);
  call.b = s.stage->row(begin, s.first_k);
  call.b_panel_stride = static_cast<std::ptrdiff_t>(s.stage->panel_bytes);
  call.weight_prefetch = static_cast<const char*>(call.b) + s.prefetch;
  call.c = s.c + (begin - c_origin) * rows * nr;
  call.c_in = s.start_from_bias ? s.stage->bias + begin * nr : call.c;
  call.c_in_tile_stride = static_cast<std::ptrdiff_t>(s.start_from_bias ? nr : rows * nr);
  call.c_in_row_stride = s.start_from_bias ? 0 : static_cast<std::ptrdiff_t>(nr);
  (packed ? kernels.interleaved_packed : kernels.interleaved_in_place)[rows - 1](call);
  return true;
}

// What a panel's slice of k asks for ahead while its row tiles are computed, spread evenly over their k steps.
struct SlicePrefetch {
  const char* weights;
  const char* data;
  std::ptrdiff_t data_step;
};

// Slice [k0, k0 + length) of panel p against all row tiles. Elements with scales are widened part by part before; where
// several row tiles of packed A read the same weights of 16 bits, the first one widens them. Changes the call.
inline void run_slice(const StageCall& s, PanelCall& call, std::size_t p, std::size_t k0, std::size_t length,
                      const SlicePrefetch& prefetch) noexcept {
  const PanelLayout& layout = s.stage->layout;
  const bool packed = s.a.ld == 0;
  const bool widen_before = s.kernels->widen_groups != nullptr;
  const bool widen = s.kernels->widening != nullptr && packed && s.tiles.count > 1;
  // Parts of equal length, a multiple of the four steps that prefetch together and of a block.
  const std::size_t unit = std::max<std::size_t>(4, layout.block_k);
  const std::size_t parts = widen || widen_before ? (length + widened_depth - 1) / widened_depth : 1;
  const std::size_t part_length = parts == 1 ? length : ((length + parts - 1) / parts + unit - 1) / unit * unit;
  for (std::size_t first = 0; first < length; first += part_length) {
    call.k = std::min(part_length, length - first);
    call.b = s.stage->row(p, s.first_k + k0 + first);
    // Once per group of four steps, M = 16 takes 1.02 of the time, M = 64 1.01 (Zen 4, one thread). If less than a line
    // is due per step, several steps prefetch the same line: within 0.4 % for every tile in L1 but 6x64, which takes
    // 1.4 % longer.
    const std::size_t groups = call.k / 4 * s.tiles.count;
    call.weight_prefetch = prefetch.weights + layout.bytes(first);
    call.weight_prefetch_step = 0;
    if (s.prefetch != 0 && groups != 0)
      call.weight_prefetch_step = static_cast<std::ptrdiff_t>((layout.bytes(call.k) + 4 * groups - 1) / (4 * groups));
    call.data_prefetch = prefetch.data + static_cast<std::ptrdiff_t>(first / 4 * s.tiles.count) * prefetch.data_step;
    call.data_prefetch_step = prefetch.data_step;
    if (widen_before) {
      s.kernels->widen_groups(s.stage->groups(p, s.first_k + k0 + first), call.k, s.widened);
      call.b = s.widened;
    }
    if (widen) {
      call.widened = s.widened;
      run_tiles(s, s.kernels->widening, call, k0, length, first, 0, 1);
      call.b = s.widened;
      run_tiles(s, s.kernels->widened, call, k0, length, first, 1, s.tiles.count);
    } else {
      run_tiles(s, packed ? s.kernels->packed : s.kernels->in_place, call, k0, length, first, 0, s.tiles.count);
    }
    if (call.c_in_row_stride == 0) {  // from the bias: the next part goes on from the sums
      call.c_in = call.c;
      call.c_in_row_stride = static_cast<std::ptrdiff_t>(s.kernels->tile.nr);
    }
  }
}

// Panels [begin, end): blocks of panels, inside them slices of k, inside them panels, inside them row tiles.
// finish(p, c) is called when the sums of panel p are complete and still hot.
template <class Finish>
void run_stage(const StageCall& s, std::size_t begin, std::size_t end, Finish finish) {
  const std::size_t nr = s.kernels->tile.nr;
  const std::size_t panel_floats = s.tiles.rows * nr;
  const std::size_t kc = std::min(s.kc, s.depth);
  const bool one_slice = kc == s.depth;
  for (std::size_t block = begin; block < end; block += s.block_panels) {
    const std::size_t block_end = std::min(end, block + s.block_panels);
    const std::size_t c_origin = s.c_per_block ? block : begin;
    if (run_interleaved(s, block, block_end, c_origin)) {
      for (std::size_t p = block; p < block_end; ++p) finish(p, s.c + (p - c_origin) * panel_floats);
      continue;
    }
    for (std::size_t k0 = 0; k0 < s.depth; k0 += kc) {
      const std::size_t length = std::min(kc, s.depth - k0);
      const bool last_slice = k0 + length == s.depth;
      const std::size_t groups = length / 4 * s.tiles.count;
      const std::size_t next_k0 = last_slice ? 0 : k0 + length;
      const std::size_t next_slice_bytes = s.tiles.rows * std::min(kc, s.depth - next_k0) * sizeof(float);
      const std::size_t first_narrow = run_few_rows(s, block, block_end, c_origin, k0, length);
      if (last_slice)
        for (std::size_t p = block; p < first_narrow; ++p) finish(p, s.c + (p - c_origin) * panel_floats);
      PanelCall call{};
      for (std::size_t p = first_narrow; p < block_end; ++p) {
        const std::byte* const weights = s.stage->row(p, s.first_k + k0);
        call.c = s.c + (p - c_origin) * panel_floats;
        const bool from_bias = k0 == 0 && s.start_from_bias;
        call.c_in = from_bias ? s.stage->bias + p * nr : call.c;
        call.c_in_row_stride = from_bias ? 0 : static_cast<std::ptrdiff_t>(nr);

        // Weights: the next panel's slice in the order of this loop, or, in one stream, a distance ahead.
        const std::byte* next = weights;
        if (s.prefetch != 0) {
          if (one_slice)
            next = weights + s.prefetch;
          else if (p + 1 < block_end)
            next = weights + s.stage->panel_bytes;
          else
            next = s.stage->row(last_slice ? std::min(block_end, s.stage->panels - 1) : block, s.first_k + next_k0);
        }

        // A: its next slice, during the last panels of this one.
        SlicePrefetch prefetch{reinterpret_cast<const char*>(next), reinterpret_cast<const char*>(weights), 0};
        constexpr std::size_t last_panels = 4;
        if (s.prefetch != 0 && s.a.ld == 0 && !one_slice && block_end - p <= last_panels) {
          const std::size_t shares = std::min(last_panels, block_end - block);
          const std::size_t share = next_slice_bytes / shares;
          prefetch.data =
              reinterpret_cast<const char*>(s.a.base + next_k0 * s.tiles.rows) + (shares - (block_end - p)) * share;
          prefetch.data_step =
              std::min<std::ptrdiff_t>(64, static_cast<std::ptrdiff_t>(share / std::max<std::size_t>(1, groups)) + 1);
        }
        run_slice(s, call, p, k0, length, prefetch);
        if (last_slice) finish(p, call.c);
      }
    }
  }
}

}  // namespace sluice::detail
