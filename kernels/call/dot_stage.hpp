// Owns: one blocked GEMM stage of integer dot products: as stage.hpp, with A quantised in tiles and groups. Internal.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/call/row_tiles.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/weights/packed_weights.hpp"

namespace sluice::detail {

// Quantised A of an M-block: slices of kc columns; inside, row tiles; inside, groups as QuantiseRows makes them.
struct QuantisedRows {
  std::byte* base;
  const DotKernels* kernels;
  std::size_t group;  // k steps
  std::size_t depth;
  std::size_t kc;

  // From column k on, the beginning of a group, in the tile whose first row is `first`, of `height` rows.
  [[nodiscard]] std::byte* at(const RowTiles& tiles, std::size_t tile, std::size_t k) const noexcept {
    const std::size_t k0 = k / kc * kc;
    const std::size_t length = std::min(kc, depth - k0);
    return base + kernels->row_bytes(k0, group) * tiles.rows +
           kernels->row_bytes(length, group) * tiles.first_row(tile) +
           kernels->row_bytes(k - k0, group) * tiles.tile_rows(tile);
  }
};

struct DotStageCall {
  const DotKernels* kernels;
  const PackedStage* stage;
  RowTiles tiles;
  QuantisedRows a;
  std::size_t first_k;       // the steps of the panels that this call covers: [first_k, first_k + a.depth)
  std::size_t block_panels;  // panels whose partial sums are kept together (nc / nr)
  std::size_t prefetch;      // bytes of weights asked for ahead; 0: none
  bool start_from_bias;      // false: start from the partial sums in c
  float* c;                  // [panel][rows][nr]
  bool c_per_block;          // c holds one block of panels at a time; else all panels from `begin` on
  DotState* state;
};

// What the panels of a slice have in common.
inline DotCall slice_of(const DotStageCall& s, std::size_t k0, std::size_t length) noexcept {
  DotCall call{};
  call.state = s.state;
  call.k = length;
  call.b_panel_stride = static_cast<std::ptrdiff_t>(s.stage->panel_bytes);
  call.c_in_row_stride = k0 == 0 && s.start_from_bias ? 0 : static_cast<std::ptrdiff_t>(s.kernels->nr);
  return call;
}

// Computes panels from `begin` on side by side, if there are kernels for so few rows and a block has several panels.
// Returns the first panel that is left.
inline std::size_t run_side_by_side(const DotStageCall& s, std::size_t begin, std::size_t end, std::size_t c_origin,
                                    std::size_t k0, std::size_t length) noexcept {
  const std::size_t rows = s.tiles.rows;
  if (s.tiles.count != 1 || rows > s.kernels->wide_rows || s.block_panels == 1) return begin;
  const std::size_t nr = s.kernels->nr;
  const std::size_t panels = s.kernels->wide_panels[rows - 1];
  DotCall call = slice_of(s, k0, length);
  const bool from_bias = call.c_in_row_stride == 0;
  call.tiles = 1;
  call.a = s.a.at(s.tiles, 0, k0);
  call.c_in_panel_stride = static_cast<std::ptrdiff_t>(from_bias ? nr : rows * nr);
  call.distance = static_cast<std::ptrdiff_t>(s.prefetch);
  std::size_t p = begin;
  for (; p + panels <= end; p += panels) {
    call.groups = s.stage->groups(p, s.first_k + k0);
    call.c = s.c + (p - c_origin) * rows * nr;
    call.c_in = from_bias ? s.stage->bias + p * nr : call.c;
    call.weight_prefetch = reinterpret_cast<const char*>(call.groups.codes);
    s.kernels->wide[rows - 1](call);
  }
  return p;
}

// Slice [k0, k0 + length) of panel p against all row tiles.
inline void run_dot_tiles(const DotStageCall& s, DotCall call, std::size_t k0) noexcept {
  const std::size_t nr = s.kernels->nr;
  const bool from_bias = call.c_in_row_stride == 0;
  float* const c = call.c;
  const float* const bias = call.c_in;
  const std::size_t steps_per_tile = (call.k + s.kernels->word_k - 1) / s.kernels->word_k;
  const char* const ahead = call.weight_prefetch;
  for (const bool tall : {true, false}) {
    const std::size_t height = s.tiles.height + (tall ? 1 : 0);
    const std::size_t first = tall ? 0 : s.tiles.tall;
    const std::size_t last = tall ? s.tiles.tall : s.tiles.count;
    if (first >= last) continue;
    call.tiles = last - first;
    call.a = s.a.at(s.tiles, first, k0);
    call.a_tile_stride = static_cast<std::ptrdiff_t>(height * s.kernels->row_bytes(call.k, s.a.group));
    call.c = c + s.tiles.first_row(first) * nr;
    call.c_in = from_bias ? bias : call.c;
    call.c_in_tile_stride = from_bias ? 0 : static_cast<std::ptrdiff_t>(height * nr);
    call.weight_prefetch = ahead + static_cast<std::ptrdiff_t>(first * steps_per_tile) * call.weight_prefetch_step;
    s.kernels->packed[height - 1](call);
  }
}

// Panels [begin, end): blocks of panels, inside them slices of k, inside them panels, inside them row tiles.
// finish(p, c) is called when the sums of panel p are complete and still hot.
template <class Finish>
void run_dot_stage(const DotStageCall& s, std::size_t begin, std::size_t end, Finish finish) {
  const std::size_t nr = s.kernels->nr;
  const std::size_t panel_floats = s.tiles.rows * nr;
  const std::size_t depth = s.a.depth;
  const std::size_t kc = std::min(s.a.kc, depth);
  for (std::size_t block = begin; block < end; block += s.block_panels) {
    const std::size_t block_end = std::min(end, block + s.block_panels);
    const std::size_t c_origin = s.c_per_block ? block : begin;
    for (std::size_t k0 = 0; k0 < depth; k0 += kc) {
      const std::size_t length = std::min(kc, depth - k0);
      const bool last_slice = k0 + length == depth;
      const std::size_t first_alone = run_side_by_side(s, block, block_end, c_origin, k0, length);
      if (last_slice)
        for (std::size_t p = block; p < first_alone; ++p) finish(p, s.c + (p - c_origin) * panel_floats);
      DotCall call = slice_of(s, k0, length);
      // The panel's or the next one's slice in the order of this loop, spread evenly over the steps of all row tiles.
      const std::size_t steps = (length + s.kernels->word_k - 1) / s.kernels->word_k * s.tiles.count;
      if (s.prefetch != 0)
        call.weight_prefetch_step = static_cast<std::ptrdiff_t>((s.stage->layout.bytes(length) + steps - 1) / steps);
      for (std::size_t p = first_alone; p < block_end; ++p) {
        call.groups = s.stage->groups(p, s.first_k + k0);
        call.c = s.c + (p - c_origin) * panel_floats;
        call.c_in = call.c_in_row_stride == 0 ? s.stage->bias + p * nr : call.c;
        const auto* const weights = reinterpret_cast<const char*>(s.stage->row(p, s.first_k + k0));
        call.weight_prefetch = weights;
        if (s.prefetch != 0) {
          const std::size_t next_k0 = last_slice ? 0 : k0 + length;
          if (kc == depth && s.tiles.count == 1)
            call.weight_prefetch = weights + s.prefetch;
          else if (p + 1 < block_end)
            call.weight_prefetch = weights + s.stage->panel_bytes;
          else
            call.weight_prefetch = reinterpret_cast<const char*>(
                s.stage->row(last_slice ? std::min(block_end, s.stage->panels - 1) : block, s.first_k + next_k0));
        }
        run_dot_tiles(s, call, k0);
        if (last_slice) finish(p, call.c);
      }
    }
  }
}

}  // namespace sluice::detail
