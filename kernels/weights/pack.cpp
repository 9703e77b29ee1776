// Owns: copying weights from either order into panels, rounded to the type of the panels.
#include <algorithm>
#include <type_traits>

#include "kernels/element_types/element_types.hpp"
#include "kernels/weights/memory.hpp"
#include "kernels/weights/packed_weights.hpp"

namespace sluice::detail {
namespace {

// Columns [first, first + width) of a matrix and where they go: row k of the panel begins at target + k·nr; there the
// columns are those from `column` on. What lies beyond the matrix becomes zero.
struct Columns {
  std::size_t depth;
  std::size_t first;
  std::size_t present;
  std::size_t width;
  std::size_t column;
};

template <class Source, class Target>
void pack_columns(const Matrix& matrix, const Columns& columns, typename Target::Stored* target, std::size_t nr,
                  std::size_t lanes) noexcept {
  const auto* data = static_cast<const typename Source::Stored*>(matrix.data);
  const auto convert = [](typename Source::Stored value) {
    if constexpr (std::is_same_v<Source, Target>)
      return value;  // as it is, NaNs included
    else
      return Target::round(Source::widen(value));
  };
  constexpr typename Target::Stored zero{};
  const auto [depth, first, present, width, column] = columns;
  if (matrix.order == Order::in_out) {
    for (std::size_t k = 0; k < depth; ++k) {
      const auto* source = data + k * matrix.ld + first;
      auto* row = target + k * nr;
      for (std::size_t j = 0; j < present; ++j) row[Target::position(column + j, lanes)] = convert(source[j]);
      for (std::size_t j = present; j < width; ++j) row[Target::position(column + j, lanes)] = zero;
    }
    return;
  }
  // Each column is contiguous in k. Blocks of k keep the target lines in L1 while the columns pass.
  constexpr std::size_t block = 64;
  for (std::size_t k0 = 0; k0 < depth; k0 += block) {
    const std::size_t k1 = std::min(depth, k0 + block);
    for (std::size_t j = 0; j < width; ++j) {
      auto* cells = target + Target::position(column + j, lanes);
      const auto* source = j < present ? data + (first + j) * matrix.ld : nullptr;
      for (std::size_t k = k0; k < k1; ++k) cells[k * nr] = source == nullptr ? zero : convert(source[k]);
    }
  }
}

void pack_matrix(const Matrix& matrix, const Columns& columns, std::byte* panel, const PanelFormat& format) noexcept {
  with_element_type(matrix.type, [&](auto source) {
    with_element_type(format.weights, [&](auto target) {
      using Target = decltype(target);
      pack_columns<decltype(source), Target>(matrix, columns, reinterpret_cast<typename Target::Stored*>(panel),
                                             format.nr, format.lanes);
    });
  });
}

void pack_bias(const float* bias, std::size_t columns, std::size_t first, std::size_t width, float* target) noexcept {
  for (std::size_t j = 0; j < width; ++j) target[j] = bias != nullptr && first + j < columns ? bias[first + j] : 0.0f;
}

// Where a × b × c bytes begin that are appended at `end`, which becomes their end, rounded up to a cache line; false on
// overflow.
bool append(std::size_t a, std::size_t b, std::size_t c, std::size_t& begin, std::size_t& end) noexcept {
  begin = end;
  std::size_t extent = 0;
  return !__builtin_mul_overflow(a, b, &extent) && !__builtin_mul_overflow(extent, c, &extent) &&
         !__builtin_add_overflow(extent, cache_line - 1, &extent) &&
         !__builtin_add_overflow(end, extent / cache_line * cache_line, &end);
}

void lay_out_stage(std::size_t depth, std::size_t columns, std::size_t panel_width, std::size_t row_bytes,
                   PackedStage& stage) noexcept {
  stage.depth = depth;
  stage.columns = columns;
  stage.panel_width = panel_width;
  stage.panels = (columns - 1) / panel_width + 1;
  stage.row_bytes = row_bytes;
}

}  // namespace

bool lay_out(Shape shape, Kind kind, std::size_t nr, PackedStage& up, PackedStage& down, PackedLayout& at) noexcept {
  const std::size_t bytes = row_bytes(kind.weights, nr);
  lay_out_stage(shape.d_model, shape.d_ff, kind.gated ? nr / 2 : nr, bytes, up);
  lay_out_stage(shape.d_ff, shape.d_model, nr, bytes, down);
  at = {};
  return append(up.panels, up.depth, bytes, at.up_weights, at.bytes) &&
         append(down.panels, down.depth, bytes, at.down_weights, at.bytes) &&
         append(up.panels, nr, sizeof(float), at.up_bias, at.bytes) &&
         append(down.panels, nr, sizeof(float), at.down_bias, at.bytes);
}

void pack_panels(const PackedStage& stage, const PanelFormat& format, const Matrix& left, const float* left_bias,
                 const Matrix* right, const float* right_bias, std::size_t begin, std::size_t end) noexcept {
  const std::size_t width = stage.panel_width;
  for (std::size_t p = begin; p < end; ++p) {
    std::byte* panel = stage.weights + p * stage.depth * stage.row_bytes;
    float* bias = stage.bias + p * format.nr;
    const std::size_t first = p * width;
    const std::size_t present = std::min(width, stage.columns - first);
    pack_matrix(left, {stage.depth, first, present, width, 0}, panel, format);
    pack_bias(left_bias, stage.columns, first, width, bias);
    if (right == nullptr) continue;
    pack_matrix(*right, {stage.depth, first, present, width, width}, panel, format);
    pack_bias(right_bias, stage.columns, first, width, bias + width);
  }
}

}  // namespace sluice::detail
