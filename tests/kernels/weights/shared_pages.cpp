// The memory of packed weights: alignment, no overlap, and that many small layers take little more than their size.
#include "kernels/weights/shared_pages.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "kernels/weights/memory.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

constexpr std::size_t kib = 1024;

TEST(SharedPages, LayersOfAnySizeAreApartAndAligned) {
  std::vector<std::pair<void*, std::size_t>> pieces;
  for (const std::size_t size : {1 * kib, 511 * kib, 512 * kib, 700 * kib + 4, 1500 * kib, 2048 * kib, 3333 * kib,
                                 4096 * kib - 1, 4096 * kib, 5000 * kib, 7168 * kib}) {
    for (int i = 0; i < 5; ++i) {
      void* const memory = detail::allocate_weights(size);
      ASSERT_NE(memory, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % detail::cache_line, 0U);
      std::memset(memory, static_cast<int>(pieces.size()), size);
      pieces.emplace_back(memory, size);
    }
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto* const bytes = static_cast<const unsigned char*>(pieces[i].first);
    for (std::size_t at = 0; at < pieces[i].second; at += kib - 1) ASSERT_EQ(bytes[at], i) << at;
    ASSERT_EQ(bytes[pieces[i].second - 1], i);
  }
  // In another order than they came.
  for (std::size_t i = 0; i < pieces.size(); i += 2) detail::release_weights(pieces[i].first, pieces[i].second);
  for (std::size_t i = 1; i < pieces.size(); i += 2) detail::release_weights(pieces[i].first, pieces[i].second);
  detail::release_weights(nullptr, 600 * kib);
}

TEST(SharedPages, ThreadsMayTakeAndGiveBack) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([number] {
      std::vector<unsigned char*> own;
      own.reserve(8);
      for (int i = 0; i < 200; ++i) {
        auto* const memory = static_cast<unsigned char*>(detail::allocate_weights(600 * kib));
        ASSERT_NE(memory, nullptr);
        memory[0] = memory[600 * kib - 1] = static_cast<unsigned char>(number);
        own.push_back(memory);
        if (own.size() < 8) continue;
        ASSERT_EQ(own.front()[0], number);
        ASSERT_EQ(own.front()[600 * kib - 1], number);
        detail::release_weights(own.front(), 600 * kib);
        own.erase(own.begin());
      }
      for (unsigned char* const memory : own) detail::release_weights(memory, 600 * kib);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(SharedPages, AForkedChildMayTakeWhileOtherThreadsDid) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "in a forked child the sanitizer's allocator keeps the locks that other threads held (g++ 12)";
#endif
  if (!forks_may_start_threads) {
    GTEST_SKIP() << "an emulator forks with threads at its own risk";
  }
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int number = 0; number < 2; ++number) {
    threads.emplace_back([&done] {
      while (!done) detail::release_weights(detail::allocate_weights(600 * kib), 600 * kib);
    });
  }
  int failed = 0;
  for (int i = 0; i < 100 && failed == 0; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      constexpr unsigned patience_seconds = 60;
      ::alarm(patience_seconds);  // a lock that no thread holds ends the child
      detail::release_weights(detail::allocate_weights(600 * kib), 600 * kib);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (status != 0) ++failed;
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
}

#if defined(__linux__)
std::size_t resident_bytes() {
  unsigned long all = 0;
  unsigned long resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%lu %lu", &all, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(SharedPages, ManySmallLayersTakeLittleMoreThanTheirSize) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "a sanitizer has memory of its own";
#endif
  // 0.5, 0.8 and 2.3 MiB of packed weights.
  for (const Shape shape : {Shape{192, 232}, Shape{256, 272}, Shape{384, 512}}) {
    const tuner::Case one{swiglu, shape, 1, false, Order::in_out, false, false, 1};
    const tuner::Problem problem(one);
    const std::size_t before = resident_bytes();
    std::vector<Ffn> layers;
    std::size_t packed = 0;
    for (int i = 0; i < 60; ++i) {
      Result<Ffn> ffn = Ffn::pack(shape, swiglu, problem.weights());
      ASSERT_TRUE(ffn.ok()) << ffn.status().message();
      packed += ffn->packed_size();
      layers.push_back(std::move(*ffn));
    }
    const std::size_t taken = resident_bytes() - before;
    EXPECT_LE(taken, packed * 3 / 2) << shape.d_model << "x" << shape.d_ff;
    layers.clear();
    EXPECT_LE(resident_bytes(), before + packed / 4) << "most of it is given back";
  }
}

TEST(SharedPages, WhatFewLayersLeaveOfABlockIsGivenBack) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "a sanitizer has memory of its own";
#endif
  constexpr std::size_t size = 600 * kib;
  constexpr std::size_t count = 200;
  constexpr std::size_t kept = 10;  // of so many layers one stays, so that nearly no block is freed
  const std::size_t before = resident_bytes();
  std::vector<void*> layers;
  for (std::size_t i = 0; i < count; ++i) {
    layers.push_back(detail::allocate_weights(size));
    ASSERT_NE(layers.back(), nullptr);
    std::memset(layers.back(), static_cast<int>(i), size);
  }
  ASSERT_GE(resident_bytes(), before + count * size);
  for (std::size_t i = 0; i < count; ++i)
    if (i % kept != 0) detail::release_weights(layers[i], size);
  EXPECT_LE(resident_bytes(), before + count / kept * size * 2);
  for (std::size_t i = 0; i < count; i += kept) {
    EXPECT_EQ(static_cast<unsigned char*>(layers[i])[0], i);
    EXPECT_EQ(static_cast<unsigned char*>(layers[i])[size - 1], i);
    detail::release_weights(layers[i], size);
  }
}
#endif

}  // namespace
}  // namespace sluice::tests
