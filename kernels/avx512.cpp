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

  [[gnu::always_inline]] static inline void transpose_4x4(const float* source, std::ptrdiff_t source_stride,
                                                          float* target, std::ptrdiff_t target_stride) {
    __m128 r0 = _mm_loadu_ps(source);
    __m128 r1 = _mm_loadu_ps(source + source_stride);
    __m128 r2 = _mm_loadu_ps(source + 2 * source_stride);
    __m128 r3 = _mm_loadu_ps(source + 3 * source_stride);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(target, r0);
    _mm_storeu_ps(target + target_stride, r1);
    _mm_storeu_ps(target + 2 * target_stride, r2);
    _mm_storeu_ps(target + 3 * target_stride, r3);
  }
};

// 13 × 32 uses 29 of 32 registers; 14 × 32 spills under clang.
constexpr PanelKernels panels[] = {PanelFamily<Avx512, 2, 13, 26>::value(), PanelFamily<Avx512, 4, 6, 24>::value()};

}  // namespace

constinit const KernelTable avx512_kernels = make_table<Avx512>(Isa::avx512, panels, 2);

}  // namespace sluice::detail
