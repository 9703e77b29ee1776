// Owns: the integer dot products compiled for AVX-512 F, BW and VNNI. Exports avx512_vnni_dots, nothing else.
#include "kernels/instruction_sets/avx512_vectors.hpp"
#include "kernels/instruction_sets/dot_family.hpp"

namespace sluice::detail {
namespace {

struct Vnni8 : Avx512Bytes {
  [[gnu::always_inline]] static inline void accumulate(__m512i& sum, __m512i codes, __m512i factor) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(factor));
  }
};

struct Vnni16 : Avx512Pairs {
  [[gnu::always_inline]] static inline void accumulate(__m512i& sum, __m512i codes, __m512i factor) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(factor));
  }
};

template <class Element, int largest>
struct Dots {
  static constexpr bool bytes = largest == 127;
  using Dot = std::conditional_t<bytes, Vnni8, Vnni16>;
  // The masks and the table of elements of 4 bits take registers.
  static constexpr bool nibbles = Element::bits == 4;
  // g++ 12 keeps some of 13 rows by 16 bits on the stack where zero points begin their sums.
  static constexpr int max_mr = nibbles ? (bytes ? 12 : 11) : Element::has_zeros && !bytes ? 12 : 13;
  static constexpr int max_mr_of_64 = (bytes ? 6 : 5) - (nibbles ? 1 : 0);
  static constexpr int sums = bytes ? 24 : 16;
  static constexpr DotKernels value[] = {
      DotFamily<IntegerDots<Avx512, Dot, Element, largest, 2>, max_mr, sums>::value(),
      DotFamily<IntegerDots<Avx512, Dot, Element, largest, 4>, max_mr_of_64, 16>::value()};
};

}  // namespace

constinit const DotTable avx512_vnni_dots = make_dot_table<Dots>();

}  // namespace sluice::detail
