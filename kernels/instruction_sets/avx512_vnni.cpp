// Owns: the integer dot products compiled for AVX-512 F, BW and VNNI. Exports avx512_vnni_dots, nothing else.
#include "kernels/instruction_sets/avx512_vectors.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"

namespace sluice::detail {
namespace {

// Four codes times four quantised elements of 8 bits.
struct Vnni8 {
  static constexpr int parts = 1;
  template <int index>
  [[gnu::always_inline]] static inline __m512i part(__m512i words) {
    return words;
  }
  [[gnu::always_inline]] static inline void accumulate(__m512i& sum, __m512i codes, __m512i factor) {
#ifdef __clang__
    sum = _mm512_dpbusd_epi32(sum, codes, factor);
#else
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(factor));
#endif
  }
  [[gnu::always_inline]] static inline void store_codes(__m512i codes, std::byte* target, std::ptrdiff_t stride,
                                                        std::size_t words) {
    alignas(16) std::byte stored[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(stored), _mm512_cvtepi32_epi8(codes));
    for (std::size_t word = 0; word < words; ++word)
      __builtin_memcpy(target + static_cast<std::ptrdiff_t>(word) * stride, stored + 4 * word, 4);
  }
};

struct Vnni16 : Avx512Pairs {
  [[gnu::always_inline]] static inline void accumulate(__m512i& sum, __m512i codes, __m512i factor) {
#ifdef __clang__
    sum = _mm512_dpwssd_epi32(sum, codes, factor);
#else
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(factor));
#endif
  }
};

template <class Dot, int largest, int sums, int max_mr_of_64>
constexpr DotKernels dots[] = {DotFamily<Avx512, Dot, largest, 2, 13, sums>::value(),
                               DotFamily<Avx512, Dot, largest, 4, max_mr_of_64, 16>::value()};

}  // namespace

constinit const DotTable avx512_vnni_dots{{nullptr, dots<Vnni8, 127, 24, 6>, dots<Vnni16, 32767, 16, 5>}};

}  // namespace sluice::detail
