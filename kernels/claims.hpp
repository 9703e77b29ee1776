// Owns: handing out the panels of a stage to whoever has time for more. Internal.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

#include "kernels/share.hpp"

namespace sluice::detail {

class Claims {
 public:
  // The next panels of `count`, for one of `parts` threads; empty when all are taken. Half of a fair share of what is
  // left: long runs at first, which keep the prefetch going, single panels at the end, which let all end together.
  Range take(std::size_t count, std::size_t parts) noexcept {
    std::size_t begin = next_.load(std::memory_order_relaxed);
    std::size_t end = begin;
    do {
      if (begin >= count) return {count, count};
      end = begin + std::max<std::size_t>(1, (count - begin) / (2 * parts));
      // Relaxed: what the panels hold is ordered by the barriers between the stages.
    } while (!next_.compare_exchange_weak(begin, end, std::memory_order_relaxed));
    return {begin, end};
  }

  void reset() noexcept { next_.store(0, std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<std::size_t> next_{0};
};

// The claims of one call. Up and down stages take turns with one barrier in each turn, so there are two of either:
// while one serves, the other, which nobody has needed since the last barrier, is reset.
struct StageClaims {
  std::array<Claims, 2> up;
  std::array<Claims, 2> down;
};

}  // namespace sluice::detail
