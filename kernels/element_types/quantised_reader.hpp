// Owns: reading a matrix that is given quantised, whatever the format: the value of an element, and, where a type of
// the library has the same elements and scales, its codes and what its groups have in common. Internal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element_types/block_formats.hpp"
#include "kernels/element_types/integer_layouts.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {
namespace {

// Of blocks. Format::Element is the type of the same elements, F32 where there is none, which has neither codes nor
// groups.
template <class Format>
struct BlockReader {
  const std::byte* data;
  std::size_t column_bytes;

  explicit BlockReader(const Matrix& matrix) noexcept
      : data(static_cast<const std::byte*>(matrix.data)), column_bytes(matrix.ld / Format::depth * Format::bytes) {}

  [[nodiscard]] WeightType type() const noexcept { return Format::type; }
  [[nodiscard]] const std::byte* block(std::size_t k, std::size_t column) const noexcept {
    return data + column * column_bytes + k / Format::depth * Format::bytes;
  }
  [[nodiscard]] std::uint8_t code(std::size_t k, std::size_t column) const noexcept {
    return Format::code(block(k, column), k % Format::depth);
  }
  [[nodiscard]] auto group(std::size_t k, std::size_t column) const noexcept { return Format::scale(block(k, column)); }
  float operator()(std::size_t k, std::size_t column) const noexcept {
    return Format::value(block(k, column), k % Format::depth);
  }
};

// Calls action(reader, Element{}) with the type of the same elements, F32 where there is none. The matrix has its ld.
template <class Action>
void with_quantised_reader(const Matrix& matrix, Action&& action) {
  BlockFormats::with(matrix.blocks, [&](auto format) {
    using Format = decltype(format);
    action(BlockReader<Format>(matrix), typename Format::Element{});
  });
  IntegerLayouts::with(matrix.blocks, [&](auto layout) {
    using Reader = IntegerReader<decltype(layout)>;
    action(Reader(matrix), typename Reader::Element{});
  });
}

}  // namespace
}  // namespace sluice::detail
