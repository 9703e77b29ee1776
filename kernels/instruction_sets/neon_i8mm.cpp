// Owns: the integer dot products of 8 bits compiled for Armv8.6's integer matrix multiplication (FEAT_I8MM), of which
// they use the mixed dot product. Exports neon_i8mm_dots, nothing else.
#include "kernels/instruction_sets/dot_family.hpp"
#include "kernels/instruction_sets/neon_vectors.hpp"

namespace sluice::detail {
namespace {

struct MixedBytes : NeonBytes {
  [[gnu::always_inline]] static inline void accumulate(uint32x4_t& sum, uint32x4_t codes, uint32x4_t factor) {
    asm("usdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(codes), "w"(factor));
  }
};

template <class Element, int largest>
struct Dots {
  static_assert(largest == 127);
  static constexpr int sums = Element::bits == 4 ? 12 : 16;
  static constexpr DotKernels value[] = {
      DotFamily<IntegerDots<Neon, MixedBytes, Element, largest, 4>, 5, sums, 1>::value(),
      DotFamily<IntegerDots<Neon, MixedBytes, Element, largest, 2>, 10, sums, 3>::value()};
};

}  // namespace

constinit const DotTable neon_i8mm_dots = make_byte_dot_table<Dots>();

}  // namespace sluice::detail
