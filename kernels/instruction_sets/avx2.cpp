// Owns: everything compiled for AVX2, FMA and F16C. Exports avx2_kernels, nothing else.
#include "kernels/instruction_sets/avx2_vectors.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"

namespace sluice::detail {
namespace {

template <class Element>
struct Panels {
  static constexpr PanelKernels value[] = {PanelFamily<Avx2, Element, 2, 6, 12, 9>::value()};
};

// vpmaddubsw, which takes codes as they are, would saturate.
// In place: g++ 12 and clang 14 would compute products early and keep them on the stack.
struct Avx2Dot : Avx2Pairs {
  [[gnu::always_inline]] static inline void accumulate(__m256i& sum, __m256i codes, __m256i factor) {
    __m256i products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(products) : "x"(codes), "x"(factor));
  }
};

template <int largest>
constexpr DotKernels dots[] = {DotFamily<Avx2, Avx2Dot, largest, 2, 4, 8, 1>::value()};

}  // namespace

constinit const KernelTable avx2_kernels = make_table<Avx2, Panels>(Isa::avx2, {nullptr, dots<127>, dots<32767>});

}  // namespace sluice::detail
