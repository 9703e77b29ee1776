// Owns: everything compiled for AVX2 and FMA. Exports avx2_kernels, nothing else.
#include <immintrin.h>

#include <xsimd/xsimd.hpp>

#include "kernels/kernel_family.hpp"

namespace sluice::detail {
namespace {

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

  [[gnu::always_inline]] static inline Batch low_bits_to_exponent(Batch value) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(value), 23));
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

constexpr PanelKernels panels[] = {PanelFamily<Avx2, 2, 6, 12>::value()};

}  // namespace

constinit const KernelTable avx2_kernels = make_table<Avx2>(Isa::avx2, panels, 1);

}  // namespace sluice::detail
