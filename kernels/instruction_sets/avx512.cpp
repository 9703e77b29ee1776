// Owns: everything compiled for AVX-512 F and BW. Exports avx512_kernels, nothing else.
#include "kernels/instruction_sets/avx512_vectors.hpp"
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
struct Avx512Dot : Avx512Pairs {
  [[gnu::always_inline]] static inline void accumulate(__m512i& sum, __m512i codes, __m512i factor) {
    __m512i products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(sum), "=&v"(products) : "v"(codes), "v"(factor));
  }
};

template <int largest>
constexpr DotKernels dots[] = {DotFamily<Avx512, Avx512Dot, largest, 2, 12, 16>::value(),
                               DotFamily<Avx512, Avx512Dot, largest, 4, 5, 16>::value()};

}  // namespace

constinit const KernelTable avx512_kernels = make_table<Avx512, Panels>(Isa::avx512, {nullptr, dots<127>, dots<32767>});

}  // namespace sluice::detail
