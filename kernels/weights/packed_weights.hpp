// Owns: the one packed layout of weights that serves every M. Internal.
//
// A stage's weights are panels of nr columns; panel p holds [k][nr], k contiguous inside, so that a panel is one
// stream. The up stage of a gated kind interleaves its matrices: columns [p·nr/2, (p+1)·nr/2) of gate in the left half
// of each row, the same columns of up in the right. Columns beyond the matrix are zero. Each panel has nr biases, which
// are float32. Where a column stands within a row depends on the type of the weights (kernels/element_types).
//
// Elements with scales stand in blocks of k: first the scales of the block's group, [nr], its zero points where the
// type has them, [nr] bytes, then its codes. Scales of a whole column stand once, at the beginning of the panel; its
// blocks are of 128 steps and hold codes alone. A depth that is no multiple of the steps in a word is filled up with
// codes of zero, which reach no answer.
//
// bf16 weights for dot products of bf16 stand in blocks without scales, each of pairs of k (bf16_pairs.hpp), and are
// filled up to whole blocks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/microkernels/kernel_table.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {

// How the weights of a panel stand, for a type and nr.
struct PanelLayout {
  std::size_t block_k = 1;       // k steps of a block: those of a group; 1 where elements have no scales
  std::size_t block_bytes = 0;   // of a block, its scales included
  std::size_t scale_bytes = 0;   // of the scales and zero points in a block, in front of its codes
  std::size_t header_bytes = 0;  // of those of whole columns
  std::size_t fill_k = 1;        // the last block is filled up to a multiple of so many k steps

  PanelLayout() noexcept = default;
  PanelLayout(WeightType type, Arithmetic arithmetic, std::size_t nr) noexcept;

  // From the first block to step k, a multiple of block_k.
  [[nodiscard]] std::size_t bytes(std::size_t k) const noexcept { return k / block_k * block_bytes; }
};

struct PackedStage {
  std::byte* weights = nullptr;  // [panels], 64-byte aligned
  float* bias = nullptr;         // [panels][nr]
  PanelLayout layout;
  std::size_t panel_bytes = 0;
  std::size_t filled_bytes = 0;  // of these, those that hold weights
  std::size_t depth = 0;         // k
  std::size_t columns = 0;       // columns of the result (of H, of y)
  std::size_t panel_width = 0;   // columns of the result per panel: nr, or nr/2 when gated
  std::size_t panels = 0;

  // Row k of panel p, a multiple of the steps of a block.
  [[nodiscard]] const std::byte* row(std::size_t p, std::size_t k) const {
    return weights + p * panel_bytes + layout.header_bytes + layout.bytes(k);
  }
  // The groups of panel p from step k on.
  [[nodiscard]] PanelGroups groups(std::size_t p, std::size_t k) const {
    const std::byte* const block = row(p, k);
    const bool column = layout.header_bytes != 0;
    return {.codes = block + layout.scale_bytes,
            .scales = column ? weights + p * panel_bytes : block,
            .step = static_cast<std::ptrdiff_t>(layout.block_bytes),
            .scale_step = column ? 0 : static_cast<std::ptrdiff_t>(layout.block_bytes),
            .length = layout.block_k};
  }
};

// Where the parts of the packed weights stand in their memory, each on a cache line of its own, and the bytes of all.
struct PackedLayout {
  std::size_t up_weights = 0;
  std::size_t down_weights = 0;
  std::size_t up_bias = 0;
  std::size_t down_bias = 0;
  std::size_t bytes = 0;
};
// The extents of both stages and where they stand; false when a size overflows.
bool lay_out(Shape shape, Kind kind, std::size_t nr, PackedStage& up, PackedStage& down, PackedLayout& at) noexcept;

// How panels are filled: the type of their weights and what computes with them, nr, and the floats in a vector of the
// instruction set.
struct PanelFormat {
  WeightType weights;
  Arithmetic arithmetic;
  std::size_t nr;
  std::size_t lanes;
  ScaleChoice scales = ScaleChoice::absmax;
};

// Which matrix of a stage: gate, or the only one of a stage that is not gated, is on the left, up beside gate on the
// right.
enum class Side : std::uint8_t { left, right };
struct StageColumns {
  Side side;
  std::size_t first;
  std::size_t count;
};

// Packs these columns of a stage from those of `matrix` that begin at its column `from`. Sets the floating-point mode
// while it quantises.
//
// Columns share no byte of a panel: words of codes, scales and biases are of one column each, whatever the type. With
// the last column come those beyond the matrix, with the first left one of a panel what stands behind the panel. So
// threads may pack different columns at the same time, and what they leave does not depend on how columns are divided.
void pack_range(const PackedStage& stage, const PanelFormat& format, const StageColumns& columns, const Matrix& matrix,
                std::size_t from) noexcept;
// The same for biases, [columns.count]; null: zeros.
void pack_biases(const PackedStage& stage, std::size_t nr, const StageColumns& columns, const float* biases) noexcept;

}  // namespace sluice::detail
