// Owns: everything compiled for AVX-512 F. Exports avx512_kernels, nothing else.
#include <immintrin.h>

#include <xsimd/xsimd.hpp>

#include "kernels/kernel_family.hpp"

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

  [[gnu::always_inline]] static inline Batch low_bits_to_exponent(Batch value) {
    // Not _mm512_slli_epi32: g++ 12 warns of an uninitialised value inside it.
    return _mm512_castsi512_ps(reinterpret_cast<__m512i>(reinterpret_cast<__v16su>(_mm512_castps_si512(value)) << 23));
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

// 13 × 32 uses 29 of 32 registers; 14 × 32 spills under clang.
constexpr PanelKernels panels[] = {PanelFamily<Avx512, 2, 13, 26>::value(), PanelFamily<Avx512, 4, 6, 24>::value()};

}  // namespace

constinit const KernelTable avx512_kernels = make_table<Avx512>(Isa::avx512, panels, 2);

}  // namespace sluice::detail
