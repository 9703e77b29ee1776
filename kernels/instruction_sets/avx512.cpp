// Owns: everything compiled for AVX-512 F and BW. Exports avx512_kernels, nothing else.
#include "kernels/instruction_sets/avx512_vectors.hpp"
#include "kernels/instruction_sets/dot_family.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"

namespace sluice::detail {
namespace {

// 13 × 32 uses 29 of 32 registers; 14 × 32 spills under clang. Two tiles gain from interleaved panels up to 24 rows
// (Sapphire Rapids, 2048x5632, one thread: M = 14 0.88 of the time of the blocked plan, M = 24 0.98).
template <class Element>
struct Panels {
  static constexpr PanelKernels value[] = {PanelFamily<Avx512, Element, 2, 13, 26, 24>::value(),
                                           PanelFamily<Avx512, Element, 4, 6, 24>::value()};
};

// In place: clang 14 would compute products early and keep them on the stack.
struct PairsOf16 : Avx512Pairs {
  [[gnu::always_inline]] static inline void accumulate(__m512i& sum, __m512i codes, __m512i factor) {
    __m512i products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(sum), "=&v"(products) : "v"(codes), "v"(factor));
  }
};

// As avx2.cpp has it: elements of 4 bits in sums of 16.
struct PairsOf8 : Avx512Bytes {
  static constexpr bool sums_in_16_bits = true;
  [[gnu::always_inline]] static inline void accumulate(__m512i& sum, __m512i codes, __m512i factor) {
    __m512i products;
    asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+v"(sum), "=&v"(products) : "v"(codes), "v"(factor));
  }
  [[gnu::always_inline]] static inline __m512i add_halves(__m512i sum) {
    return _mm512_madd_epi16(sum, _mm512_set1_epi16(1));
  }
};

template <class Element, int largest>
struct Dots {
  using Dot = std::conditional_t<largest == 127 && Element::bits == 4, PairsOf8, PairsOf16>;
  // The masks and the table of elements of 4 bits take registers. Sums of 16 bits may need some of 32 beside them.
  static constexpr int max_mr = sums_in_16_bits<Dot> ? 8 : Element::bits == 4 ? 10 : 12;
  static constexpr int max_mr_of_64 = Element::bits == 4 ? 4 : 5;
  static constexpr int sums = 16;
  static constexpr DotKernels value[] = {
      DotFamily<IntegerDots<Avx512, Dot, Element, largest, 2>, max_mr, sums>::value(),
      DotFamily<IntegerDots<Avx512, Dot, Element, largest, 4>, max_mr_of_64, sums>::value()};
};

constexpr DotKernels bf16[] = {DotFamily<Bf16Dots<Avx512, 2>, 13, 16>::value(),
                               DotFamily<Bf16Dots<Avx512, 4>, 6, 16>::value()};

}  // namespace

constinit const KernelTable avx512_kernels =
    make_table<Avx512, Panels>(Isa::avx512, with_bf16(make_dot_table<Dots>(), bf16));

}  // namespace sluice::detail
