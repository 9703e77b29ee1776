// Owns: waiting for another thread: spinning that gives way, and the barrier inside a call.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sluice::detail {

inline void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until done() or until `rounds` have passed. Returns whether it is done.
template <class Done>
bool spin(Done done, std::uint32_t rounds) noexcept {
  for (std::uint32_t round = 0; round < rounds; ++round) {
    if (done()) return true;
    relax();
  }
  return done();
}

// A barrier for the threads of one call. Spins, then yields: with more threads than processors pure spinning would
// hold up the very thread it waits for.
class Barrier {
 public:
  explicit Barrier(std::uint32_t threads) noexcept : threads_(threads) {}

  void wait() noexcept {
    if (threads_ == 1) return;
    const std::uint32_t phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    while (!spin([&] { return phase_.load(std::memory_order_acquire) != phase; }, 1000)) sched_yield();
  }

 private:
  const std::uint32_t threads_;
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> phase_{0};
};

}  // namespace sluice::detail
