// Owns: the integer dot products of 8 bits compiled for Armv8.2's dot products (FEAT_DotProd). Exports
// neon_dotprod_dots, nothing else.
#include <type_traits>

#include "kernels/instruction_sets/dot_family.hpp"
#include "kernels/instruction_sets/neon_vectors.hpp"

namespace sluice::detail {
namespace {

// sdot takes both operands with a sign, which codes of 4 bits have.
struct Signed4 : NeonBytes {
  [[gnu::always_inline]] static inline void accumulate(uint32x4_t& sum, uint32x4_t codes, uint32x4_t factor) {
    asm("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(codes), "w"(factor));
  }
};
// Those of 8 bits less 128.
struct Signed8 : Signed4 {
  static constexpr int subtracted = 128;
  template <int index>
  [[gnu::always_inline]] static inline uint32x4_t part(uint32x4_t words) {
    return veorq_u32(words, vdupq_n_u32(0x80808080U));
  }
};

template <class Element, int largest>
struct Dots {
  static_assert(largest == 127);
  using Dot = std::conditional_t<Element::bits == 8, Signed8, Signed4>;
  static constexpr int sums = Element::bits == 4 ? 12 : 16;
  static constexpr DotKernels value[] = {DotFamily<IntegerDots<Neon, Dot, Element, largest, 4>, 5, sums, 1>::value(),
                                         DotFamily<IntegerDots<Neon, Dot, Element, largest, 2>, 10, sums, 3>::value()};
};

}  // namespace

constinit const DotTable neon_dotprod_dots = make_byte_dot_table<Dots>();

}  // namespace sluice::detail
