// Owns: the integer dot products compiled for AVX2 and AVX-VNNI. Exports avx_vnni_dots, nothing else.
#include "kernels/instruction_sets/avx2_vectors.hpp"
#include "kernels/instruction_sets/dot_family.hpp"

namespace sluice::detail {
namespace {

struct Vnni8 : Avx2Bytes {
  [[gnu::always_inline]] static inline void accumulate(__m256i& sum, __m256i codes, __m256i factor) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(codes), "x"(factor));
  }
};

struct Vnni16 : Avx2Pairs {
  [[gnu::always_inline]] static inline void accumulate(__m256i& sum, __m256i codes, __m256i factor) {
    asm("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sum) : "x"(codes), "x"(factor));
  }
};

template <class Element, int largest>
struct Dots {
  static constexpr bool bytes = largest == 127;
  using Dot = std::conditional_t<bytes, Vnni8, Vnni16>;
  // The mask of elements of 4 bits takes a register, and so does the table of mxfp4.
  static constexpr int taken = Element::type == ElementType::mxfp4 && !bytes ? 2 : Element::bits == 4 ? 1 : 0;
  static constexpr int max_mr = (bytes ? 6 : 5) - taken;
  static constexpr int most_wide_rows = bytes ? 2 : 1;
  static constexpr DotKernels value[] = {
      DotFamily<IntegerDots<Avx2, Dot, Element, largest, 2>, max_mr, 8, most_wide_rows>::value()};
};

}  // namespace

constinit const DotTable avx_vnni_dots = make_dot_table<Dots>();

}  // namespace sluice::detail
