// Owns: the vectors of 64-bit Arm (Advanced SIMD) and what the kernels do with them. Included by the ISA files only.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <xsimd/xsimd.hpp>

namespace sluice::detail {
namespace {

struct Neon {
  using Batch = xsimd::batch<float, xsimd::neon64>;

  [[gnu::always_inline]] static inline Batch fma(Batch a, Batch b, Batch c) { return vfmaq_f32(c, a, b); }
  [[gnu::always_inline]] static inline void accumulate(Batch& c, Batch a, Batch b) { c = vfmaq_f32(c, a, b); }

  // c += a·b in place, a by element. A dup or a replicating load would take the FMAs' pipes on Neoverse cores. With the
  // intrinsics, g++ 12 copies accumulators around in the hot loop and clang 14 spills them.
  static constexpr bool by_element = true;
  [[gnu::always_inline]] static inline void accumulate(Batch& c, float a, Batch b) {
    float32x4_t sum = c;
    asm("fmla %0.4s, %1.4s, %2.s[0]" : "+w"(sum) : "w"(static_cast<float32x4_t>(b)), "w"(a));
    c = sum;
  }
  template <int element>
  [[gnu::always_inline]] static inline void accumulate_one(Batch& c, Batch a, Batch b) {
    float32x4_t sum = c;
    asm("fmla %0.4s, %1.4s, %2.s[%3]"
        : "+w"(sum)
        : "w"(static_cast<float32x4_t>(b)), "w"(static_cast<float32x4_t>(a)), "i"(element));
    c = sum;
  }
  [[gnu::always_inline]] static inline void accumulate_element(Batch& c, Batch a, Batch b, int element) {
    switch (element) {
      case 0:
        return accumulate_one<0>(c, a, b);
      case 1:
        return accumulate_one<1>(c, a, b);
      case 2:
        return accumulate_one<2>(c, a, b);
      default:
        return accumulate_one<3>(c, a, b);
    }
  }

  // xsimd 8.1 divides by an estimate of the reciprocal; vdivq rounds once, like every other ISA.
  [[gnu::always_inline]] static inline Batch divide(Batch a, Batch b) { return vdivq_f32(a, b); }

  template <int accumulators>
  [[gnu::always_inline]] static inline void widen_pair(const std::uint16_t* words, Batch& even, Batch& odd) {
    const uint32x4_t both = vreinterpretq_u32_u16(vld1q_u16(words));
    even = vreinterpretq_f32_u32(vshlq_n_u32(both, 16));
    odd = vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xffff0000U)));
  }
  // Of each word the lower half as a bf16, or the upper one.
  template <bool upper>
  [[gnu::always_inline]] static inline Batch half_of(uint32x4_t words) {
    return vreinterpretq_f32_u32(upper ? vandq_u32(words, vdupq_n_u32(0xffff0000U)) : vshlq_n_u32(words, 16));
  }
  [[gnu::always_inline]] static inline Batch widen_half(const std::uint16_t* halves) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(halves)));
  }

  // Four words of four bytes, and one byte of each as a float.
  using Words = uint32x4_t;
  [[gnu::always_inline]] static inline Words load_words(const std::byte* words) {
    return vreinterpretq_u32_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(words)));
  }
  [[gnu::always_inline]] static inline Words broadcast_word(const std::int32_t* word) {
    return vreinterpretq_u32_s32(vld1q_dup_s32(word));
  }
  // Four bytes without a sign as words.
  [[gnu::always_inline]] static inline Words widen_bytes(const std::byte* bytes) {
    std::uint32_t four = 0;
    __builtin_memcpy(&four, bytes, sizeof four);
    return vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
  }
  template <int bits>
  [[gnu::always_inline]] static inline Words shift_left(Words words) {
    return vshlq_n_u32(words, bits);
  }
  // Of each word the sum of the products of the halves, integers of 16 bits.
  [[gnu::always_inline]] static inline Words dot_halves(Words a, Words b) {
    const int16x8_t left = vreinterpretq_s16_u32(a);
    const int16x8_t right = vreinterpretq_s16_u32(b);
    return vreinterpretq_u32_s32(
        vpaddq_s32(vmull_s16(vget_low_s16(left), vget_low_s16(right)), vmull_high_s16(left, right)));
  }
  [[gnu::always_inline]] static inline Words subtract_halves(Words a, Words b) {
    return vreinterpretq_u32_u16(vsubq_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b)));
  }
  [[gnu::always_inline]] static inline Words zero_words() { return vdupq_n_u32(0); }
  [[gnu::always_inline]] static inline Words add_words(Words a, Words b) { return vaddq_u32(a, b); }
  [[gnu::always_inline]] static inline Words larger(Words a, Words b) { return vmaxq_u32(a, b); }
  [[gnu::always_inline]] static inline Words magnitude(Batch value) {
    return vandq_u32(vreinterpretq_u32_f32(value), vdupq_n_u32(0x7fffffffU));
  }
  [[gnu::always_inline]] static inline Words nearest(Batch value) {
    return vreinterpretq_u32_s32(vcvtnq_s32_f32(value));
  }
  [[gnu::always_inline]] static inline Batch to_float(Words words) {
    return vcvtq_f32_s32(vreinterpretq_s32_u32(words));
  }
  [[gnu::always_inline]] static inline std::uint32_t largest_word(Words words) { return vmaxvq_u32(words); }
  [[gnu::always_inline]] static inline std::int32_t sum_of_words(Words words) {
    return static_cast<std::int32_t>(vaddvq_u32(words));
  }

  template <int byte>
  [[gnu::always_inline]] static inline Batch byte_of(Words words) {
    const uint32x4_t upper = vshlq_n_u32(words, 24 - 8 * byte);
    return vcvtq_f32_u32(vshrq_n_u32(upper, 24));
  }

  // Of each byte the lower half, or the upper one.
  template <int upper>
  [[gnu::always_inline]] static inline Words nibbles(Words words) {
    const uint8x16_t bytes = vreinterpretq_u8_u32(words);
    return vreinterpretq_u32_u8(upper == 0 ? vandq_u8(bytes, vdupq_n_u8(0x0f)) : vshrq_n_u8(bytes, 4));
  }
  // The bytes of a table of sixteen that the bytes, all below 16, stand for.
  [[gnu::always_inline]] static inline Words look_up(const std::uint8_t* table, Words bytes) {
    return vreinterpretq_u32_u8(vqtbl1q_u8(vld1q_u8(table), vreinterpretq_u8_u32(bytes)));
  }
  // 2^(byte − 127) of four bytes; that of 0 is a denormal, that of 255 infinite.
  [[gnu::always_inline]] static inline Batch powers_of_two(const std::uint8_t* bytes) {
    const uint32x4_t powers = shift_left<23>(widen_bytes(reinterpret_cast<const std::byte*>(bytes)));
    return vreinterpretq_f32_u32(vmaxq_u32(powers, vdupq_n_u32(0x00400000)));
  }

  [[gnu::always_inline]] static inline Batch low_bits_to_exponent(Batch value) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(value), 23));
  }

  // Column j of the four rows becomes four floats at target + j·stride.
  [[gnu::always_inline]] static inline void store_columns(const Batch (&rows)[4], float* target,
                                                          std::ptrdiff_t stride) {
    const float32x4x2_t low = vtrnq_f32(rows[0], rows[1]);
    const float32x4x2_t high = vtrnq_f32(rows[2], rows[3]);
    vst1q_f32(target, vcombine_f32(vget_low_f32(low.val[0]), vget_low_f32(high.val[0])));
    vst1q_f32(target + stride, vcombine_f32(vget_low_f32(low.val[1]), vget_low_f32(high.val[1])));
    vst1q_f32(target + 2 * stride, vcombine_f32(vget_high_f32(low.val[0]), vget_high_f32(high.val[0])));
    vst1q_f32(target + 3 * stride, vcombine_f32(vget_high_f32(low.val[1]), vget_high_f32(high.val[1])));
  }
};

// Four bytes of weights times four quantised elements of 8 bits.
struct NeonBytes {
  static constexpr int parts = 1;
  template <int index>
  [[gnu::always_inline]] static inline uint32x4_t part(uint32x4_t words) {
    return words;
  }
  [[gnu::always_inline]] static inline void store_codes(uint32x4_t codes, std::byte* target, std::ptrdiff_t,
                                                        std::size_t) {
    const int16x4_t narrow = vmovn_s32(vreinterpretq_s32_u32(codes));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(narrow, narrow));
    vst1_lane_u32(reinterpret_cast<std::uint32_t*>(target), vreinterpret_u32_s8(bytes), 0);
  }
};

}  // namespace
}  // namespace sluice::detail
