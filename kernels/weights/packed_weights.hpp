// Owns: the one packed layout of weights that serves every M. Internal.
//
// A stage's weights are panels of nr columns; panel p holds [k][nr], k contiguous inside, so that a panel is one
// stream. The up stage of a gated kind interleaves its matrices: columns [p·nr/2, (p+1)·nr/2) of gate in the left half
// of each row, the same columns of up in the right. Columns beyond the matrix are zero. Each panel has nr biases.
#pragma once

#include <cstddef>

#include "kernels/microkernels/kernel_table.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {

struct PackedStage {
  float* weights = nullptr;     // [panels][depth][nr], 64-byte aligned
  float* bias = nullptr;        // [panels][nr]
  std::size_t depth = 0;        // k
  std::size_t columns = 0;      // columns of the result (of H, of y)
  std::size_t panel_width = 0;  // columns of the result per panel: nr, or nr/2 when gated
  std::size_t panels = 0;

  [[nodiscard]] const float* panel(std::size_t p, std::size_t nr) const { return weights + p * depth * nr; }
};

// The extents of both stages; false when a size overflows. `floats` is what both need together.
bool lay_out(Shape shape, bool gated, std::size_t nr, PackedStage& up, PackedStage& down, std::size_t& floats) noexcept;

// Fills panels [begin, end). `right` is null for a stage of one matrix.
void pack_panels(const PackedStage& stage, std::size_t nr, const Matrix& left, const float* left_bias,
                 const Matrix* right, const float* right_bias, std::size_t begin, std::size_t end) noexcept;

}  // namespace sluice::detail
