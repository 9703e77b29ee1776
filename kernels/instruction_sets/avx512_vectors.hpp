// Owns: the vectors of AVX-512 F and BW and what the kernels do with them. Included by the ISA files only.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <xsimd/xsimd.hpp>

namespace sluice::detail {
namespace {

struct Avx512 {
  using Batch = xsimd::batch<float, xsimd::avx512f>;

  [[gnu::always_inline]] static inline Batch fma(Batch a, Batch b, Batch c) { return _mm512_fmadd_ps(a, b, c); }

  [[gnu::always_inline]] static inline Batch divide(Batch a, Batch b) { return a / b; }

  // c += a·b in place. With the intrinsic, g++ 12 copies accumulators around in the hot loop.
  [[gnu::always_inline]] static inline void accumulate(Batch& c, Batch a, Batch b) {
#ifdef __clang__
    c = _mm512_fmadd_ps(a, b, c);
#else
    __m512 sum = c;
    asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(static_cast<__m512>(a)), "v"(static_cast<__m512>(b)));
    c = sum;
#endif
  }

  [[gnu::always_inline]] static inline void accumulate_from(Batch& c, Batch a, const float* b) {
#ifdef __clang__
    c = _mm512_fmadd_ps(a, _mm512_loadu_ps(b), c);
#else
    __m512 sum = c;
    asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(static_cast<__m512>(a)), "m"(*reinterpret_cast<const __m512_u*>(b)));
    c = sum;
#endif
  }

#ifndef __clang__
  // Says that the value is changed, which it is not: g++ 12 otherwise gives the accumulators of 13 × 32 other registers
  // from one turn of the loop over k to the next and moves them all (llvm-mca, Skylake-X: 92.7 % of the FMA bound, with
  // it 99.8). clang has no such moves, and by it would spill one of 13 rows in place.
  [[gnu::always_inline]] static inline void keep_in_register(Batch& value) { asm("" : "+v"(value.data)); }
  [[gnu::always_inline]] static inline void keep_in_register(__m512i& words) { asm("" : "+v"(words)); }
#endif

  template <int accumulators>
  [[gnu::always_inline]] static inline void widen_pair(const std::uint16_t* words, Batch& even, Batch& odd) {
    const auto both = reinterpret_cast<__v16su>(_mm512_loadu_si512(words));
    even = _mm512_castsi512_ps(reinterpret_cast<__m512i>(both << 16));
    odd = _mm512_castsi512_ps(reinterpret_cast<__m512i>(both & 0xffff0000U));
  }
  // Of each word the lower half as a bf16, or the upper one.
  template <bool upper>
  [[gnu::always_inline]] static inline Batch half_of(__m512i words) {
    const auto both = reinterpret_cast<__v16su>(words);
    return _mm512_castsi512_ps(reinterpret_cast<__m512i>(upper ? both & 0xffff0000U : both << 16));
  }
  [[gnu::always_inline]] static inline Batch widen_half(const std::uint16_t* halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
  }

  // Sixteen words of four bytes, and one byte of each as a float.
  using Words = __m512i;
  [[gnu::always_inline]] static inline Words load_words(const std::byte* words) { return _mm512_loadu_si512(words); }
  [[gnu::always_inline]] static inline void store_words(std::byte* target, Words words) {
    _mm512_storeu_si512(target, words);
  }
  [[gnu::always_inline]] static inline Words broadcast_word(const std::int32_t* word) {
    return _mm512_set1_epi32(*word);
  }
  // Sixteen bytes without a sign as words.
  [[gnu::always_inline]] static inline Words widen_bytes(const std::byte* bytes) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
  }
  template <int bits>
  [[gnu::always_inline]] static inline Words shift_left(Words words) {
    return reinterpret_cast<__m512i>(reinterpret_cast<__v16su>(words) << bits);
  }
  // Of each word the products of the halves, integers of 16 bits: their sum, or the lower 16 bits of both.
  [[gnu::always_inline]] static inline Words dot_halves(Words a, Words b) { return _mm512_madd_epi16(a, b); }
  [[gnu::always_inline]] static inline Words multiply_halves(Words a, Words b) { return _mm512_mullo_epi16(a, b); }
  [[gnu::always_inline]] static inline Words zero_words() { return _mm512_setzero_si512(); }
  [[gnu::always_inline]] static inline Words add_words(Words a, Words b) {
    return reinterpret_cast<__m512i>(reinterpret_cast<__v16si>(a) + reinterpret_cast<__v16si>(b));
  }
  // Of each four words the first two; zeros for the others.
  [[gnu::always_inline]] static inline Words lower_halves(Words words) {
    constexpr __mmask16 first_two = 0x3333;
    return _mm512_maskz_mov_epi32(first_two, words);
  }
  [[gnu::always_inline]] static inline Words larger(Words a, Words b) { return _mm512_max_epi32(a, b); }
  [[gnu::always_inline]] static inline Words magnitude(Batch value) {
    return reinterpret_cast<__m512i>(reinterpret_cast<__v16su>(_mm512_castps_si512(value)) & 0x7fffffffU);
  }
  [[gnu::always_inline]] static inline Words nearest(Batch value) { return _mm512_cvtps_epi32(value); }
  [[gnu::always_inline]] static inline Batch to_float(Words words) { return _mm512_cvtepi32_ps(words); }
  [[gnu::always_inline]] static inline std::uint32_t largest_word(Words words) {
    return static_cast<std::uint32_t>(_mm512_reduce_max_epi32(words));
  }
  [[gnu::always_inline]] static inline std::int32_t sum_of_words(Words words) { return _mm512_reduce_add_epi32(words); }

  template <int byte>
  [[gnu::always_inline]] static inline Batch byte_of(Words words) {
    const auto shifted = reinterpret_cast<__v16su>(words) >> (8 * byte);
    return _mm512_cvtepi32_ps(reinterpret_cast<__m512i>(byte == 3 ? shifted : shifted & 0xffU));
  }

  [[gnu::always_inline]] static inline Words subtract_bytes(Words a, Words b) { return _mm512_sub_epi8(a, b); }
  [[gnu::always_inline]] static inline Words broadcast_byte(int value) {
    return _mm512_set1_epi8(static_cast<char>(value));
  }
  // Words below 256, four times in their bytes.
  [[gnu::always_inline]] static inline Words repeat_bytes(Words words) {
    const auto twice = reinterpret_cast<__v16su>(words) | reinterpret_cast<__v16su>(words) << 8;
    return reinterpret_cast<__m512i>(twice | twice << 16);
  }
  // Of each byte the lower half, or the upper one.
  template <int upper>
  [[gnu::always_inline]] static inline Words nibbles(Words words) {
    const auto shifted = upper == 0 ? reinterpret_cast<__v16su>(words) : reinterpret_cast<__v16su>(words) >> 4;
    return reinterpret_cast<__m512i>(shifted & 0x0f0f0f0fU);
  }
  // The bytes of a table of sixteen that the bytes, all below 16, stand for.
  [[gnu::always_inline]] static inline Words look_up(const std::uint8_t* table, Words bytes) {
    const __m128i one = _mm_load_si128(reinterpret_cast<const __m128i*>(table));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(one), bytes);
  }
  // 2^(byte − 127) of sixteen bytes; that of 0 is a denormal, that of 255 infinite.
  [[gnu::always_inline]] static inline Batch powers_of_two(const std::uint8_t* bytes) {
    const Words powers = shift_left<23>(widen_bytes(reinterpret_cast<const std::byte*>(bytes)));
    return _mm512_castsi512_ps(_mm512_max_epi32(powers, _mm512_set1_epi32(0x00400000)));
  }

  [[gnu::always_inline]] static inline Batch low_bits_to_exponent(Batch value) {
    // Not _mm512_slli_epi32: g++ 12 warns of an uninitialised value inside it.
    return _mm512_castsi512_ps(reinterpret_cast<__m512i>(reinterpret_cast<__v16su>(_mm512_castps_si512(value)) << 23));
  }

  // 9 to 16 rows × 16 columns → 16 dense columns. Each column is stored whole: the next column overwrites what lies
  // beyond `rows`, and the last column is masked. Blocks of four rows need four times the stores, most of which cross
  // cache lines.
  static constexpr std::ptrdiff_t tall_rows = 16;
  [[gnu::always_inline]] static inline void transpose_tall(const float* source, std::ptrdiff_t source_stride,
                                                           std::ptrdiff_t rows, float* target) {
    __m512 r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(source + (i < rows ? i : 0) * source_stride);
      // Afterwards r[g + c] holds column c + 4·L of rows g to g + 3 in its 128-bit lane L.
#pragma GCC unroll 4
    for (int g = 0; g < 16; g += 4) {
      const __m512 low01 = _mm512_unpacklo_ps(r[g], r[g + 1]);
      const __m512 high01 = _mm512_unpackhi_ps(r[g], r[g + 1]);
      const __m512 low23 = _mm512_unpacklo_ps(r[g + 2], r[g + 3]);
      const __m512 high23 = _mm512_unpackhi_ps(r[g + 2], r[g + 3]);
      r[g] = _mm512_shuffle_ps(low01, low23, 0x44);
      r[g + 1] = _mm512_shuffle_ps(low01, low23, 0xee);
      r[g + 2] = _mm512_shuffle_ps(high01, high23, 0x44);
      r[g + 3] = _mm512_shuffle_ps(high01, high23, 0xee);
    }
    // Then a 4 × 4 transposition of 128-bit lanes for each c.
    __m512 columns[16];
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      const __m512 even01 = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88);
      const __m512 odd01 = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xdd);
      const __m512 even23 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
      const __m512 odd23 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xdd);
      columns[c] = _mm512_shuffle_f32x4(even01, even23, 0x88);
      columns[4 + c] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
      columns[8 + c] = _mm512_shuffle_f32x4(even01, even23, 0xdd);
      columns[12 + c] = _mm512_shuffle_f32x4(odd01, odd23, 0xdd);
    }
#pragma GCC unroll 16
    for (int j = 0; j < 15; ++j) _mm512_storeu_ps(target + j * rows, columns[j]);
    _mm512_mask_storeu_ps(target + 15 * rows, static_cast<__mmask16>((1U << rows) - 1U), columns[15]);
  }

  // Column j of the four rows becomes four floats at target + j·stride.
  [[gnu::always_inline]] static inline void store_columns(const Batch (&rows)[4], float* target,
                                                          std::ptrdiff_t stride) {
    const __m512 low01 = _mm512_unpacklo_ps(rows[0], rows[1]);
    const __m512 high01 = _mm512_unpackhi_ps(rows[0], rows[1]);
    const __m512 low23 = _mm512_unpacklo_ps(rows[2], rows[3]);
    const __m512 high23 = _mm512_unpackhi_ps(rows[2], rows[3]);
    const __m512 columns[4] = {_mm512_shuffle_ps(low01, low23, 0x44), _mm512_shuffle_ps(low01, low23, 0xee),
                               _mm512_shuffle_ps(high01, high23, 0x44), _mm512_shuffle_ps(high01, high23, 0xee)};
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      _mm_storeu_ps(target + j * stride, _mm512_castps512_ps128(columns[j]));
      _mm_storeu_ps(target + (j + 4) * stride, _mm512_extractf32x4_ps(columns[j], 1));
      _mm_storeu_ps(target + (j + 8) * stride, _mm512_extractf32x4_ps(columns[j], 2));
      _mm_storeu_ps(target + (j + 12) * stride, _mm512_extractf32x4_ps(columns[j], 3));
    }
  }
};

// The pairs of a dot product of 16 bits: bytes as integers, the even ones and the odd ones.
struct Avx512Pairs {
  static constexpr int parts = 2;
  template <int index>
  [[gnu::always_inline]] static inline __m512i part(__m512i words) {
    if constexpr (index == 0)
      return reinterpret_cast<__m512i>(reinterpret_cast<__v16su>(words) & 0x00ff00ffU);
    else
      return _mm512_srli_epi16(words, 8);
  }
  // Four words of four integers, as (0, 2), (1, 3).
  [[gnu::always_inline]] static inline void store_codes(__m512i codes, std::byte* target, std::ptrdiff_t stride,
                                                        std::size_t words) {
    const __m256i packed = _mm512_cvtepi32_epi16(_mm512_shuffle_epi32(codes, static_cast<_MM_PERM_ENUM>(0xd8)));
    alignas(32) std::byte stored[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(stored), packed);
    for (std::size_t word = 0; word < words; ++word)
      __builtin_memcpy(target + static_cast<std::ptrdiff_t>(word) * stride, stored + 8 * word, 8);
  }
};

// Four bytes of weights times four quantised elements of 8 bits.
struct Avx512Bytes {
  static constexpr int parts = 1;
  template <int index>
  [[gnu::always_inline]] static inline __m512i part(__m512i words) {
    return words;
  }
  [[gnu::always_inline]] static inline void store_codes(__m512i codes, std::byte* target, std::ptrdiff_t stride,
                                                        std::size_t words) {
    alignas(16) std::byte stored[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(stored), _mm512_cvtepi32_epi8(codes));
    for (std::size_t word = 0; word < words; ++word)
      __builtin_memcpy(target + static_cast<std::ptrdiff_t>(word) * stride, stored + 4 * word, 4);
  }
};

}  // namespace
}  // namespace sluice::detail
