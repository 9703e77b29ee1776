// Owns: the floating-point mode during a call: round to nearest, denormals honoured, no traps; whatever the host has
// set (a host linked with -ffast-math flushes denormals) is restored afterwards. Internal.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sluice::detail {

class FloatMode {
 public:
#if defined(__x86_64__)
  FloatMode() noexcept : saved_(_mm_getcsr()) {
    constexpr std::uint32_t all_masked_nearest = 0x1f80;
    if (saved_ != all_masked_nearest) _mm_setcsr(all_masked_nearest);
  }
  ~FloatMode() { _mm_setcsr(saved_); }

 private:
  std::uint32_t saved_;
#elif defined(__aarch64__)
  FloatMode() noexcept {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    if (saved_ != 0) asm volatile("msr fpcr, %0" : : "r"(std::uint64_t{0}));
  }
  ~FloatMode() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }

 private:
  std::uint64_t saved_ = 0;
#endif
 public:
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;
};

}  // namespace sluice::detail
