// Owns: the one packed layout of weights that serves every M. Internal.
//
// A stage's weights are panels of nr columns; panel p holds [k][nr], k contiguous inside, so that a panel is one
// stream. The up stage of a gated kind interleaves its matrices: columns [p·nr/2, (p+1)·nr/2) of gate in the left half
// of each row, the same columns of up in the right. Columns beyond the matrix are zero. Each panel has nr biases, which
// are float32. Where a column stands within a row depends on the type of the weights (kernels/element_types).
#pragma once

#include <cstddef>

#include "kernels/microkernels/kernel_table.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {

struct PackedStage {
  std::byte* weights = nullptr;  // [panels][depth] rows of nr weights, 64-byte aligned
  float* bias = nullptr;         // [panels][nr]
  std::size_t row_bytes = 0;     // of nr weights
  std::size_t depth = 0;         // k
  std::size_t columns = 0;       // columns of the result (of H, of y)
  std::size_t panel_width = 0;   // columns of the result per panel: nr, or nr/2 when gated
  std::size_t panels = 0;

  // Row k of panel p.
  [[nodiscard]] const std::byte* row(std::size_t p, std::size_t k) const {
    return weights + (p * depth + k) * row_bytes;
  }
};

// Of nr weights.
inline std::size_t row_bytes(WeightType type, std::size_t nr) noexcept {
  return static_cast<std::size_t>(weight_bytes(type) * static_cast<double>(nr));
}

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

// How panels are filled: the type of their weights, nr, and the floats in a vector of the instruction set.
struct PanelFormat {
  WeightType weights;
  std::size_t nr;
  std::size_t lanes;
};

// Fills panels [begin, end). `right` is null for a stage of one matrix.
void pack_panels(const PackedStage& stage, const PanelFormat& format, const Matrix& left, const float* left_bias,
                 const Matrix* right, const float* right_bias, std::size_t begin, std::size_t end) noexcept;

}  // namespace sluice::detail
