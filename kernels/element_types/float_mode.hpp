// Owns: the floating-point mode during a call: round to nearest, denormals honoured, no traps; whatever the host has
// set (a host linked with -ffast-math flushes denormals) is restored afterwards; and the mode of bf16 dot products,
// which flush denormals. Internal.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sluice::detail {

enum class Denormals : std::uint8_t { honoured, flushed };

template <Denormals denormals>
class FloatModeOf {
  static constexpr bool flushed = denormals == Denormals::flushed;

 public:
#if defined(__x86_64__)
  [[gnu::always_inline]] FloatModeOf() noexcept : saved_(_mm_getcsr()) {
    constexpr std::uint32_t all_masked_nearest = 0x1f80;
    constexpr std::uint32_t zeros_of_denormals = 0x8040;
    constexpr std::uint32_t wanted = all_masked_nearest | (flushed ? zeros_of_denormals : 0);
    if (saved_ != wanted) _mm_setcsr(wanted);
  }
  [[gnu::always_inline]] ~FloatModeOf() { _mm_setcsr(saved_); }

 private:
  std::uint32_t saved_;
#elif defined(__aarch64__)
  [[gnu::always_inline]] FloatModeOf() noexcept {
    constexpr std::uint64_t zeros_of_denormals = std::uint64_t{1} << 24U;
    constexpr std::uint64_t wanted = flushed ? zeros_of_denormals : 0;
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    if (saved_ != wanted) asm volatile("msr fpcr, %0" : : "r"(wanted));
  }
  [[gnu::always_inline]] ~FloatModeOf() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }

 private:
  std::uint64_t saved_ = 0;
#endif
 public:
  FloatModeOf(const FloatModeOf&) = delete;
  FloatModeOf& operator=(const FloatModeOf&) = delete;
};

using FloatMode = FloatModeOf<Denormals::honoured>;
using FlushingMode = FloatModeOf<Denormals::flushed>;

}  // namespace sluice::detail
