// Owns: everything compiled for 64-bit Arm (Advanced SIMD). Exports neon_kernels, nothing else.
#include "kernels/instruction_sets/dot_family.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"
#include "kernels/instruction_sets/neon_vectors.hpp"

namespace sluice::detail {
namespace {

// Both are predicted to be equally fast on Neoverse cores (scripts/analyze.sh: above 99 % of the FMA bound). 6 × 16 is
// preferred since its single row is one stream of whole cache lines. 8 × 16 would need all 32 registers for
// accumulators, and 8 × 12 has no halves for gate and up.
template <class Element>
struct Panels {
  static constexpr PanelKernels value[] = {PanelFamily<Neon, Element, 4, 6, 24>::value(),
                                           PanelFamily<Neon, Element, 2, 12, 24>::value()};
};

// Bytes as integers of 16 bits, the even ones and the odd ones, times pairs of quantised elements.
struct NeonDot {
  static constexpr int parts = 2;
  template <int index>
  [[gnu::always_inline]] static inline uint32x4_t part(uint32x4_t words) {
    if constexpr (index == 0)
      return vandq_u32(words, vdupq_n_u32(0x00ff00ffU));
    else
      return vreinterpretq_u32_u16(vshrq_n_u16(vreinterpretq_u16_u32(words), 8));
  }
  // In place: g++ 12 and clang 14 would compute products early and keep them on the stack.
  [[gnu::always_inline]] static inline void accumulate(uint32x4_t& sum, uint32x4_t codes, uint32x4_t factor) {
    uint32x4_t low;
    uint32x4_t high;
    asm("smull %1.4s, %3.4h, %4.4h\n\tsmull2 %2.4s, %3.8h, %4.8h\n\taddp %1.4s, %1.4s, %2.4s\n\tadd %0.4s, %0.4s, %1.4s"
        : "+w"(sum), "=&w"(low), "=&w"(high)
        : "w"(codes), "w"(factor));
  }
  // A word of four integers, as (0, 2), (1, 3).
  [[gnu::always_inline]] static inline void store_codes(uint32x4_t codes, std::byte* target, std::ptrdiff_t,
                                                        std::size_t) {
    const int16x4_t narrow = vmovn_s32(vreinterpretq_s32_u32(codes));
    const int16x4_t high = vext_s16(narrow, narrow, 2);                          // 2 3 0 1
    vst1_s16(reinterpret_cast<std::int16_t*>(target), vzip1_s16(narrow, high));  // 0 2 1 3
  }
};

template <class Element, int largest>
struct Dots {
  // clang 14 keeps codes of 4 bits of several panels on the stack beside 16 sums.
  static constexpr int sums = Element::bits == 4 ? 12 : 16;
  static constexpr DotKernels value[] = {
      DotFamily<IntegerDots<Neon, NeonDot, Element, largest, 4>, 3, sums, 1>::value(),
      DotFamily<IntegerDots<Neon, NeonDot, Element, largest, 2>, 6, sums, 3>::value()};
};

constexpr DotKernels bf16[] = {DotFamily<Bf16Dots<Neon, 4>, 6, 16>::value(),
                               DotFamily<Bf16Dots<Neon, 2>, 12, 16>::value()};

}  // namespace

constinit const KernelTable neon_kernels = make_table<Neon, Panels>(Isa::neon, with_bf16(make_dot_table<Dots>(), bf16));

}  // namespace sluice::detail
