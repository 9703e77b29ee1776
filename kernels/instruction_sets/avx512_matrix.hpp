// Owns: quantised elements as rows of digits, and the dot products of tall tiles that registers of a matrix make with
// them, beside the vectors of AVX-512 F and BW. Included by the ISA files only.
#pragma once

#include <cstddef>
#include <type_traits>

#include "kernels/instruction_sets/avx512_vectors.hpp"
#include "kernels/instruction_sets/tall_dot_family.hpp"

namespace sluice::detail {
namespace {

// Quantised elements of 8 bits, rows of them.
struct OneDigit {
  static constexpr bool takes_rows = true;
  static constexpr int parts = 1;
  [[gnu::always_inline]] static inline void store_codes(__m512i codes, std::byte* target, std::ptrdiff_t,
                                                        std::size_t words) {
    alignas(16) std::byte stored[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(stored), _mm512_cvtepi32_epi8(codes));
    __builtin_memcpy(target, stored, 4 * words);
  }
};

// Those of 16 bits, as 256 times the upper digit plus the lower one, which has no sign.
struct TwoDigits {
  static constexpr bool takes_rows = true;
  static constexpr int parts = 2;
  // Sums of both digits.
  [[gnu::always_inline]] static inline __m512i join(__m512i upper, __m512i lower) {
    return reinterpret_cast<__m512i>((reinterpret_cast<__v16su>(upper) << 8) + reinterpret_cast<__v16su>(lower));
  }
  [[gnu::always_inline]] static inline void store_codes(__m512i codes, std::byte* target, std::ptrdiff_t next_digit,
                                                        std::size_t words) {
    OneDigit::store_codes(reinterpret_cast<__m512i>(reinterpret_cast<__v16si>(codes) >> 8), target, 0, words);
    OneDigit::store_codes(codes, target + next_digit, 0, words);
  }
};

// Of each panel width, for tiles of first_mr rows and more. Matrix: as matrix_dot_kernel.hpp has it.
template <class Matrix, class Element, int largest, int first_mr, int first_mr_of_64>
struct MatrixDotsOf {
  using Digits = std::conditional_t<largest == 127, OneDigit, TwoDigits>;
  template <int vectors, int first>
  using Family = TallDotFamily<Avx512, Matrix, Digits, Element, largest, vectors, first>;
  static constexpr TallDots value[] = {Family<2, first_mr>::value(), Family<4, first_mr_of_64>::value()};
};

}  // namespace
}  // namespace sluice::detail
