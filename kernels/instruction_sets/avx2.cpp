// Owns: everything compiled for AVX2, FMA and F16C. Exports avx2_kernels, nothing else.
#include "kernels/instruction_sets/avx2_vectors.hpp"
#include "kernels/instruction_sets/dot_family.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"

namespace sluice::detail {
namespace {

template <class Element>
struct Panels {
  static constexpr PanelKernels value[] = {PanelFamily<Avx2, Element, 2, 6, 12, 9>::value()};
};

// In place: g++ 12 and clang 14 would compute products early and keep them on the stack.
struct PairsOf16 : Avx2Pairs {
  [[gnu::always_inline]] static inline void accumulate(__m256i& sum, __m256i codes, __m256i factor) {
    __m256i products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(products) : "x"(codes), "x"(factor));
  }
};

// vpmaddubsw takes bytes as they are, but sums in 16 bits: exact for some steps of elements of 4 bits, while those of 8
// would saturate.
struct PairsOf8 : Avx2Bytes {
  static constexpr bool sums_in_16_bits = true;
  [[gnu::always_inline]] static inline void accumulate(__m256i& sum, __m256i codes, __m256i factor) {
    __m256i products;
    asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(sum), "=&x"(products) : "x"(codes), "x"(factor));
  }
  [[gnu::always_inline]] static inline __m256i add_halves(__m256i sum) {
    return _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
  }
};

template <class Element, int largest>
struct Dots {
  using Dot = std::conditional_t<largest == 127 && Element::bits == 4, PairsOf8, PairsOf16>;
  // The table of mxfp4 takes a register more than pairs of 16 bits leave.
  static constexpr bool fits = largest == 127 || Element::type != ElementType::mxfp4;
  static constexpr int max_mr = fits ? 4 : 3;
  static constexpr int sums = fits ? 8 : 4;
  static constexpr DotKernels value[] = {
      DotFamily<IntegerDots<Avx2, Dot, Element, largest, 2>, max_mr, sums, 1>::value()};
};

constexpr DotKernels bf16[] = {DotFamily<Bf16Dots<Avx2, 2>, 6, 8>::value()};

}  // namespace

constinit const KernelTable avx2_kernels = make_table<Avx2, Panels>(Isa::avx2, with_bf16(make_dot_table<Dots>(), bf16));

}  // namespace sluice::detail
