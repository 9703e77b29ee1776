// The pool: every part runs once and all at the same time, several hosts may share it, and a forked child has its own.
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

// Runs `threads` parts that all wait for each other, so the call ends only if they run at the same time.
bool runs_together(Executor& executor, std::uint32_t threads) {
  struct Parts {
    std::uint32_t threads;
    std::atomic<std::uint32_t> arrived{0};
    std::array<std::atomic<std::uint32_t>, 64> runs{};
  } parts{threads};
  const bool ran = executor.run(
      threads,
      [](void* context, std::uint32_t index) {
        auto& shared = *static_cast<Parts*>(context);
        ++shared.runs.at(index);
        ++shared.arrived;
        while (shared.arrived < shared.threads) {
          std::this_thread::yield();
        }
      },
      &parts);
  for (std::uint32_t index = 0; index < parts.runs.size(); ++index) {
    if (parts.runs[index] != (index < threads ? 1U : 0U)) {
      return false;
    }
  }
  return ran;
}

TEST(ThreadPool, RunsEveryPartOnceAndAllTogether) {
  ThreadPool pool(8);
  EXPECT_EQ(pool.max_threads(), 8U);
  for (int round = 0; round < (brief ? 20 : 200); ++round) {
    for (const std::uint32_t threads : {1U, 2U, 3U, 8U}) {
      ASSERT_TRUE(runs_together(pool, threads)) << threads << " threads, round " << round;
    }
  }
}

TEST(ThreadPool, ThePartWithIndexZeroRunsOnTheCaller) {
  ThreadPool pool(3);
  std::array<std::thread::id, 3> ids;
  ASSERT_TRUE(pool.run(
      3,
      [](void* context, std::uint32_t index) {
        static_cast<std::thread::id*>(context)[index] = std::this_thread::get_id();
      },
      ids.data()));
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_NE(ids[1], ids[0]);
  EXPECT_NE(ids[2], ids[0]);
  EXPECT_NE(ids[2], ids[1]);
}

TEST(ThreadPool, RefusesMoreThreadsThanItHas) {
  ThreadPool pool(2);
  EXPECT_FALSE(pool.run(
      3, [](void*, std::uint32_t) { ADD_FAILURE() << "a part ran"; }, nullptr));
  EXPECT_TRUE(runs_together(pool, 2));
}

TEST(ThreadPool, SeesTheWritesOfItsCallerAndTheReverse) {
  ThreadPool pool(4);
  std::array<std::uint64_t, 4> counters{};
  for (std::uint64_t round = 1; round <= 500; ++round) {
    ASSERT_TRUE(pool.run(
        4, [](void* context, std::uint32_t index) { ++static_cast<std::uint64_t*>(context)[index]; }, counters.data()));
    for (const std::uint64_t counter : counters) {
      ASSERT_EQ(counter, round);
    }
  }
}

TEST(ThreadPool, ServesTwoHostThreadsInTurn) {
  ThreadPool pool(3);
  std::atomic<int> failures{0};
  const auto host = [&] {
    for (int round = 0; round < 50; ++round) {
      failures += runs_together(pool, 3) ? 0 : 1;
    }
  };
  std::thread other(host);
  host();
  other.join();
  EXPECT_EQ(failures, 0);
}

TEST(ThreadPool, OfAForkedChildStartsItsOwnThreads) {
  if (!forks_may_start_threads) {
    GTEST_SKIP() << "threads of a forked child are beyond the emulator or sanitizer";
  }
  ThreadPool pool(3);
  ASSERT_TRUE(runs_together(pool, 3));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    _exit(runs_together(pool, 3) && runs_together(pool, 2) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(runs_together(pool, 3));
}

TEST(ThreadPool, OfOneThreadNeedsNoOther) {
  ThreadPool pool(1);
  EXPECT_EQ(pool.max_threads(), 1U);
  EXPECT_TRUE(runs_together(pool, 1));
}

TEST(AvailableThreads, AreBetweenOneAndTheProcessors) {
  EXPECT_GE(available_threads(), 1U);
  EXPECT_LE(available_threads(), static_cast<std::uint32_t>(sysconf(_SC_NPROCESSORS_CONF)));
}

}  // namespace
}  // namespace sluice::tests
