// Owns: the layouts in which quantisers of 4 bits hand their integers over: eight in a word of 32 bits, with scales and
// zero points in arrays of their own. Internal.
//
// All three arrays have a row for each group of k, the words of a GPTQ matrix one for each eight k. Adding a layout is
// a struct here, a name in BlockFormat (ffn.hpp) and a place in the list below.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element_types/uint4.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {
namespace {

inline constexpr std::size_t integers_in_word = 8;
inline std::uint8_t nibble_of(std::uint32_t word, std::size_t index) {
  return static_cast<std::uint8_t>(word >> (4 * index) & 0xfU);
}

// AutoGPTQ's: the words of elements go along k, those of zero points along the columns, less one.
struct GptqLayout {
  static constexpr BlockFormat format = BlockFormat::gptq;
  static constexpr bool words_along_k = true;
  static constexpr std::uint8_t zero_offset = 1;
  static std::size_t place_of_column(std::size_t column) { return column; }
};
// GPTQModel's second version of it: zero points as they are.
struct GptqV2Layout : GptqLayout {
  static constexpr BlockFormat format = BlockFormat::gptq_v2;
  static constexpr std::uint8_t zero_offset = 0;
};
// AutoAWQ's: all words along the columns, of which a word holds 0, 2, 4, 6, 1, 3, 5, 7.
struct AwqLayout {
  static constexpr BlockFormat format = BlockFormat::awq;
  static constexpr bool words_along_k = false;
  static constexpr std::uint8_t zero_offset = 0;
  static std::size_t place_of_column(std::size_t column) { return column % 2 * 4 + column / 2; }
};

// What a matrix of such a layout holds; k and columns count from its own.
template <class Layout>
struct IntegerReader {
  using Element = UInt4;

  explicit IntegerReader(const Matrix& matrix) noexcept
      : words_(static_cast<const std::uint32_t*>(matrix.data)),
        scales_(static_cast<const std::uint16_t*>(matrix.scales)),
        zeros_(static_cast<const std::uint32_t*>(matrix.zeros)),
        ld_(matrix.ld),
        group_(matrix.group) {}

  [[nodiscard]] WeightType type() const noexcept { return WeightType::uint4(group_); }
  [[nodiscard]] std::uint8_t code(std::size_t k, std::size_t column) const noexcept {
    if constexpr (Layout::words_along_k)
      return nibble_of(words_[k / integers_in_word * ld_ + column], k % integers_in_word);
    else
      return of_columns(words_, k, column);
  }
  [[nodiscard]] UInt4::Group group(std::size_t k, std::size_t column) const noexcept {
    const std::size_t row = k / group_;
    return {scales_[row * ld_ + column],
            static_cast<std::uint8_t>(of_columns(zeros_, row, column) + Layout::zero_offset)};
  }
  float operator()(std::size_t k, std::size_t column) const noexcept {
    return UInt4::widen(code(k, column), group(k, column));
  }

 private:
  [[nodiscard]] std::uint8_t of_columns(const std::uint32_t* words, std::size_t row, std::size_t column) const {
    return nibble_of(words[row * (ld_ / integers_in_word) + column / integers_in_word],
                     Layout::place_of_column(column % integers_in_word));
  }

  const std::uint32_t* words_;
  const std::uint16_t* scales_;
  const std::uint32_t* zeros_;
  std::size_t ld_;
  std::uint32_t group_;
};

// Calls action(GptqLayout{}), … for the format; nothing if it is no such layout.
template <class... Layouts>
struct IntegerLayoutList {
  template <class Action>
  static void with(BlockFormat format, Action&& action) {
    const auto call = [&](auto one) {
      if (decltype(one)::format == format) action(one);
    };
    (call(Layouts{}), ...);
  }
};
using IntegerLayouts = IntegerLayoutList<GptqLayout, GptqV2Layout, AwqLayout>;

}  // namespace
}  // namespace sluice::detail
