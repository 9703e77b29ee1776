// Owns: the integer dot products compiled for AVX2 and AVX-VNNI. Exports avx_vnni_dots, nothing else.
#include "kernels/instruction_sets/avx2_vectors.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"

namespace sluice::detail {
namespace {

// Four codes times four quantised elements of 8 bits.
struct Vnni8 {
  static constexpr int parts = 1;
  template <int index>
  [[gnu::always_inline]] static inline __m256i part(__m256i words) {
    return words;
  }
  [[gnu::always_inline]] static inline void accumulate(__m256i& sum, __m256i codes, __m256i factor) {
#ifdef __clang__
    sum = _mm256_dpbusd_avx_epi32(sum, codes, factor);
#else
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(codes), "x"(factor));
#endif
  }
  [[gnu::always_inline]] static inline void store_codes(__m256i codes, std::byte* target, std::ptrdiff_t stride,
                                                        std::size_t words) {
    const __m256i pairs = _mm256_packs_epi32(codes, codes);
    const __m256i bytes = _mm256_packs_epi16(pairs, pairs);
    _mm_storeu_si32(target, _mm256_castsi256_si128(bytes));
    if (words > 1) _mm_storeu_si32(target + stride, _mm256_extracti128_si256(bytes, 1));
  }
};

struct Vnni16 : Avx2Pairs {
  [[gnu::always_inline]] static inline void accumulate(__m256i& sum, __m256i codes, __m256i factor) {
#ifdef __clang__
    sum = _mm256_dpwssd_avx_epi32(sum, codes, factor);
#else
    asm("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sum) : "x"(codes), "x"(factor));
#endif
  }
};

template <class Dot, int largest, int max_mr, int most_wide_rows>
constexpr DotKernels dots[] = {DotFamily<Avx2, Dot, largest, 2, max_mr, 8, most_wide_rows>::value()};

}  // namespace

constinit const DotTable avx_vnni_dots{{nullptr, dots<Vnni8, 127, 6, 2>, dots<Vnni16, 32767, 5, 1>}};

}  // namespace sluice::detail
