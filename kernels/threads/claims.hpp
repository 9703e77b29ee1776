// Owns: handing out the panels of a stage to whoever has time for more: to the threads of one team (Claims), or to
// its only thread and to those that have done their own rows (Board). Internal.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernels/threads/share.hpp"
#include "kernels/threads/spin.hpp"

namespace sluice::detail {

class Claims {
 public:
  // Takes the next panels of `count` for one of `parts` threads: half of a fair share of what is left, empty if nothing
  // is. So the first runs are long, which keeps the prefetch going, and the last are single panels, which lets all
  // threads end together.
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

// The claims of one call. Up and down stages alternate, with one barrier in each turn, so there are two of each. While
// one is in use, the other, which no thread has needed since the last barrier, is reset.
struct StageClaims {
  std::array<Claims, 2> up;
  std::array<Claims, 2> down;
};

// The stage that a team of one thread has open for others. A single word holds the stage and the number of panels that
// are left, so that a thread that takes panels knows of which stage they are.
class Board {
 public:
  // What the halves of the word hold; the highest stage means that the board is closed.
  static constexpr std::uint64_t max_stages = UINT32_MAX;
  static constexpr std::size_t max_panels = UINT32_MAX;

  // The first `panels` panels of the last `left` panels of a stage.
  struct Part {
    std::uint64_t stage;
    std::size_t left;
    std::size_t panels;
  };

  // Lets others take panels of a stage. The owner calls it after wait(), when all that they need is written.
  void open(std::uint64_t stage, std::size_t panels) noexcept {
    opened_ = panels;
    done_.store(0, std::memory_order_relaxed);
    open_.store(stage << 32U | panels, std::memory_order_release);
  }

  // The owner calls it when it will open no further stage.
  void close() noexcept { open_.store(closed_word, std::memory_order_release); }
  [[nodiscard]] bool closed() const noexcept { return open_.load(std::memory_order_acquire) == closed_word; }

  // Takes a quarter of what is left: at least one panel and at most `most`, or none if nothing is left.
  Part take(std::size_t most) noexcept {
    std::uint64_t word = open_.load(std::memory_order_acquire);
    Part part{};
    do {
      part = {word >> 32U, word & UINT32_MAX, 0};
      if (part.left == 0) return part;
      part.panels = std::clamp<std::size_t>(part.left / 4, 1, most);
    } while (!open_.compare_exchange_weak(word, word - part.panels, std::memory_order_acquire));
    return part;
  }

  void done(const Part& part) noexcept { done_.fetch_add(part.panels, std::memory_order_release); }

  // The owner waits until all parts that were taken are done.
  void wait() noexcept {
    while (!spin([&] { return done_.load(std::memory_order_acquire) == opened_; }, 1000)) sched_yield();
  }

 private:
  static constexpr std::uint64_t closed_word = std::uint64_t{UINT32_MAX} << 32U;

  alignas(64) std::atomic<std::uint64_t> open_{0};
  std::size_t opened_ = 0;
  alignas(64) std::atomic<std::size_t> done_{0};
};

}  // namespace sluice::detail
