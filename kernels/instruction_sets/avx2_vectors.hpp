// Owns: the vectors of AVX2, FMA and F16C and what the kernels do with them. Included by the ISA files only.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <xsimd/xsimd.hpp>

namespace sluice::detail {
namespace {

// The upper half of each 32-bit word.
alignas(32) constexpr std::uint32_t upper_halves[] = {0xffff0000U, 0xffff0000U, 0xffff0000U, 0xffff0000U,
                                                      0xffff0000U, 0xffff0000U, 0xffff0000U, 0xffff0000U};

struct Avx2 {
  using Batch = xsimd::batch<float, xsimd::fma3<xsimd::avx2>>;

  [[gnu::always_inline]] static inline Batch fma(Batch a, Batch b, Batch c) { return _mm256_fmadd_ps(a, b, c); }

  [[gnu::always_inline]] static inline Batch divide(Batch a, Batch b) { return a / b; }

  // c += a·b in place. With the intrinsic, g++ 12 spills in the 6 × 16 loop.
  [[gnu::always_inline]] static inline void accumulate(Batch& c, Batch a, Batch b) {
#ifdef __clang__
    c = _mm256_fmadd_ps(a, b, c);
#else
    __m256 sum = c;
    asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(static_cast<__m256>(a)), "x"(static_cast<__m256>(b)));
    c = sum;
#endif
  }

  [[gnu::always_inline]] static inline void accumulate_from(Batch& c, Batch a, const float* b) {
#ifdef __clang__
    c = _mm256_fmadd_ps(a, _mm256_loadu_ps(b), c);
#else
    __m256 sum = c;
    asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(static_cast<__m256>(a)), "m"(*reinterpret_cast<const __m256_u*>(b)));
    c = sum;
#endif
  }

  template <int accumulators>
  [[gnu::always_inline]] static inline void widen_pair(const std::uint16_t* words, Batch& even, Batch& odd) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
    even = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
    if constexpr (accumulators < 12) {
      odd = _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(static_cast<int>(0xffff0000U))));
    } else {
      // The tallest tile leaves no register for the mask. With fewer rows the load of it costs more than it saves (Zen
      // 4: M = 2 1.14 of the time, M = 8 1.06).
      __m256 upper;
      asm("vandps %2, %1, %0" : "=x"(upper) : "x"(_mm256_castsi256_ps(both)), "m"(upper_halves));
      odd = upper;
    }
  }
  // Of each word the lower half as a bf16, or the upper one.
  template <bool upper>
  [[gnu::always_inline]] static inline Batch half_of(__m256i words) {
    return _mm256_castsi256_ps(upper ? _mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000U)))
                                     : _mm256_slli_epi32(words, 16));
  }
  [[gnu::always_inline]] static inline Batch widen_half(const std::uint16_t* halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
  }

  // Eight words of four bytes, and one byte of each as a float.
  using Words = __m256i;
  [[gnu::always_inline]] static inline Words load_words(const std::byte* words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  }
#ifndef __clang__
  // Says that the words are changed, which they are not: g++ 12 otherwise moves sums of dot products to other registers
  // from one turn of the loop to the next.
  [[gnu::always_inline]] static inline void keep_in_register(Words& words) { asm("" : "+x"(words)); }
#endif
  [[gnu::always_inline]] static inline Words broadcast_word(const std::int32_t* word) {
    return _mm256_set1_epi32(*word);
  }
  // Eight bytes without a sign as words.
  [[gnu::always_inline]] static inline Words widen_bytes(const std::byte* bytes) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
  }
  template <int bits>
  [[gnu::always_inline]] static inline Words shift_left(Words words) {
    return _mm256_slli_epi32(words, bits);
  }
  // Of each word the products of the halves, integers of 16 bits: their sum, or the lower 16 bits of both.
  [[gnu::always_inline]] static inline Words dot_halves(Words a, Words b) { return _mm256_madd_epi16(a, b); }
  [[gnu::always_inline]] static inline Words multiply_halves(Words a, Words b) { return _mm256_mullo_epi16(a, b); }
  [[gnu::always_inline]] static inline Words zero_words() { return _mm256_setzero_si256(); }
  [[gnu::always_inline]] static inline Words add_words(Words a, Words b) { return _mm256_add_epi32(a, b); }
  // Of each four words the first two; zeros for the others.
  [[gnu::always_inline]] static inline Words lower_halves(Words words) {
    return _mm256_blend_epi32(words, _mm256_setzero_si256(), 0xcc);
  }
  [[gnu::always_inline]] static inline Words larger(Words a, Words b) { return _mm256_max_epi32(a, b); }
  [[gnu::always_inline]] static inline Words magnitude(Batch value) {
    return _mm256_and_si256(_mm256_castps_si256(value), _mm256_set1_epi32(0x7fffffff));
  }
  [[gnu::always_inline]] static inline Words nearest(Batch value) { return _mm256_cvtps_epi32(value); }
  [[gnu::always_inline]] static inline Batch to_float(Words words) { return _mm256_cvtepi32_ps(words); }
  [[gnu::always_inline]] static inline std::uint32_t largest_word(Words words) {
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1))));
  }
  [[gnu::always_inline]] static inline std::int32_t sum_of_words(Words words) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
  }

  template <int byte>
  [[gnu::always_inline]] static inline Batch byte_of(Words words) {
    const __m256i shifted = byte == 0 ? words : _mm256_srli_epi32(words, 8 * byte);
    return _mm256_cvtepi32_ps(byte == 3 ? shifted : _mm256_and_si256(shifted, _mm256_set1_epi32(0xff)));
  }

  // Of each byte the lower half, or the upper one.
  template <int upper>
  [[gnu::always_inline]] static inline Words nibbles(Words words) {
    const __m256i shifted = upper == 0 ? words : _mm256_srli_epi32(words, 4);
    return _mm256_and_si256(shifted, _mm256_set1_epi8(0x0f));
  }
  // The bytes of a table of sixteen that the bytes, all below 16, stand for.
  [[gnu::always_inline]] static inline Words look_up(const std::uint8_t* table, Words bytes) {
    const __m256i both = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
    return _mm256_shuffle_epi8(both, bytes);
  }
  // 2^(byte − 127) of eight bytes; that of 0 is a denormal, that of 255 infinite.
  [[gnu::always_inline]] static inline Batch powers_of_two(const std::uint8_t* bytes) {
    const __m256i words = widen_bytes(reinterpret_cast<const std::byte*>(bytes));
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_slli_epi32(words, 23), _mm256_set1_epi32(0x00400000)));
  }

  [[gnu::always_inline]] static inline Batch low_bits_to_exponent(Batch value) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(value), 23));
  }

  // Column j of the four rows becomes four floats at target + j·stride.
  [[gnu::always_inline]] static inline void store_columns(const Batch (&rows)[4], float* target,
                                                          std::ptrdiff_t stride) {
    const __m256 low01 = _mm256_unpacklo_ps(rows[0], rows[1]);
    const __m256 high01 = _mm256_unpackhi_ps(rows[0], rows[1]);
    const __m256 low23 = _mm256_unpacklo_ps(rows[2], rows[3]);
    const __m256 high23 = _mm256_unpackhi_ps(rows[2], rows[3]);
    const __m256 columns[4] = {_mm256_shuffle_ps(low01, low23, 0x44), _mm256_shuffle_ps(low01, low23, 0xee),
                               _mm256_shuffle_ps(high01, high23, 0x44), _mm256_shuffle_ps(high01, high23, 0xee)};
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      _mm_storeu_ps(target + j * stride, _mm256_castps256_ps128(columns[j]));
      _mm_storeu_ps(target + (j + 4) * stride, _mm256_extractf128_ps(columns[j], 1));
    }
  }
};

// The pairs of a dot product of 16 bits: bytes as integers, the even ones and the odd ones.
struct Avx2Pairs {
  static constexpr int parts = 2;
  template <int index>
  [[gnu::always_inline]] static inline __m256i part(__m256i words) {
    return index == 0 ? _mm256_and_si256(words, _mm256_set1_epi16(0xff)) : _mm256_srli_epi16(words, 8);
  }
  // Two words of four integers, as (0, 2), (1, 3).
  [[gnu::always_inline]] static inline void store_codes(__m256i codes, std::byte* target, std::ptrdiff_t stride,
                                                        std::size_t words) {
    const __m256i pairs = _mm256_shuffle_epi32(codes, 0xd8);
    const __m256i packed = _mm256_packs_epi32(pairs, pairs);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(target), _mm256_castsi256_si128(packed));
    if (words > 1) _mm_storel_epi64(reinterpret_cast<__m128i*>(target + stride), _mm256_extracti128_si256(packed, 1));
  }
};

// Four bytes of weights times four quantised elements of 8 bits.
struct Avx2Bytes {
  static constexpr int parts = 1;
  template <int index>
  [[gnu::always_inline]] static inline __m256i part(__m256i words) {
    return words;
  }
  [[gnu::always_inline]] static inline void store_codes(__m256i codes, std::byte* target, std::ptrdiff_t stride,
                                                        std::size_t words) {
    const __m256i pairs = _mm256_packs_epi32(codes, codes);
    const __m256i bytes = _mm256_packs_epi16(pairs, pairs);
    _mm_storeu_si32(target, _mm256_castsi256_si128(bytes));
    if (words > 1) _mm_storeu_si32(target + stride, _mm256_extracti128_si256(bytes, 1));
  }
};

}  // namespace
}  // namespace sluice::detail
