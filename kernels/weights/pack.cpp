// Owns: copying weights from either order into panels.
#include <algorithm>

#include "kernels/weights/packed_weights.hpp"

namespace sluice::detail {
namespace {

// Columns [first, first + width) of a matrix into `target` with row stride nr; columns beyond `columns` become zero.
void pack_columns(const Matrix& matrix, std::size_t depth, std::size_t columns, std::size_t first, std::size_t width,
                  float* target, std::size_t nr) noexcept {
  const std::size_t present = first < columns ? std::min(width, columns - first) : 0;
  if (matrix.order == Order::in_out) {
    for (std::size_t k = 0; k < depth; ++k) {
      float* row = target + k * nr;
      if (present != 0) std::copy_n(matrix.data + k * matrix.ld + first, present, row);
      std::fill(row + present, row + width, 0.0f);
    }
    return;
  }
  // Each column is contiguous in k. Blocks of k keep the target lines in L1 while the columns pass.
  constexpr std::size_t block = 64;
  for (std::size_t k0 = 0; k0 < depth; k0 += block) {
    const std::size_t k1 = std::min(depth, k0 + block);
    for (std::size_t j = 0; j < width; ++j) {
      const float* column = j < present ? matrix.data + (first + j) * matrix.ld : nullptr;
      for (std::size_t k = k0; k < k1; ++k) target[k * nr + j] = column == nullptr ? 0.0f : column[k];
    }
  }
}

void pack_bias(const float* bias, std::size_t columns, std::size_t first, std::size_t width, float* target) noexcept {
  for (std::size_t j = 0; j < width; ++j) target[j] = bias != nullptr && first + j < columns ? bias[first + j] : 0.0f;
}

bool lay_out_stage(std::size_t depth, std::size_t columns, std::size_t panel_width, std::size_t nr, PackedStage& stage,
                   std::size_t& floats) noexcept {
  stage.depth = depth;
  stage.columns = columns;
  stage.panel_width = panel_width;
  stage.panels = (columns - 1) / panel_width + 1;
  // k rows of weights and one of biases per panel.
  std::size_t panel = 0;
  std::size_t all = 0;
  return !__builtin_add_overflow(depth, std::size_t{1}, &panel) && !__builtin_mul_overflow(panel, nr, &panel) &&
         !__builtin_mul_overflow(panel, stage.panels, &all) && !__builtin_add_overflow(floats, all, &floats);
}

}  // namespace

bool lay_out(Shape shape, bool gated, std::size_t nr, PackedStage& up, PackedStage& down,
             std::size_t& floats) noexcept {
  floats = 0;
  return lay_out_stage(shape.d_model, shape.d_ff, gated ? nr / 2 : nr, nr, up, floats) &&
         lay_out_stage(shape.d_ff, shape.d_model, nr, nr, down, floats);
}

void pack_panels(const PackedStage& stage, std::size_t nr, const Matrix& left, const float* left_bias,
                 const Matrix* right, const float* right_bias, std::size_t begin, std::size_t end) noexcept {
  const std::size_t width = stage.panel_width;
  for (std::size_t p = begin; p < end; ++p) {
    float* panel = stage.weights + p * stage.depth * nr;
    float* bias = stage.bias + p * nr;
    pack_columns(left, stage.depth, stage.columns, p * width, width, panel, nr);
    pack_bias(left_bias, stage.columns, p * width, width, bias);
    if (right == nullptr) continue;
    pack_columns(*right, stage.depth, stage.columns, p * width, width, panel + width, nr);
    pack_bias(right_bias, stage.columns, p * width, width, bias + width);
  }
}

}  // namespace sluice::detail
