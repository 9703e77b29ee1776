// Owns: where the codes of elements with scales stand in the 32-bit words of a panel. Internal.
//
// Instructions of integer dot products want four consecutive k of a column in one word; the words of a panel's columns
// stand side by side. Of codes of 4 bits a word holds eight k: byte i has that of k + i below that of k + 4 + i, so
// that a mask, or a shift and a mask, makes words of four bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::detail {
namespace {

template <unsigned code_bits>
struct CodeWords {
  static_assert(code_bits == 8 || code_bits == 4);
  static constexpr unsigned bits = code_bits;
  static constexpr std::size_t word_k = 32 / bits;            // k steps in a word
  static constexpr int quads = static_cast<int>(word_k) / 4;  // words of four bytes that a word becomes

  // The byte of the code of step k of a column in the codes of a group, and the bits below it.
  static constexpr std::size_t position(std::size_t k, std::size_t column, std::size_t nr) {
    return (k / word_k * nr + column) * 4 + k % 4;
  }
  static constexpr unsigned shift(std::size_t k) { return static_cast<unsigned>(k % word_k / 4) * bits; }
  // To be called in ascending k: the first code in a byte clears it.
  static constexpr void store(std::uint8_t* codes, std::size_t k, std::size_t column, std::size_t nr,
                              std::uint8_t code) {
    const std::size_t at = position(k, column, nr);
    const unsigned below = shift(k) == 0 ? 0U : codes[at];
    codes[at] = static_cast<std::uint8_t>(below | static_cast<unsigned>(code) << shift(k));
  }

  // The codes of k + 4·quad to k + 4·quad + 3 as bytes.
  template <class Simd, int quad>
  [[gnu::always_inline]] static inline typename Simd::Words bytes_of(typename Simd::Words words) {
    if constexpr (bits == 8)
      return words;
    else
      return Simd::template nibbles<quad>(words);
  }
};

// k steps of the longest word of any type.
inline constexpr std::size_t most_word_k = 8;

}  // namespace
}  // namespace sluice::detail
