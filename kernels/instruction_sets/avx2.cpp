// Owns: everything compiled for AVX2, FMA and F16C. Exports avx2_kernels, nothing else.
#include <immintrin.h>

#include <xsimd/xsimd.hpp>

#include "kernels/instruction_sets/kernel_family.hpp"

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
  [[gnu::always_inline]] static inline Batch widen_half(const std::uint16_t* halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
  }

  // Eight words of four bytes, and one byte of each as a float.
  using Words = __m256i;
  [[gnu::always_inline]] static inline Words load_words(const std::byte* words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  }
  template <int byte>
  [[gnu::always_inline]] static inline Batch byte_of(Words words) {
    const __m256i shifted = byte == 0 ? words : _mm256_srli_epi32(words, 8 * byte);
    return _mm256_cvtepi32_ps(byte == 3 ? shifted : _mm256_and_si256(shifted, _mm256_set1_epi32(0xff)));
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

template <class Element>
struct Panels {
  static constexpr PanelKernels value[] = {PanelFamily<Avx2, Element, 2, 6, 12, 9>::value()};
};

}  // namespace

constinit const KernelTable avx2_kernels = make_table<Avx2, Panels>(Isa::avx2);

}  // namespace sluice::detail
