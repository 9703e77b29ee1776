// Owns: copying weights from either order into panels, rounded or quantised to the type of the panels.
#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "kernels/element_types/bf16_pairs.hpp"
#include "kernels/element_types/element_types.hpp"
#include "kernels/element_types/float_mode.hpp"
#include "kernels/element_types/quantised_reader.hpp"
#include "kernels/element_types/scale_search.hpp"
#include "kernels/weights/memory.hpp"
#include "kernels/weights/packed_weights.hpp"

namespace sluice::detail {
namespace {

constexpr std::size_t round_up(std::size_t value, std::size_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

// Columns [first, first + width) of a matrix and where they go: row k of the panel begins at target + k·nr; there the
// columns are those from `column` on. What lies beyond the matrix becomes zero.
struct Columns {
  std::size_t depth;
  std::size_t first;
  std::size_t present;
  std::size_t width;
  std::size_t column;
};

// The value of an element of a matrix, whatever it holds.
template <class Source>
struct ElementReader {
  const typename Source::Stored* data;
  std::size_t k_stride;
  std::size_t column_stride;

  explicit ElementReader(const Matrix& matrix) noexcept
      : data(static_cast<const typename Source::Stored*>(matrix.data)),
        k_stride(matrix.order == Order::in_out ? matrix.ld : 1),
        column_stride(matrix.order == Order::in_out ? 1 : matrix.ld) {}
  float operator()(std::size_t k, std::size_t column) const noexcept {
    return Source::widen(data[k * k_stride + column * column_stride]);
  }
};

// Columns of any matrix, rounded to elements without scales.
template <class Target, class Reader>
void round_columns(const Reader& value, const Columns& columns, typename Target::Stored* target, std::size_t nr,
                   std::size_t lanes) noexcept {
  for (std::size_t j = 0; j < columns.width; ++j) {
    auto* cells = target + Target::position(columns.column + j, lanes);
    for (std::size_t k = 0; k < columns.depth; ++k)
      cells[k * nr] = j < columns.present ? Target::round(value(k, columns.first + j)) : typename Target::Stored{};
  }
}

// Columns of any matrix, rounded to pairs of bf16.
template <class Reader>
void round_pairs(const Reader& value, const Columns& columns, std::byte* panel, std::size_t nr) noexcept {
  auto* const cells = reinterpret_cast<Bf16Pairs::Stored*>(panel);
  // Block by block, whose lines stay in L1 while the columns pass, in whichever order the matrix stands.
  for (std::size_t k0 = 0; k0 < columns.depth; k0 += Bf16Pairs::block_k)
    for (std::size_t j = 0; j < columns.width; ++j)
      for (std::size_t k = k0; k < k0 + Bf16Pairs::block_k; ++k) {
        const bool there = j < columns.present && k < columns.depth;
        cells[Bf16Pairs::position(k, columns.column + j, nr)] =
            there ? Bf16::round(value(k, columns.first + j)) : Bf16Pairs::Stored{};
      }
}

// A quantised matrix as the type of the same elements and scales.
template <class Target, class Reader>
void copy_codes(const Reader& reader, const Columns& columns, std::byte* panel, std::size_t nr,
                const PanelLayout& layout) noexcept {
  const bool whole_column = layout.header_bytes != 0;
  const auto copy_groups = [&](std::byte* target, std::size_t k) {
    for (std::size_t j = 0; j < columns.width; ++j)
      store_group<Target>(target, columns.column + j, nr,
                          j < columns.present ? reader.group(k, columns.first + j) : Target::no_group);
  };
  if (whole_column) copy_groups(panel, 0);
  for (std::size_t k0 = 0; k0 < columns.depth; k0 += layout.block_k) {
    std::byte* const block = panel + layout.header_bytes + layout.bytes(k0);
    if (!whole_column) copy_groups(block, k0);
    auto* codes = reinterpret_cast<std::uint8_t*>(block + layout.scale_bytes);
    const std::size_t filled = round_up(std::min(layout.block_k, columns.depth - k0), Target::word_k);
    for (std::size_t j = 0; j < columns.width; ++j)
      for (std::size_t k = 0; k < filled; ++k) {
        const bool there = j < columns.present && k0 + k < columns.depth;
        Target::store(codes, k, columns.column + j, nr,
                      there ? reader.code(k0 + k, columns.first + j) : Target::zero_code);
      }
  }
}

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

// Block by block, through floats: a group is a column of a block.
template <class Target, class Reader>
void quantise_columns(const Reader& value, const Columns& columns, std::byte* panel, const PanelFormat& format,
                      const PanelLayout& layout) noexcept {
  // One by one: clang before 16 does not let lambdas capture structured bindings.
  const std::size_t depth = columns.depth;
  const std::size_t first = columns.first;
  const std::size_t present = columns.present;
  const std::size_t width = columns.width;
  const std::size_t column = columns.column;
  const bool whole_column = layout.header_bytes != 0;
  std::array<Extremes, most_nr> ranges;
  std::array<typename Target::Group, most_nr> groups;
  const auto store_groups = [&](std::byte* target, std::size_t begin, std::size_t end) {
    ranges.fill({});
    for (std::size_t k = begin; k < end; ++k)
      for (std::size_t j = 0; j < present; ++j) ranges[j].take(value(k, first + j));
    for (std::size_t j = 0; j < width; ++j) {
      const auto value_of = [&](std::size_t k) { return value(begin + k, first + j); };
      groups[j] = j < present ? group_of<Target>(format.scales, value_of, end - begin, ranges[j]) : Target::no_group;
      store_group<Target>(target, column + j, format.nr, groups[j]);
    }
  };
  if (whole_column) store_groups(panel, 0, depth);
  for (std::size_t k0 = 0; k0 < depth; k0 += layout.block_k) {
    const std::size_t k1 = std::min(depth, k0 + layout.block_k);
    std::byte* const block = panel + layout.header_bytes + layout.bytes(k0);
    if (!whole_column) store_groups(block, k0, k1);
    auto* codes = reinterpret_cast<std::uint8_t*>(block + layout.scale_bytes);
    const std::size_t filled = round_up(k1 - k0, Target::word_k);
    for (std::size_t k = 0; k < filled; ++k)
      for (std::size_t j = 0; j < width; ++j) {
        const bool there = j < present && k0 + k < k1;
        const std::uint8_t code = there ? Target::round(value(k0 + k, first + j), groups[j]) : Target::zero_code;
        Target::store(codes, k, column + j, format.nr, code);
      }
  }
}

void pack_quantised(const Matrix& matrix, const Columns& columns, std::byte* panel, const PanelFormat& format,
                    const PanelLayout& layout) noexcept {
  with_quantised_reader(matrix, [&](const auto& reader, auto source) {
    with_element_type(format.weights.element, [&](auto target) {
      using Source = decltype(source);
      using Target = decltype(target);
      if constexpr (Target::grouped && std::is_same_v<Source, Target>)
        if (format.weights == reader.type()) return copy_codes<Target>(reader, columns, panel, format.nr, layout);
      if constexpr (Target::grouped)
        quantise_columns<Target>(reader, columns, panel, format, layout);
      else if (format.arithmetic == Arithmetic::bf16)
        round_pairs(reader, columns, panel, format.nr);
      else
        round_columns<Target>(reader, columns, reinterpret_cast<typename Target::Stored*>(panel), format.nr,
                              format.lanes);
    });
  });
}

void pack_matrix(const Matrix& matrix, const Columns& columns, std::byte* panel, const PanelFormat& format,
                 const PanelLayout& layout) noexcept {
  if (matrix.blocks != BlockFormat::none) return pack_quantised(matrix, columns, panel, format, layout);
  with_plain_type(matrix.type.element, [&](auto source) {
    with_element_type(format.weights.element, [&](auto target) {
      using Source = decltype(source);
      using Target = decltype(target);
      if constexpr (Target::grouped)
        quantise_columns<Target>(ElementReader<Source>(matrix), columns, panel, format, layout);
      else if (format.arithmetic == Arithmetic::bf16)
        round_pairs(ElementReader<Source>(matrix), columns, panel, format.nr);
      else
        pack_columns<Source, Target>(matrix, columns, reinterpret_cast<typename Target::Stored*>(panel), format.nr,
                                     format.lanes);
    });
  });
}

// The columns from a range's first one on that stand in one panel.
struct PanelColumns {
  std::size_t panel;
  std::size_t place;    // of the first one among the columns of its side
  std::size_t present;  // so many are of the range
  std::size_t width;    // and so many are written: behind the matrix' last column all that the panel has beyond it
};

PanelColumns columns_from(const PackedStage& stage, std::size_t first, std::size_t end) noexcept {
  const std::size_t place = first % stage.panel_width;
  const std::size_t present = std::min(stage.panel_width - place, end - first);
  const bool last = first + present == stage.columns;
  return {first / stage.panel_width, place, present, last ? stage.panel_width - place : present};
}

// Zeros from `begin` to `end`, behind the last panel to the end of the cache line. Nothing computes with them, but
// packed weights are the same bytes whoever packs them.
void fill_gap(std::byte* base, std::size_t begin, std::size_t end, bool last) noexcept {
  std::memset(base + begin, 0, (last ? round_up(end, cache_line) : end) - begin);
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

// False on overflow.
bool lay_out_stage(std::size_t depth, std::size_t columns, std::size_t panel_width, std::size_t nr, Kind kind,
                   PackedStage& stage) noexcept {
  stage.depth = depth;
  stage.columns = columns;
  stage.panel_width = panel_width;
  stage.panels = (columns - 1) / panel_width + 1;
  const PanelLayout layout(kind.weights, kind.arithmetic, nr);
  stage.layout = layout;
  const std::size_t rest = depth % layout.block_k;
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(depth / layout.block_k, layout.block_bytes, &bytes)) return false;
  if (layout.block_k == 1) return stage.panel_bytes = stage.filled_bytes = bytes, true;
  // A short last group has all of its scales. Panels of scaled elements begin on cache lines.
  if (rest != 0)
    bytes += layout.scale_bytes + round_up(rest, layout.fill_k) / layout.fill_k *
                                      ((layout.block_bytes - layout.scale_bytes) / (layout.block_k / layout.fill_k));
  if (__builtin_add_overflow(bytes, layout.header_bytes + cache_line - 1, &bytes)) return false;
  stage.filled_bytes = bytes - (cache_line - 1);
  stage.panel_bytes = bytes / cache_line * cache_line;
  return true;
}

}  // namespace

PanelLayout::PanelLayout(WeightType type, Arithmetic arithmetic, std::size_t nr) noexcept {
  if (arithmetic == Arithmetic::bf16) {
    block_k = fill_k = Bf16Pairs::block_k;
    block_bytes = block_k * nr * sizeof(Bf16Pairs::Stored);
    return;
  }
  with_element_type(type.element, [&](auto element) {
    using Element = decltype(element);
    if constexpr (Element::grouped) {
      const std::size_t scales = nr * group_bytes<Element>;
      const bool whole_column = type.group == WeightType::whole_column;
      block_k = whole_column ? whole_column_block : type.group;
      scale_bytes = whole_column ? 0 : scales;
      header_bytes = whole_column ? scales : 0;
      fill_k = Element::word_k;
      block_bytes = block_k / Element::word_k * nr * 4 + scale_bytes;
    } else {
      block_bytes = nr * sizeof(typename Element::Stored);
    }
  });
}

bool lay_out(Shape shape, Kind kind, std::size_t nr, PackedStage& up, PackedStage& down, PackedLayout& at) noexcept {
  at = {};
  return lay_out_stage(shape.d_model, shape.d_ff, kind.gated ? nr / 2 : nr, nr, kind, up) &&
         lay_out_stage(shape.d_ff, shape.d_model, nr, nr, kind, down) &&
         append(up.panels, up.panel_bytes, 1, at.up_weights, at.bytes) &&
         append(down.panels, down.panel_bytes, 1, at.down_weights, at.bytes) &&
         append(up.panels, nr, sizeof(float), at.up_bias, at.bytes) &&
         append(down.panels, nr, sizeof(float), at.down_bias, at.bytes);
}

void pack_range(const PackedStage& stage, const PanelFormat& format, const StageColumns& columns, const Matrix& matrix,
                std::size_t from) noexcept {
  const FloatMode mode;
  const bool left = columns.side == Side::left;
  const std::size_t end = columns.first + columns.count;
  for (std::size_t first = columns.first; first < end;) {
    const PanelColumns here = columns_from(stage, first, end);
    const std::size_t column = here.place + (left ? 0 : stage.panel_width);
    pack_matrix(matrix, {stage.depth, from + first - columns.first, here.present, here.width, column},
                stage.weights + here.panel * stage.panel_bytes, format, stage.layout);
    if (left && here.place == 0)
      fill_gap(stage.weights, here.panel * stage.panel_bytes + stage.filled_bytes, (here.panel + 1) * stage.panel_bytes,
               here.panel + 1 == stage.panels);
    first += here.present;
  }
}

void pack_biases(const PackedStage& stage, std::size_t nr, const StageColumns& columns, const float* biases) noexcept {
  const bool left = columns.side == Side::left;
  const std::size_t end = columns.first + columns.count;
  for (std::size_t first = columns.first; first < end;) {
    const PanelColumns here = columns_from(stage, first, end);
    float* const target = stage.bias + here.panel * nr + here.place + (left ? 0 : stage.panel_width);
    for (std::size_t j = 0; j < here.width; ++j)
      target[j] = biases != nullptr && j < here.present ? biases[first - columns.first + j] : 0.0F;
    if (left && here.panel + 1 == stage.panels && here.place == 0)
      fill_gap(reinterpret_cast<std::byte*>(stage.bias), stage.panels * nr * sizeof(float),
               stage.panels * nr * sizeof(float), true);
    first += here.present;
  }
}

}  // namespace sluice::detail
