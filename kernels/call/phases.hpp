// Owns: where the time of one call goes, phase by phase and thread by thread, for measurements. Internal. If nobody
// asks, it costs a branch per panel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#if defined(__x86_64__)
#include <x86intrin.h>
#elif !defined(__aarch64__)
#include <chrono>
#endif

namespace sluice::detail {

// gate: the epilogue of the up stage. wait: barriers.
enum class Phase : std::uint8_t { pack, up, gate, down, unpack, wait };
inline constexpr std::size_t phase_count = 6;

// A clock that costs some ten nanoseconds; its rate is constant and unknown, so only shares mean something.
inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t now = 0;
  asm volatile("mrs %0, cntvct_el0" : "=r"(now));
  return now;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// On a cache line of its own: each thread writes its own.
struct alignas(64) ThreadPhases {
  std::uint64_t ticks[phase_count];
};

struct Phases {
  std::span<ThreadPhases> threads;  // room for each thread of the plan
  std::uint32_t used = 0;           // the threads the call ran on
  std::uint64_t total = 0;  // ticks from the beginning of the call to its end; the phases leave the call's overhead
};

// Charges the time since the last stamp to a phase; does nothing without a place to write to.
class PhaseClock {
 public:
  explicit PhaseClock(ThreadPhases* into) noexcept : into_(into), last_(into == nullptr ? 0 : ticks()) {}

  void end(Phase phase) noexcept {
    if (into_ == nullptr) return;
    const std::uint64_t now = ticks();
    into_->ticks[static_cast<std::size_t>(phase)] += now - last_;
    last_ = now;
  }

 private:
  ThreadPhases* const into_;
  std::uint64_t last_;
};

}  // namespace sluice::detail
